package head

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
)

// Parts is a Source that knows which physical part a frame shows: frames of one
// part never lie in different folds. Of another Source each frame is a part.
type Parts interface {
	Part(i int) string
}

// subset is a Source of some frames of another.
type subset struct {
	Source
	frames []int
}

func (s subset) Len() int        { return len(s.frames) }
func (s subset) Class(i int) int { return s.Source.Class(s.frames[i]) }
func (s subset) Read(i, view int, f *Features) error {
	return s.Source.Read(s.frames[i], view, f)
}

func (s subset) Places(i int) []int8 {
	if h, ok := s.Source.(Hinted); ok {
		return h.Places(s.frames[i])
	}
	return nil
}

func (s subset) Passes(class int) bool {
	h, ok := s.Source.(Hinted)
	return ok && h.Passes(class)
}

// part is a physical part with its frames.
type part struct {
	name   string
	class  int // of its first frame
	order  uint64
	frames []int
}

// partsOf lists the parts of a source by class, then in an order that depends on
// seed and name alone.
func partsOf(source Source, seed uint64) []*part {
	known, _ := source.(Parts)
	byName := map[string]*part{}
	var all []*part
	for i := range source.Len() {
		name := fmt.Sprint("frame ", i)
		if known != nil {
			name = known.Part(i)
		}
		p := byName[name]
		if p == nil {
			sum := fnv.New64a()
			fmt.Fprint(sum, name)
			// Like names have like sums; the generator tells them apart.
			p = &part{name: name, class: source.Class(i), order: rand.NewPCG(sum.Sum64(), seed).Uint64()}
			byName[name], all = p, append(all, p)
		}
		p.frames = append(p.frames, i)
	}
	slices.SortFunc(all, func(a, b *part) int {
		return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.order, b.order), cmp.Compare(a.name, b.name))
	})
	return all
}

// folds deals the frames into n folds, part by part, so that each class is
// shared out evenly. A part that holds all frames of a class is in every fit and
// in no fold, which -1 says.
func folds(source Source, n int, seed uint64) []int {
	all := partsOf(source, seed)
	fold, next := make([]int, source.Len()), 0
	for _, p := range all {
		to := next % n
		next++
		for _, i := range p.frames {
			fold[i] = to
		}
	}
	// Each class must be in what every fold's head is fitted on.
	for {
		in := map[[2]int]bool{} // class and fold with a frame of it
		for i, f := range fold {
			in[[2]int{source.Class(i), f}] = true
		}
		moved := false
		for _, p := range all {
			to := fold[p.frames[0]]
			if to < 0 || !slices.ContainsFunc(p.frames, func(i int) bool { return alone(in, source.Class(i), to, n) }) {
				continue
			}
			for _, i := range p.frames {
				fold[i] = -1
			}
			moved = true
			break
		}
		if !moved {
			return fold
		}
	}
}

// alone says that a class is in one fold and in no other.
func alone(in map[[2]int]bool, class, fold, n int) bool {
	for f := -1; f < n; f++ {
		if f != fold && in[[2]int{class, f}] {
			return false
		}
	}
	return true
}
