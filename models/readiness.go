package models

import (
	"context"
	"fmt"

	"loupe/storage"
)

// What training asks of the data. With one picture a class can be told apart
// badly, with ten mostly well (98.9 % on the NEU surface defects).
const (
	leastToStart = 3  // training pictures in each of at least two classes, for a first version
	leastGood    = 10 // of the passing classes, to learn from good parts alone: of twenty labelled ones some are for the test
	// SoundPerClass is how many training pictures of a class let a version judge
	// it well; below that the report warns.
	SoundPerClass = 10
)

// Readiness says whether a recipe can be trained, and what it lacks.
type Readiness struct {
	Ready   bool
	Counts  []storage.ClassCount
	Lacking []Lack
	LeftOut int // labelled frames that the guard leaves out
	// GoodOnly says that the next version learns from good parts alone; Good names
	// its passing class.
	GoodOnly bool
	Good     string
}

// Lack is too little data of one class.
type Lack struct {
	Class string
	Have  int  // training pictures
	Need  int  // to be sound, or to start where Stops
	Stops bool // without more of this class there is no training
}

func (l Lack) String() string {
	return fmt.Sprintf("%s has %d of %d training pictures", l.Class, l.Have, l.Need)
}

// readiness judges the counts of a data set.
func readiness(counts []storage.ClassCount) Readiness {
	r := Readiness{Counts: counts}
	able := 0
	for _, c := range counts {
		if c.Train >= leastToStart {
			able++
		}
	}
	r.Ready = able >= 2
	for _, c := range counts {
		switch {
		case !r.Ready && c.Train < leastToStart:
			r.Lacking = append(r.Lacking, Lack{Class: c.Class, Have: c.Train, Need: leastToStart, Stops: true})
		case c.Train < SoundPerClass:
			r.Lacking = append(r.Lacking, Lack{Class: c.Class, Have: c.Train, Need: SoundPerClass})
		}
	}
	return r
}

// Readiness says whether a recipe can be trained now.
func (l *Learner) Readiness(ctx context.Context, recipeID int64) (Readiness, error) {
	counts, err := l.db.ClassCounts(ctx, recipeID)
	if err != nil {
		return Readiness{}, err
	}
	doubts, err := l.db.CountDoubts(ctx, recipeID)
	if err != nil {
		return Readiness{}, err
	}
	r, err := l.db.Recipe(ctx, recipeID)
	if err != nil {
		return Readiness{}, err
	}
	name, have, only := goodOnly(r, counts)
	if !only {
		ready := readiness(counts)
		ready.LeftOut = doubts.Labelled
		return ready, nil
	}
	ready := Readiness{Counts: counts, GoodOnly: true, Good: name, Ready: have >= leastGood, LeftOut: doubts.Labelled}
	if !ready.Ready {
		ready.Lacking = []Lack{{Class: name, Have: have, Need: leastGood, Stops: true}}
	}
	return ready, nil
}
