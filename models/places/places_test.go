package places

import (
	"slices"
	"strings"
	"testing"

	"loupe/models/head"
	"loupe/storage"
	"loupe/vision"
)

var classes = []string{"good", "scratch", "dent"}

// text draws places: . is clear, ? unknown, else the index of a class.
func text(shows []int8, side int) string {
	var b strings.Builder
	for i, v := range shows {
		if i > 0 && i%side == 0 {
			b.WriteByte('\n')
		}
		b.WriteByte(map[int8]byte{head.Clear: '.', head.Unknown: '?', 0: '0', 1: '1', 2: '2'}[v])
	}
	return b.String()
}

func TestMarksBecomePlaces(t *testing.T) {
	whole := vision.Region{}
	thin := make([]int, 0, 3)
	thin = append(thin, 80*40+18, 2, 80*80-80*40-20) // two pixels in column 40, rows 18 and 19 of 80
	for name, c := range map[string]struct {
		marks  []storage.Mark
		region vision.Region
		want   string
	}{
		"a box": {[]storage.Mark{{Class: "scratch", Shape: storage.BoxShape, Box: [4]float64{.25, .25, .25, .125}}}, whole,
			"........\n.????...\n.?11?...\n.????...\n........\n........\n........\n........"},
		"a box in a region that is judged alone": {[]storage.Mark{{Class: "dent", Shape: storage.BoxShape, Box: [4]float64{.5, .5, .0625, .0625}}}, vision.Region{X: .5, Y: .5, W: .5, H: .5},
			"2?......\n??......\n........\n........\n........\n........\n........\n........"},
		"outside of the region": {[]storage.Mark{{Class: "dent", Shape: storage.BoxShape, Box: [4]float64{0, 0, .2, .2}}}, vision.Region{X: .5, Y: .5, W: .5, H: .5},
			strings.TrimSuffix(strings.Repeat("........\n", 8), "\n")},
		"a mask thinner than a place": {[]storage.Mark{{Class: "dent", Shape: storage.MaskShape, Box: [4]float64{.5, .1, .01, .02}, Mask: &storage.Mask{Size: [2]int{80, 80}, Counts: thin}}}, whole,
			"...???..\n...?2?..\n...???..\n........\n........\n........\n........\n........"},
		"a triangle": {[]storage.Mark{{Class: "scratch", Shape: storage.PolygonShape, Box: [4]float64{0, 0, .5, .5}, Polygons: [][]float64{{0, 0, .5, 0, 0, .5}}}}, whole,
			"1111?...\n111??...\n11??....\n1??.....\n??......\n........\n........\n........"},
		"a class that the head does not know": {[]storage.Mark{{Class: "rust", Shape: storage.BoxShape, Box: [4]float64{0, 0, .125, .125}}}, whole,
			"??......\n??......\n........\n........\n........\n........\n........\n........"},
	} {
		if got := text(Of(c.marks, classes, c.region, 8), 8); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, c.want)
		}
	}
}

func TestAFrameIsKnownByItsMarks(t *testing.T) {
	dent := []storage.Mark{{Class: "dent", Shape: storage.BoxShape, Box: [4]float64{0, 0, .1, .1}}}
	if all := Labelled("good", true, nil, classes, vision.Region{}, 224); len(all) != 28*28 || slices.ContainsFunc(all, func(v int8) bool { return v != head.Clear }) {
		t.Error("a good frame is not clear")
	}
	if Labelled("dent", false, nil, classes, vision.Region{}, 224) != nil {
		t.Error("something is known of a defect that nobody marked")
	}
	if Labelled("scratch", false, dent, classes, vision.Region{}, 224) != nil || Labelled("good", true, dent, classes, vision.Region{}, 224) != nil {
		t.Error("marks count that another class was given to since")
	}
	if all := Labelled("dent", false, dent, classes, vision.Region{}, 224); all[0] != 2 {
		t.Errorf("the marked place shows %d", all[0])
	}
}
