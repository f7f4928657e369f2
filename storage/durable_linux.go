package storage

import (
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// syncWhole writes everything of the file system to the disk that folder is on.
func syncWhole(folder *os.File) error { return unix.Syncfs(int(folder.Fd())) }

// wholeSyncTells reports whether the kernel's syncfs says when a write failed:
// since Linux 5.8 it does (syncfs(2)).
var wholeSyncTells = sync.OnceValue(func() bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	major, rest, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), ".")
	minor := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	return errA == nil && errB == nil && (a > 5 || a == 5 && b >= 8)
})
