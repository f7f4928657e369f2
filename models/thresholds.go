package models

import (
	"context"

	"loupe/models/evaluation"
	"loupe/storage"
)

// Suggest finds the thresholds that cost a recipe the least, by its costs and by
// what its champion said about the test share. known is false while there is no
// champion, or no good or no bad test frame.
func Suggest(ctx context.Context, db *storage.DB, r storage.Recipe) (s evaluation.Suggestion, known bool, err error) {
	if r.ChampionID == 0 {
		return s, false, nil
	}
	results, err := db.Results(ctx, r.ChampionID)
	if err != nil || len(results) == 0 {
		return s, false, err
	}
	frames, err := db.DataSet(ctx, r.ID)
	if err != nil {
		return s, false, err
	}
	parts := make(map[int64]string, len(frames)) // a frame that left the data set is a part of its own
	for _, f := range frames {
		parts[f.FrameID] = f.Part
	}
	s, known = evaluation.Suggest(samplesOf(r, results, parts), costsOf(r), r.Thresholds)
	return s, known, nil
}
