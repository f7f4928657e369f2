package ui

import (
	"context"
	"slices"
	"strings"
	"testing"

	"loupe/vision"
)

func TestAVerdictIsExplainedInWords(t *testing.T) {
	classes := []vision.Class{{Name: "good", Pass: true}, {Name: "scratch"}, {Name: "dent"}}
	v := InspectionView{
		Judged: true, Classes: classes, Thresholds: vision.Thresholds{OK: .7, NG: .6},
		Part: Part{
			Verdict: vision.NG, Width: 200, Height: 100, Probabilities: []vision.Probability{{Class: "scratch", P: .8}, {Class: "dent", P: .15}, {Class: "good", P: .05}},
			Findings: []vision.Finding{{Class: "scratch", Box: [4]int{0, 0, 20, 10}}, {Class: "scratch", Box: [4]int{40, 0, 20, 20}}, {Class: "dent", Box: [4]int{0, 0, 200, 100}}},
		},
		Similar: []SimilarFrame{{Label: vision.Class{Name: "scratch"}}, {Label: vision.Class{Name: "dent"}}, {Label: vision.Class{Name: "scratch"}}},
	}
	said := func(lang string) []string { return explain(WithLanguage(context.Background(), lang), v) }
	want := []string{
		"It saw scratch at the upper left, on 3% of the picture.",
		"It is 80% sure of scratch; the next best is dent with 15%.",
		"Of the 3 labelled frames most like it, 2 are scratch.",
		"Defects have 95% together; below 60% it would be Unsure.",
	}
	if got := said("en"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if got := said("zh"); len(got) != 4 || !strings.Contains(got[0], "左上") || !strings.Contains(got[3], "95%") {
		t.Errorf("%q", got)
	}
	v.Part.Verdict, v.Part.Findings, v.Similar = vision.OK, nil, v.Similar[1:2]
	v.Part.Probabilities = []vision.Probability{{Class: "good", P: .9}, {Class: "dent", P: .1}}
	want = []string{
		"No place looks enough like a defect.", "It is 90% sure of good; the next best is dent with 10%.",
		"None of the 1 labelled frames most like it is good: compare them.", "Passing classes have 90% together; below 70% it would be Unsure.",
	}
	if got := said("en"); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	v.Thresholds.OK = .95 // changed since
	if got := said("en"); len(got) != 3 {
		t.Errorf("%q", got)
	}
	v.Part.Verdict = vision.Unsure
	if got := said("en"); got[3] != "Defects have 10% and NG needs 60%; passing classes have 90% and OK needs 95%." {
		t.Errorf("%q", got[3])
	}
	v.Judged = false
	if said("en") != nil {
		t.Error("a frame without a verdict is explained")
	}
}
