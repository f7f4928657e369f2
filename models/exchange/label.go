package exchange

import (
	"fmt"
	"slices"

	"loupe/storage"
)

// Ways to choose the one class of a picture with several regions.
const (
	ByLargest = "largest" // the class of the largest box
	ByFirst   = "first"   // the class of the first in the file
)

// Rule is how pictures get their one class where the folder does not say it.
type Rule struct {
	By         string            // ByLargest or ByFirst
	Background string            // class of the pictures without a region
	Pass       func(string) bool // the class passes: a region of a failing class goes before one of a passing class
}

// Label gives each picture its class: of its regions those of failing classes go
// first, of these the largest box or the first. An error says how many pictures
// have none and no background class to take.
func (s *Set) Label(r Rule) error {
	without, example := 0, ""
	for i := range s.Pictures {
		p := &s.Pictures[i]
		switch {
		case p.Class != "":
		case len(p.Marks) > 0:
			p.Class = r.class(p.Marks)
		case r.Background != "":
			p.Class = r.Background
		default:
			without++
			example = p.File
		}
	}
	if without > 0 {
		return fmt.Errorf("%d pictures have no region, such as %s: say which class they are of with --background CLASS", without, example)
	}
	return nil
}

func (r Rule) class(marks []storage.Mark) string {
	best, area, fails := "", -1.0, false
	for _, m := range marks {
		failing, size := !r.Pass(m.Class), m.Box[2]*m.Box[3]
		if best == "" || failing && !fails || failing == fails && r.By != ByFirst && size > area {
			best, area, fails = m.Class, size, failing
		}
	}
	return best
}

// Classes lists the classes that occur: first those of the format in its order,
// then others by name.
func (s *Set) Classes() []string {
	seen := map[string]bool{}
	for _, p := range s.Pictures {
		seen[p.Class] = true
		for _, m := range p.Marks {
			seen[m.Class] = true
		}
	}
	var names, others []string
	for _, name := range s.Names {
		if seen[name] {
			names = append(names, name)
			delete(seen, name)
		}
	}
	for name := range seen {
		if name != "" {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	return append(names, others...)
}
