package opencv

// #include "log.h"
import "C"

import (
	"os"
	"sync"
)

// silence keeps OpenCV and FFmpeg from writing on standard error each way of
// opening a camera that did not work: the error that is returned says it once.
// Who sets OPENCV_LOG_LEVEL wants to read them.
var silence = sync.OnceFunc(func() {
	if os.Getenv("OPENCV_LOG_LEVEL") != "" {
		return
	}
	C.loupe_silence()
	if os.Getenv("OPENCV_FFMPEG_LOGLEVEL") == "" {
		_ = os.Setenv("OPENCV_FFMPEG_LOGLEVEL", "-8") // AV_LOG_QUIET
	}
})
