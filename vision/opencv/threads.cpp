#include "threads.h"
#include <opencv2/core/utility.hpp>

void loupe_set_threads(int n) { cv::setNumThreads(n > 0 ? n : -1); }
