#include "log.h"

#include <opencv2/core/utils/logger.hpp>

void loupe_silence(void) {
  cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
}
