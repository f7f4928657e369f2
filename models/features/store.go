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
	"math"
	"os"
	"path/filepath"
	"sync"

	"github.com/x448/float16"

	"loupe/models/head"
	"loupe/models/onnx"
)

// ErrMissing says that a frame's features are not in the cache.
var ErrMissing = errors.New("the features are not in the cache")

// Store keeps the features of one way of preparing frames: one backbone, input
// size and region. Records lie at the frame's ID in two sparse files, so looking
// one up costs a single read. It is safe for concurrent use.
type Store struct {
	size    int
	taps    *os.File // float16
	pooled  *os.File // float32
	buffers sync.Pool
}

// recordHead is the checksum and a mark before each record.
const (
	recordHead = 8
	mark       = 0x4c6f7570 // "Loup"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Open opens or makes the cache in a folder for inputs of the given side.
func Open(folder string, size int) (*Store, error) {
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return nil, fmt.Errorf("make the feature cache: %w", err)
	}
	s := &Store{size: size}
	s.buffers.New = func() any { b := make([]byte, s.tapRecord()); return &b }
	var err error
	if s.taps, err = os.OpenFile(filepath.Join(folder, "taps.f16"), os.O_RDWR|os.O_CREATE, 0o640); err != nil {
		return nil, fmt.Errorf("open the feature cache: %w", err)
	}
	if s.pooled, err = os.OpenFile(filepath.Join(folder, "pooled.f32"), os.O_RDWR|os.O_CREATE, 0o640); err != nil {
		return nil, errors.Join(fmt.Errorf("open the feature cache: %w", err), s.taps.Close())
	}
	return s, nil
}

// Close closes the files.
func (s *Store) Close() error { return errors.Join(s.taps.Close(), s.pooled.Close()) }

func (s *Store) tapRecord() int {
	n := head.Lengths(s.size)
	return recordHead + 2*(n[0]+n[1]+n[2])
}

const pooledRecord = recordHead + 4*onnx.PooledLen

// Put stores the features of a frame. Stride32 is place after place, as
// head.Features says.
func (s *Store) Put(frameID int64, f head.Features) error {
	n := head.Lengths(s.size)
	if len(f.Stride8) != n[0] || len(f.Stride16) != n[1] || len(f.Stride32) != n[2] {
		return fmt.Errorf("features of frame %d are not those of a %d-pixel input", frameID, s.size)
	}
	b := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(b)
	at := recordHead
	for _, tap := range [][]float32{f.Stride8, f.Stride16, f.Stride32} {
		for _, v := range tap {
			binary.LittleEndian.PutUint16((*b)[at:], float16.Fromfloat32(v).Bits())
			at += 2
		}
	}
	if err := write(s.taps, frameID, *b); err != nil {
		return err
	}
	return s.PutPooled(frameID, f.Pooled)
}

// PutPooled stores the pooled features of a frame alone.
func (s *Store) PutPooled(frameID int64, pooled []float32) error {
	if len(pooled) != onnx.PooledLen {
		return fmt.Errorf("frame %d has %d pooled features, not %d", frameID, len(pooled), onnx.PooledLen)
	}
	b := make([]byte, pooledRecord)
	for i, v := range pooled {
		binary.LittleEndian.PutUint32(b[recordHead+4*i:], math.Float32bits(v))
	}
	return write(s.pooled, frameID, b)
}

func write(file *os.File, frameID int64, record []byte) error {
	binary.LittleEndian.PutUint32(record, crc32.Checksum(record[recordHead:], castagnoli))
	binary.LittleEndian.PutUint32(record[4:], mark)
	if _, err := file.WriteAt(record, frameID*int64(len(record))); err != nil {
		return fmt.Errorf("write the feature cache: %w", err)
	}
	return nil
}

// Has reports whether the taps of a frame are there. It does not check them.
func (s *Store) Has(frameID int64) bool {
	var b [recordHead]byte
	_, err := s.taps.ReadAt(b[:], frameID*int64(s.tapRecord()))
	return err == nil && binary.LittleEndian.Uint32(b[4:]) == mark
}

// Read fills f with the features of a frame; ErrMissing where they are not there
// or damaged.
func (s *Store) Read(frameID int64, f *head.Features) error {
	b := s.buffers.Get().(*[]byte)
	defer s.buffers.Put(b)
	if err := read(s.taps, frameID, *b); err != nil {
		return err
	}
	at := (*b)[recordHead:]
	for _, tap := range [][]float32{f.Stride8, f.Stride16, f.Stride32} {
		widen(at, tap)
		at = at[2*len(tap):]
	}
	return s.ReadPooled(frameID, f.Pooled)
}

// ReadPooled fills pooled with the pooled features of a frame.
func (s *Store) ReadPooled(frameID int64, pooled []float32) error {
	var b [pooledRecord]byte
	if err := read(s.pooled, frameID, b[:]); err != nil {
		return err
	}
	for i := range pooled {
		pooled[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[recordHead+4*i:]))
	}
	return nil
}

func read(file *os.File, frameID int64, record []byte) error {
	if _, err := file.ReadAt(record, frameID*int64(len(record))); err != nil {
		if errors.Is(err, fs.ErrClosed) {
			return fmt.Errorf("read the feature cache: %w", err)
		}
		return ErrMissing
	}
	if binary.LittleEndian.Uint32(record[4:]) != mark || binary.LittleEndian.Uint32(record) != crc32.Checksum(record[recordHead:], castagnoli) {
		return ErrMissing
	}
	return nil
}

// Forget marks the features of a frame as missing.
func (s *Store) Forget(frameID int64) error {
	var none [recordHead]byte
	_, err := s.taps.WriteAt(none[:], frameID*int64(s.tapRecord()))
	_, err2 := s.pooled.WriteAt(none[:], frameID*pooledRecord)
	if err := errors.Join(err, err2); err != nil {
		return fmt.Errorf("write the feature cache: %w", err)
	}
	return nil
}

// wide holds each float16 as a float32: a look-up is three times as fast as converting.
var wide = sync.OnceValue(func() *[1 << 16]float32 {
	var t [1 << 16]float32
	for i := range t {
		t[i] = float16.Frombits(uint16(i)).Float32()
	}
	return &t
})

func widen(from []byte, to []float32) {
	t := wide()
	from = from[:2*len(to)]
	for i := range to {
		to[i] = t[uint16(from[2*i])|uint16(from[2*i+1])<<8]
	}
}
