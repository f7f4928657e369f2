package onnx_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"loupe/models/onnx"
)

// FuzzReadMetadata reads foreign bytes as a model file: one that names its
// classes and its size, or an error.
func FuzzReadMetadata(f *testing.F) {
	entry := func(key, value string) *onnx.StringStringEntryProto {
		return &onnx.StringStringEntryProto{Key: &key, Value: &value}
	}
	sound, err := proto.Marshal(&onnx.ModelProto{MetadataProps: []*onnx.StringStringEntryProto{entry("loupe.classes", `["good","stain"]`), entry("loupe.size", "224")}})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := onnx.ReadMetadata(sound); err != nil {
		f.Fatal(err)
	}
	f.Add(sound)
	f.Add(sound[:len(sound)/2])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := onnx.ReadMetadata(data); err == nil && (len(m.Classes) == 0 || m.Size == 0) {
			t.Fatalf("taken as %+v", m)
		}
	})
}
