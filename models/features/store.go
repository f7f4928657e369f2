// Package features caches the features of frames on disk, so that training is
// fitting and no forward pass. The cache can be thrown away at any time: what is
// missing or damaged is computed again.
package features

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"loupe/models/head"
	"loupe/models/onnx"
)

// ErrMissing says that a frame's features are not in the cache.
var ErrMissing = errors.New("the features are not in the cache")

// Store keeps the features of one way of preparing frames: one backbone, input
// size and region. Records lie at the frame's ID in two sparse files, so looking
// one up costs no search. It is safe for concurrent use; a record that is read
// while it is written, or was torn by a crash, reads as missing.
type Store struct {
	size         int
	taps, pooled records
	rooms        sync.Pool
}

// Open opens or makes the cache in a folder for inputs of the given side.
func Open(folder string, size int) (*Store, error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, fmt.Errorf("make the feature cache: %w", err)
	}
	s := &Store{size: size}
	s.rooms.New = func() any { f := head.NewFeatures(size); return &f }
	var err error
	if s.taps, err = openRecords(filepath.Join(folder, "taps.f16"), 2*head.TapsLen(size)); err != nil {
		return nil, err
	}
	if s.pooled, err = openRecords(filepath.Join(folder, "pooled.f32"), 4*onnx.PooledLen); err != nil {
		return nil, errors.Join(err, s.taps.file.Close())
	}
	return s, nil
}

// Close closes the files.
func (s *Store) Close() error { return errors.Join(s.taps.file.Close(), s.pooled.file.Close()) }

// Put stores the features of a frame.
func (s *Store) Put(frameID int64, f head.Features) error {
	if len(f.Taps) != head.TapsLen(s.size) {
		return fmt.Errorf("the features of frame %d are not those of a %d-pixel input", frameID, s.size)
	}
	if err := s.PutPooled(frameID, f.Pooled); err != nil {
		return err
	}
	return s.taps.write(frameID, bytesOf(f.Taps))
}

// PutPooled stores the pooled features of a frame alone.
func (s *Store) PutPooled(frameID int64, pooled []float32) error {
	if len(pooled) != onnx.PooledLen {
		return fmt.Errorf("frame %d has %d pooled features, not %d", frameID, len(pooled), onnx.PooledLen)
	}
	return s.pooled.write(frameID, bytesOf(pooled))
}

// Has reports whether all features of a frame are there and whole.
func (s *Store) Has(frameID int64) bool {
	f := s.rooms.Get().(*head.Features)
	defer s.rooms.Put(f)
	return s.Read(frameID, f) == nil
}

// ForgetPooled drops the pooled features of a frame unless a training keeps all
// of its features.
func (s *Store) ForgetPooled(frameID int64) error {
	if frameID < 0 || s.taps.has(frameID) {
		return nil
	}
	return s.pooled.forget(frameID)
}

// Read fills f, made by head.NewFeatures for this size, with the features of a
// frame; ErrMissing where they are not there or damaged.
func (s *Store) Read(frameID int64, f *head.Features) error {
	if len(f.Taps) != head.TapsLen(s.size) {
		return fmt.Errorf("read features of a %d-pixel input: no room for them", s.size)
	}
	if err := s.taps.read(frameID, bytesOf(f.Taps)); err != nil {
		return err
	}
	return s.ReadPooled(frameID, f.Pooled)
}

// ReadPooled fills pooled, of onnx.PooledLen, with the pooled features of a
// frame; ErrMissing where they are not there or damaged.
func (s *Store) ReadPooled(frameID int64, pooled []float32) error {
	if len(pooled) != onnx.PooledLen {
		return fmt.Errorf("read pooled features: no room for %d", onnx.PooledLen)
	}
	return s.pooled.read(frameID, bytesOf(pooled))
}

// Forget drops the features of a frame and gives their room back to the disk.
func (s *Store) Forget(frameID int64) error {
	return errors.Join(s.taps.forget(frameID), s.pooled.forget(frameID))
}

// records is a sparse file of records of one size, each behind its checksum and
// a mark. Values lie as this machine keeps them: a cache does not travel, and
// on a machine of the other byte order the mark does not match.
type records struct {
	file *os.File
	size int // of a record without its head
}

const (
	recordHead = 8
	mark       = 0x4c6f7532 // "Lou2"; it changes with the layout
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func openRecords(path string, size int) (records, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return records{}, fmt.Errorf("open the feature cache: %w", err)
	}
	return records{file, size}, nil
}

func (r records) at(frameID int64) int64 { return frameID * int64(recordHead+r.size) }

// checksum covers the frame's ID too: a record at a wrong place is none.
func checksum(frameID int64, data []byte) uint32 {
	return crc32.Update(uint32(frameID), castagnoli, data)
}

func (r records) write(frameID int64, data []byte) error {
	if frameID < 0 {
		return fmt.Errorf("write the feature cache: there is no frame %d", frameID)
	}
	var first [recordHead]byte
	binary.NativeEndian.PutUint32(first[:], checksum(frameID, data))
	binary.NativeEndian.PutUint32(first[4:], mark)
	_, err := r.file.WriteAt(data, r.at(frameID)+recordHead)
	if err == nil {
		_, err = r.file.WriteAt(first[:], r.at(frameID))
	}
	if err != nil {
		return fmt.Errorf("write the feature cache: %w", err)
	}
	return nil
}

func (r records) read(frameID int64, data []byte) error {
	var first [recordHead]byte
	if frameID < 0 {
		return ErrMissing
	}
	if _, err := r.file.ReadAt(first[:], r.at(frameID)); err != nil || binary.NativeEndian.Uint32(first[4:]) != mark {
		return missing(err)
	}
	if _, err := r.file.ReadAt(data, r.at(frameID)+recordHead); err != nil || binary.NativeEndian.Uint32(first[:]) != checksum(frameID, data) {
		return missing(err)
	}
	return nil
}

func missing(err error) error {
	if errors.Is(err, fs.ErrClosed) {
		return fmt.Errorf("read the feature cache: %w", err)
	}
	return ErrMissing
}

func (r records) forget(frameID int64) error {
	if frameID < 0 {
		return nil
	}
	info, err := r.file.Stat()
	if err != nil || r.at(frameID) >= info.Size() {
		return err
	}
	const hole = unix.FALLOC_FL_PUNCH_HOLE | unix.FALLOC_FL_KEEP_SIZE
	err = unix.Fallocate(int(r.file.Fd()), hole, r.at(frameID), int64(recordHead+r.size))
	if errors.Is(err, errors.ErrUnsupported) { // a file system without holes
		_, err = r.file.WriteAt(make([]byte, recordHead), r.at(frameID))
	}
	if err != nil {
		return fmt.Errorf("write the feature cache: %w", err)
	}
	return nil
}

// has reports whether a record was written, whole or not.
func (r records) has(frameID int64) bool {
	var first [recordHead]byte
	_, err := r.file.ReadAt(first[:], r.at(frameID))
	return err == nil && binary.NativeEndian.Uint32(first[4:]) == mark
}

// bytesOf gives the memory of numbers.
func bytesOf[T uint16 | float32](v []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(*new(T))))
}
