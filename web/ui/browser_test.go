package ui

import (
	"os"
	"testing"

	"loupe/web/browsertest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	browsertest.Close()
	os.Exit(code)
}
