package vision

import "slices"

// Unseen names what is unlike all training frames: as a Finding's class, as the
// failing class of a version that knows good parts only, and as a Judgement's
// reason. No class of a recipe may be called so.
const Unseen = "unlike anything seen"

// NoveltyMap says for each place of the judged region how unlike the training
// frames it is; 1 is where what is known ends. Row-major.
type NoveltyMap struct {
	H, W int
	Data []float32
}

// scaled brings the map to another size by repeating its places.
func (m NoveltyMap) scaled(h, w int) []float32 {
	out := make([]float32, h*w)
	for i := range out {
		out[i] = m.Data[i/w*m.H/h*m.W+i%w*m.W/w]
	}
	return out
}

// Doubt makes a judgement Unsure whose novelty is 1 or more, or is no number,
// whatever the classes' probabilities are: they tell known classes apart and know
// no other. It says why, and where by a first finding and a layer of the heat map.
// A version of good parts only has judged by the novelty itself: it is only told why.
func (j *Judgement) Doubt(novelty float64, m NoveltyMap, region Region, width, height int) {
	j.Novelty = novelty
	if !(novelty >= 0 && novelty <= mostNovel) { // also what is no number, which no column and no JSON takes
		j.Novelty = mostNovel
	}
	if slices.ContainsFunc(j.Probabilities, func(p Probability) bool { return p.Class == Unseen }) {
		if j.Verdict != OK {
			j.Reason = Unseen
		}
		return
	}
	if Known(novelty) {
		return
	}
	j.Verdict, j.Reason = Unsure, Unseen
	score := j.Novelty / (1 + j.Novelty)
	l := Logits{Classes: []string{"", Unseen}, H: m.H, W: m.W}
	for _, v := range m.Data {
		l.Data = append(l.Data, -v)
	}
	l.Data = append(l.Data, m.Data...)
	found := Findings(l, []Probability{{Unseen, 1}}, nil, region, width, height)
	for i := range found {
		found[i].Score = score
	}
	j.Findings = append(found, j.Findings...)
	if len(j.Heat.Data) == 0 {
		return
	}
	j.Heat.Classes = append(slices.Clone(j.Heat.Classes), Unseen)
	for _, v := range m.scaled(j.Heat.H, j.Heat.W) { // from half of what is known up
		j.Heat.Data = append(j.Heat.Data, uint8(255*min(max((v-0.5)/float32(j.Novelty-0.5), 0), 1)))
	}
}

// Known says whether a frame of such a novelty is like the training frames; one
// that is no number is not.
func Known(novelty float64) bool { return novelty >= 0 && novelty < 1 }

// mostNovel bounds a novelty, so that it is a number everywhere.
const mostNovel = 1e6
