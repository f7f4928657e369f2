// Package wire is what the server and its vision workers say to each other
// over NATS: subjects and messages in CBOR (RFC 8949), which carries pictures
// and features as the bytes they are. Judge and extract requests go to one worker,
// the least busy; render requests go to any worker of the queue group.
package wire

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/fxamacker/cbor/v2"

	"loupe/vision"
)

// Protocol counts the incompatible changes of this package. A server leaves a
// worker of another protocol alone and says so.
const Protocol = 1

// Subjects. Those that any worker answers name the protocol, so that no worker
// of another one takes part.
const (
	Heartbeats = "loupe.worker.beat"    // worker → server, each second
	Extract    = "loupe.work.1.extract" // server → queue group Group, where ExtractBy has no answer
	Render     = "loupe.work.1.render"  // server → queue group Group
	Group      = "loupe-workers"
	judge      = "loupe.work.judge."   // + worker ID
	load       = "loupe.work.load."    // + worker ID
	extract    = "loupe.work.extract." // + worker ID
)

// Judge is the subject on which one worker takes frames.
func Judge(worker string) string { return judge + worker }

// ExtractBy is the subject on which one worker computes features; one of an older
// program answers on Extract alone.
func ExtractBy(worker string) string { return extract + worker }

// Load is the subject on which one worker is told to load a model.
func Load(worker string) string { return load + worker }

// Beat is a worker's sign of life, in JSON for good: a server reads those of
// each protocol.
type Beat struct {
	Protocol int      `json:"protocol"`
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Host     string   `json:"host"`
	PID      int      `json:"pid"`
	Version  string   `json:"version"` // of the program
	Engine   string   `json:"engine"`  // that runs its networks, with its version; "" of an older program, which has OpenCV
	Frames   int64    `json:"frames"`  // judged since its start
	Models   []string `json:"models"`  // digests of the loaded models, newest first
	Leaving  bool     `json:"leaving"` // takes no more work
	Mats     int      `json:"mats"`    // OpenCV matrices not closed, −1 where they are not counted
}

// Fault says whose fault it is that there is no result.
type Fault string

const (
	FaultPicture Fault = "picture" // the picture cannot be judged, by no worker
	FaultModel   Fault = "model"   // the model cannot be loaded or run
	FaultBlob    Fault = "blob"    // the blob cannot be read at the moment
	FaultWorker  Fault = "worker"  // the worker failed over it
)

// Trouble is the answer where there is no result.
type Trouble struct {
	Fault  Fault  `json:"fault"`
	Detail string `json:"detail"` // for a person
}

func (t *Trouble) Error() string { return fmt.Sprintf("%s: %s", t.Fault, t.Detail) }

// JudgeRequest asks for one frame's judgement.
type JudgeRequest struct {
	FrameID     int64              `json:"frame"`
	BlobKey     string             `json:"blob"`
	Model       vision.ModelRef    `json:"model"`
	Preparation vision.Preparation `json:"preparation"`
	Classes     []vision.Class     `json:"classes"`
	Thresholds  vision.Thresholds  `json:"thresholds"`
	Spare       bool               `json:"spare"` // nobody waits for it: frames go before it, and no thumbnail is wanted
	Alone       bool               `json:"-"`     // let no other frame share the worker: one died over this frame before
}

// JudgeResult answers a JudgeRequest.
type JudgeResult struct {
	Judgement vision.Judgement `json:"judgement"`
	Pooled    Floats           `json:"pooled"`
	Thumb     []byte           `json:"thumb"` // JPEG, at most 320 pixels wide and high
	Worker    string           `json:"worker"`
	Trouble   *Trouble         `json:"trouble,omitempty"`
}

// ExtractRequest asks for a frame's features.
type ExtractRequest struct {
	BlobKey     string             `json:"blob"`
	Model       vision.ModelRef    `json:"model"` // an extractor file
	Preparation vision.Preparation `json:"preparation"`
}

// ExtractResult answers an ExtractRequest with the outputs of the extractor,
// each flattened row-major.
type ExtractResult struct {
	Stride8  Floats   `json:"stride8"`
	Stride16 Floats   `json:"stride16"`
	Stride32 Floats   `json:"stride32"`
	Pooled   Floats   `json:"pooled"`
	Trouble  *Trouble `json:"trouble,omitempty"`
}

// RenderRequest asks for an upright JPEG copy.
type RenderRequest struct {
	BlobKey     string `json:"blob"`
	Orientation int    `json:"orientation"`
	MaxSide     int    `json:"max_side"` // pixels
	Quality     int    `json:"quality"`  // JPEG, 1–100
	// Measure asks for the quality of the region; a worker of an older Loupe
	// does not answer it.
	Measure bool          `json:"measure,omitempty"`
	Region  vision.Region `json:"region,omitzero"`
}

// RenderResult answers a RenderRequest.
type RenderResult struct {
	JPEG    []byte          `json:"jpeg"`
	Width   int             `json:"width"`
	Height  int             `json:"height"`
	Quality *vision.Quality `json:"quality,omitempty"`
	Trouble *Trouble        `json:"trouble,omitempty"`
}

// LoadRequest tells a worker to have a model ready.
type LoadRequest struct {
	Model vision.ModelRef `json:"model"`
}

// LoadResult answers a LoadRequest.
type LoadResult struct {
	Trouble *Trouble `json:"trouble,omitempty"`
}

// Marshal writes a message.
func Marshal(message any) ([]byte, error) { return cbor.Marshal(message) }

// Unmarshal reads a message.
func Unmarshal(data []byte, into any) error { return cbor.Unmarshal(data, into) }

// Floats travels as little-endian float32 bytes.
type Floats []float32

// MarshalBinary implements encoding.BinaryMarshaler.
func (f Floats) MarshalBinary() ([]byte, error) {
	b := make([]byte, 4*len(f))
	for i, v := range f {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
	}
	return b, nil
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (f *Floats) UnmarshalBinary(b []byte) error {
	if len(b)%4 != 0 {
		return fmt.Errorf("floats: %d bytes are no whole number of values", len(b))
	}
	*f = make(Floats, len(b)/4)
	for i := range *f {
		(*f)[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return nil
}
