package storage

import (
	"errors"
	"fmt"
	"syscall"
)

// needRoom refuses to begin what the disk of a folder has no room for.
func needRoom(folder string, bytes int64) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return fmt.Errorf("measure the disk: %w", err)
	}
	if free := int64(s.Bavail) * s.Bsize; free < bytes {
		return fail(Full, "%d MB are needed in %s and %d MB are free", bytes>>20+1, folder, free>>20)
	}
	return nil
}

// tellFull says in other words that a disk is full, with the cause.
func tellFull(err error, message string) error {
	var full *Error
	if !errors.As(err, &full) || full.Code != Full {
		return err
	}
	cause := full.Err
	if cause == nil {
		cause = errors.New(full.Message)
	}
	return &Error{Code: Full, Message: message, Err: cause}
}
