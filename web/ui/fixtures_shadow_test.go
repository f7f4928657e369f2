package ui

import (
	"time"

	"loupe/models"
	"loupe/models/evaluation"
	"loupe/storage"
	"loupe/vision"
)

func fixtureComparison() *evaluation.Comparison {
	return &evaluation.Comparison{N: 312, Parts: 290, Paired: evaluation.Paired{BothRight: 293, OnlyChampion: 4, OnlyCandidate: 12, BothWrong: 3, P: .0768},
		Verdicts:         &evaluation.Paired{BothRight: 280, OnlyChampion: 9, OnlyCandidate: 15, BothWrong: 8, P: .31},
		BalancedAccuracy: &evaluation.Interval{Value: .012, Low: -.004, High: .031, N: 312}, Cost: &evaluation.Interval{Value: -1840, Low: -4120, High: 260, N: 312},
		ChampionFrames: []int64{4003, 4011, 4090, 4101}, CandidateFrames: []int64{4004, 4005}}
}

func fixtureShadow() ShadowView {
	v := ShadowView{Recipe: NamedRecipe{ID: 1, Name: "Plate 40-117"}, Version: 8, Number: 8, Champion: 7, MayStart: true, Rule: storage.ShadowRule{Frames: 5000, Days: 14, Settled: 30}, Known: true, State: "judging", Now: now}
	c := fixtureComparison()
	c.N, c.Paired = 24, evaluation.Paired{BothRight: 3, OnlyChampion: 6, OnlyCandidate: 13, BothWrong: 2, P: .167}
	v.Standing = models.Standing{Shadow: storage.Shadow{MostFrames: 5000, Until: now.Add(9 * 24 * time.Hour), Seen: 12480, Judged: 3120, Failed: 2, Differing: 10023, StartedAt: now.Add(-5 * 24 * time.Hour)},
		Rule: v.Rule, Comparison: *c, Differing: 10023, Settled: 24}
	return v
}

func fixtureDisagreements(lang string, empty, settled bool) DisagreementsView {
	classes := classesIn(lang)
	v := DisagreementsView{ShadowView: fixtureShadow(), ShowSettled: settled, Classes: classes}
	if empty {
		return v
	}
	for n := range int64(24) {
		d := Disagreement{Part: fixturePart(4003+11*n, vision.NG, classes), Difference: .93 - float64(n)*.02}
		d.Champion = Opinion{Number: 7, Verdict: vision.OK, Class: classes[0], Score: .961, Fail: .039}
		d.Challenger = Opinion{Number: 8, Verdict: vision.NG, Class: classes[1], Score: .93 - float64(n)*.02, Fail: .969 - float64(n)*.02}
		if n == 1 {
			d.Champion = Opinion{Number: 7, Verdict: vision.Unsure, Class: classes[1], Score: .5, Fail: .52}
		}
		if settled {
			d.Label = classes[n%3]
		}
		v.Frames = append(v.Frames, d)
	}
	v.Next = 99
	return v
}
