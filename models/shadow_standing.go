package models

import (
	"context"
	"fmt"

	"loupe/models/evaluation"
	"loupe/storage"
	"loupe/vision"
)

// Standing is how a challenger in shadow does against the present champion, by
// the frames that both judged live and that people said the truth about. People
// settle what the two differ on: those frames tell which is better, but not how
// good either is.
type Standing struct {
	Shadow     storage.Shadow        `json:"-"`
	Rule       storage.ShadowRule    `json:"rule"`
	ChampionID int64                 `json:"champion_id"`
	Comparison evaluation.Comparison `json:"comparison"` // N are the settled frames
	Differing  int                   `json:"differing"`  // of all that it judged
	Settled    int                   `json:"settled"`    // of those that differ, against whichever champion
	NotWorse   bool                  `json:"not_worse"`  // by the recipe's rule, and right on as many disagreements
	Enough     bool                  `json:"enough"`     // settled frames for the rule to promote it
	Words      string                `json:"words"`
}

// StandingOf works it out.
func StandingOf(ctx context.Context, db *storage.DB, s storage.Shadow) (Standing, error) {
	st := Standing{Shadow: s, Differing: s.Differing}
	r, err := db.Recipe(ctx, s.RecipeID)
	if err != nil {
		return st, err
	}
	st.ChampionID = r.ChampionID
	if st.Rule, err = db.ShadowRule(ctx, r.ID); err != nil {
		return st, err
	}
	if st.Settled, err = db.SettledDisagreements(ctx, s.ID); err != nil {
		return st, err
	}
	all, err := db.SettledShadow(ctx, s.ID, r.ChampionID)
	if err != nil {
		return st, err
	}
	var champion, challenger []evaluation.Sample
	for _, i := range all {
		champion = append(champion, opinionSample(r, i, i.Champion))
		challenger = append(challenger, opinionSample(r, i, i.Challenger))
	}
	c := evaluation.Compare(champion, challenger, costsOf(r))
	st.Comparison, st.Enough = c, c.N >= st.Rule.Settled
	names := r.ClassNames()
	st.NotWorse, st.Words = ruleOf(r).NotWorse(evaluation.Evaluate(names, champion), evaluation.Evaluate(names, challenger), &c)
	if st.NotWorse && c.OnlyCandidate < c.OnlyChampion {
		st.NotWorse = false
		st.Words = "the champion is right on more of the settled disagreements; " + c.Words()
	}
	if !st.Enough {
		st.Words = fmt.Sprintf("people settled %d of the %d frames that the rule asks for; %s", c.N, st.Rule.Settled, st.Words)
	}
	return st, nil
}

func opinionSample(r storage.Recipe, i storage.ShadowInspection, o storage.Opinion) evaluation.Sample {
	truth, _ := r.Class(i.Label)
	top, _ := r.Class(o.Class)
	return evaluation.Sample{
		Truth: i.Label, Predicted: o.Class, Fail: o.Fail, Score: o.Score, Pass: truth.Pass, TopPasses: top.Pass,
		PassedOK: o.Verdict == vision.OK, Unsure: o.Verdict == vision.Unsure, Part: i.Part, Frame: i.FrameID,
	}
}

// StartShadow has a version judge live frames beside the champion, without speaking.
func (r *Registry) StartShadow(ctx context.Context, by string, versionID int64) (storage.Shadow, error) {
	if _, err := r.ModelFile(ctx, versionID); err != nil {
		return storage.Shadow{}, err
	}
	s, err := r.db.StartShadow(ctx, by, versionID)
	if err != nil {
		return s, err
	}
	_, err = r.ModelFile(ctx, versionID) // cleared away before it was a challenger
	return s, err
}

// shadowByRule starts the shadow of a version that waits, where its recipe says so.
func (r *Registry) shadowByRule(ctx context.Context, v storage.Version) error {
	rule, err := r.db.ShadowRule(ctx, v.RecipeID)
	if err != nil || !rule.Auto {
		return err
	}
	_, err = r.StartShadow(ctx, byRule, v.ID)
	if storage.CodeOf(err) == storage.Conflict { // another judges, or nothing does
		return nil
	}
	return err
}
