// Package models learns: it keeps the backbone, turns corrections into versions,
// judges them on frames that they never saw, and has the champions judge what
// the stations send. It knows neither HTTP nor HTML.
package models

import (
	"crypto/sha256"
	_ "embed" // the backbone
	"encoding/hex"
	"errors"
)

// backboneFile is EfficientNet-Lite0 with ImageNet weights, convolutional part
// only; BACKBONE.md says where it comes from.
//
//go:embed efficientnet_lite0.onnx
var backboneFile []byte

// BackboneSHA256 is the hex digest of the backbone's file.
const BackboneSHA256 = "ebd71544bae0c7fc586233fde73fa15d05b93f60d397fdc0de6c452629dc2a63"

// Backbone gives the backbone's ONNX file; an error when the program was built
// with another one.
func Backbone() ([]byte, error) {
	if sum := sha256.Sum256(backboneFile); hex.EncodeToString(sum[:]) != BackboneSHA256 {
		return nil, errors.New("the embedded backbone is not the one that Loupe was made with: get models/efficientnet_lite0.onnx again")
	}
	return backboneFile, nil
}
