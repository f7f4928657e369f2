package wire_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"loupe/vision"
	"loupe/vision/wire"
)

func TestFloatsArriveBitForBit(t *testing.T) {
	for _, f := range []wire.Floats{nil, {}, {0}, {1.5, -2.25, float32(math.Copysign(0, -1))}, {math.MaxFloat32, math.SmallestNonzeroFloat32, float32(math.Inf(-1)), math.Float32frombits(0x7fc00001)}} {
		data, err := wire.Marshal(wire.ExtractResult{Pooled: f})
		if err != nil {
			t.Fatal(err)
		}
		var back wire.ExtractResult
		if err := wire.Unmarshal(data, &back); err != nil || len(back.Pooled) != len(f) {
			t.Fatalf("%v came as %v, %v", f, back.Pooled, err)
		}
		for i := range f {
			if math.Float32bits(f[i]) != math.Float32bits(back.Pooled[i]) {
				t.Errorf("%v came as %v", f[i], back.Pooled[i])
			}
		}
	}
}

func TestFloatsThatAreNoneAreAnError(t *testing.T) {
	for n := range 8 {
		data, err := cbor.Marshal(map[string][]byte{"pooled": make([]byte, n)})
		if err != nil {
			t.Fatal(err)
		}
		var r wire.ExtractResult
		if err := wire.Unmarshal(data, &r); (err == nil) != (n%4 == 0) {
			t.Errorf("%d bytes give %v, %v", n, r.Pooled, err)
		}
	}
}

// A worker of another protocol must not take a request that it may misread.
func TestSharedSubjectsNameTheProtocol(t *testing.T) {
	for _, subject := range []string{wire.Extract, wire.Render} {
		if !strings.Contains(subject, fmt.Sprintf(".%d.", wire.Protocol)) {
			t.Errorf("%s does not name protocol %d", subject, wire.Protocol)
		}
	}
	if wire.Judge("a") == wire.Load("a") || wire.Judge("a") == wire.Judge("b") {
		t.Error("two workers or two requests share a subject")
	}
}

func TestPooledFeaturesAndTheDispatchersOrderTravelOutsideTheJudgement(t *testing.T) {
	data, err := wire.Marshal(wire.JudgeResult{Judgement: vision.Judgement{Pooled: []float32{1, 2}}, Pooled: wire.Floats{3}})
	if err != nil {
		t.Fatal(err)
	}
	var r wire.JudgeResult
	if err := wire.Unmarshal(data, &r); err != nil || len(r.Judgement.Pooled) != 0 || len(r.Pooled) != 1 || r.Pooled[0] != 3 {
		t.Errorf("%s came as %+v, %v", data, r, err)
	}
	if data, err = wire.Marshal(wire.JudgeRequest{Alone: true}); err != nil || bytes.Contains(data, []byte("lone")) {
		t.Errorf("%s, %v", data, err)
	}
}

// FuzzWire parses what arrives over NATS as each message. What it takes must
// be sent on and taken again, the same.
func FuzzWire(f *testing.F) {
	for _, m := range []any{
		wire.JudgeRequest{BlobKey: "k", Model: vision.ModelRef{Classes: []string{"a"}}, Classes: []vision.Class{{Name: "a"}}},
		wire.JudgeResult{Pooled: wire.Floats{1, 2}, Thumb: []byte("x"), Trouble: &wire.Trouble{Fault: wire.FaultBlob}}, wire.ExtractRequest{}, wire.ExtractResult{Stride8: wire.Floats{1}},
		wire.RenderRequest{MaxSide: 320}, wire.RenderResult{JPEG: []byte("x")}, wire.LoadRequest{Model: vision.ModelRef{Size: 224}}, wire.LoadResult{},
	} {
		data, err := wire.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	for _, odd := range []any{map[string]any{"pooled": []byte("AAA")}, map[string]any{"heat": map[string]any{"w": -1, "h": 1e99}}, map[string]any{"stride8": []int{1}}} {
		data, err := cbor.Marshal(odd)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, pair := range [][2]any{
			{&wire.JudgeRequest{}, &wire.JudgeRequest{}}, {&wire.JudgeResult{}, &wire.JudgeResult{}},
			{&wire.ExtractRequest{}, &wire.ExtractRequest{}}, {&wire.ExtractResult{}, &wire.ExtractResult{}}, {&wire.RenderRequest{}, &wire.RenderRequest{}},
			{&wire.RenderResult{}, &wire.RenderResult{}}, {&wire.LoadRequest{}, &wire.LoadRequest{}}, {&wire.LoadResult{}, &wire.LoadResult{}},
		} {
			if wire.Unmarshal(data, pair[0]) != nil {
				continue
			}
			first, err := wire.Marshal(pair[0])
			if err != nil {
				t.Fatalf("%T was taken but cannot be sent on: %v", pair[0], err)
			}
			if err := wire.Unmarshal(first, pair[1]); err != nil {
				t.Fatalf("%T is not understood: %v: %s", pair[0], err, first)
			}
			if second, err := wire.Marshal(pair[1]); err != nil || !bytes.Equal(first, second) {
				t.Fatalf("%T changed on its way: %s, then %s", pair[0], first, second)
			}
		}
	})
}
