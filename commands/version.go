package commands

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"loupe/vision/opencv"
)

// Version prints what this program was built from.
type Version struct{}

// Run prints the versions.
func (Version) Run() error {
	fmt.Printf("loupe %s\n%s %s/%s\nOpenCV %s\n", programVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH, opencv.LibraryVersion())
	return nil
}

// programVersion is the module's version, or the revision it was built from.
func programVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, changed := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = " with local changes"
		}
	}
	if revision == "" {
		return "from source"
	}
	return revision + changed
}
