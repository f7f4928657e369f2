package ui

import (
	"context"
	"time"

	"loupe/storage"
)

// KeepingPlanView is what a rule for keeping pictures would do now.
type KeepingPlanView struct {
	Kinds   []storage.PictureSum // with times in the plant's zone
	Over    int64                // bytes over the limit that the rule protects
	Refused string               // why the rule is none, "" where it is one
}

func pictureKind(ctx context.Context, k storage.PictureKind) string {
	switch k {
	case storage.OrdinaryPicture:
		return T(ctx, "keep.kind.ordinary")
	case storage.DoubtfulPicture:
		return T(ctx, "keep.kind.doubtful")
	}
	return T(ctx, "keep.kind.labelled")
}

// TrainingGone is what is left of the pictures that a version was trained on.
type TrainingGone struct {
	Removed, All int
	Last         time.Time
}
