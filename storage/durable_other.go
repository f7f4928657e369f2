//go:build !linux

package storage

import (
	"errors"
	"os"
)

func syncWhole(*os.File) error { return errors.ErrUnsupported }

func wholeSyncTells() bool { return false }
