package exchange

import (
	"archive/zip"
	"bufio"
	"errors"
	"io"
	"os"
	"path"
	"time"
)

// Zip writes an export as a zip file, the same bytes for the same files.
type Zip struct{ *zip.Writer }

// NewZip begins a zip file; Close ends it.
func NewZip(w io.Writer) Zip { return Zip{zip.NewWriter(w)} }

// Create begins a file: pictures are stored as they are, texts compressed.
func (z Zip) Create(name string) (io.Writer, error) {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	if isPicture(name) {
		h.Method = zip.Store
	}
	return z.CreateHeader(h)
}

// Folder writes an export into a folder.
type Folder struct {
	root *os.Root
	file *os.File
	into *bufio.Writer
	made map[string]bool
}

// NewFolder writes into root.
func NewFolder(root *os.Root) *Folder { return &Folder{root: root, made: map[string]bool{}} }

// Create begins a file that must not be there yet.
func (f *Folder) Create(name string) (io.Writer, error) {
	if err := f.Close(); err != nil {
		return nil, err
	}
	if dir := path.Dir(name); !f.made[dir] {
		if err := f.root.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		f.made[dir] = true
	}
	file, err := f.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	f.file, f.into = file, bufio.NewWriter(file)
	return f.into, nil
}

// Close ends the last file.
func (f *Folder) Close() error {
	if f.file == nil {
		return nil
	}
	err := errors.Join(f.into.Flush(), f.file.Close())
	f.file = nil
	return err
}
