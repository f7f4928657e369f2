package storage

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

var errDamaged = errors.New("the list of frames is damaged")

// packFrames keeps a data set as the compressed steps between its frames: a
// version is trained at each few corrections, and each data set has thousands of
// frames. Pictures are left out: a frame never changes its picture.
func packFrames(frames []LabelledFrame) ([]byte, error) {
	var classes []string
	at := map[string]int{}
	var rows []byte
	var last LabelledFrame
	for _, f := range frames {
		if f.FrameID <= last.FrameID {
			return nil, fmt.Errorf("frame %d follows frame %d", f.FrameID, last.FrameID)
		}
		class, ok := at[f.Class]
		if !ok {
			class = len(classes)
			at[f.Class], classes = class, append(classes, f.Class)
		}
		test := 0
		switch f.Share {
		case TestShare:
			test = 1
		case TrainShare:
		default:
			return nil, fmt.Errorf("frame %d lies in no share", f.FrameID)
		}
		rows = binary.AppendUvarint(rows, uint64(f.FrameID-last.FrameID))
		rows = binary.AppendUvarint(rows, uint64(2*class+test))
		rows = binary.AppendVarint(rows, f.LabelID-last.LabelID)
		rows = binary.AppendVarint(rows, f.MarkingID-last.MarkingID)
		last = f
	}
	head := binary.AppendUvarint(nil, uint64(len(classes)))
	for _, name := range classes {
		head = append(binary.AppendUvarint(head, uint64(len(name))), name...)
	}
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.DefaultCompression)
	if err == nil {
		_, err = w.Write(append(head, rows...))
	}
	if err == nil {
		err = w.Close()
	}
	return packed.Bytes(), err
}

// numbers reads the numbers of a packed list; broken says that one was not there.
type numbers struct {
	rest   []byte
	broken bool
}

func (n *numbers) uint() uint64 {
	v, size := binary.Uvarint(n.rest)
	n.take(size)
	return v
}

func (n *numbers) int() int64 {
	v, size := binary.Varint(n.rest)
	n.take(size)
	return v
}

// take gives the next bytes, none where there are not so many.
func (n *numbers) take(size int) []byte {
	if size <= 0 || size > len(n.rest) {
		n.rest, n.broken = nil, true
		return nil
	}
	taken := n.rest[:size]
	n.rest = n.rest[size:]
	return taken
}

// unpackFrames is the way back; pictures and orientations are left out.
func unpackFrames(packed []byte) ([]LabelledFrame, error) {
	plain, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	if err != nil {
		return nil, errDamaged
	}
	n := &numbers{rest: plain}
	var classes []string
	for range min(n.uint(), uint64(len(plain))) {
		classes = append(classes, string(n.take(int(min(n.uint(), uint64(len(plain)))))))
	}
	var frames []LabelledFrame
	var last LabelledFrame
	for len(n.rest) > 0 {
		last.FrameID += int64(n.uint())
		class := n.uint()
		last.LabelID += n.int()
		last.MarkingID += n.int()
		if n.broken || class/2 >= uint64(len(classes)) {
			return nil, errDamaged
		}
		last.Class, last.Share = classes[class/2], []string{TrainShare, TestShare}[class%2]
		frames = append(frames, last)
	}
	if n.broken {
		return nil, errDamaged
	}
	return frames, nil
}

// DatasetDiff is what changed from one data set to another.
type DatasetDiff struct {
	Added   []LabelledFrame // only in the later one, as they are there
	Removed []LabelledFrame // only in the earlier one, as they are there
	Changed []DatasetChange
}

// DatasetChange is a frame that differs between two data sets.
type DatasetChange struct {
	From, To LabelledFrame
}

// Relabelled says that the frame's class is another.
func (c DatasetChange) Relabelled() bool { return c.From.Class != c.To.Class }

// DiffDatasets compares the content of two data sets, both by frame ID. A frame
// whose label was only confirmed by another correction has not changed; one with
// another class, share or marking has.
func DiffDatasets(from, to []LabelledFrame) DatasetDiff {
	var d DatasetDiff
	for len(from) > 0 || len(to) > 0 {
		switch {
		case len(from) == 0 || len(to) > 0 && to[0].FrameID < from[0].FrameID:
			d.Added, to = append(d.Added, to[0]), to[1:]
		case len(to) == 0 || from[0].FrameID < to[0].FrameID:
			d.Removed, from = append(d.Removed, from[0]), from[1:]
		default:
			if a, b := from[0], to[0]; a.Class != b.Class || a.Share != b.Share || a.MarkingID != b.MarkingID {
				d.Changed = append(d.Changed, DatasetChange{From: a, To: b})
			}
			from, to = from[1:], to[1:]
		}
	}
	return d
}
