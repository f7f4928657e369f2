// Package views fills the view models of web/ui from what is stored. It knows
// the database and the words of the pages, and no HTTP.
package views

import (
	"context"
	"sync"
	"time"

	"loupe/models"
	"loupe/storage"
	"loupe/vision"
	"loupe/vision/pool"
	"loupe/web/ui"
)

// Source is where views come from.
type Source struct {
	DB        *storage.DB
	Learner   *models.Learner
	Watch     *models.Watch
	Similar   *models.PooledCache
	Workers   func() []pool.Worker
	Location  *time.Location // of the plant
	StartedAt time.Time      // of the server: nothing counts as lost before it could be heard

	mu     sync.Mutex
	lost   map[string]time.Time // workers that are gone, by name
	full   time.Time            // since when the disk is full
	alive  bool                 // a worker was there at some time
	noneAt time.Time            // since when there is none
}

// Now is the time in the plant's zone.
func (s *Source) Now() time.Time { return s.DB.Now().In(s.location()) }

func (s *Source) location() *time.Location {
	if s.Location == nil {
		return time.Local
	}
	return s.Location
}

// shiftHours are when shifts start, the latest first.
var shiftHours = []int{22, 14, 6}

// Shift is the shift that is under way: from 6, 14 and 22 o'clock.
func (s *Source) Shift(ctx context.Context) ui.Shift {
	now := s.Now()
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	for _, hour := range shiftHours {
		if from := day.Add(time.Duration(hour) * time.Hour); !now.Before(from) {
			return ui.Shift{Name: ui.ShiftName(ctx, hour), From: from}
		}
	}
	return ui.Shift{Name: ui.ShiftName(ctx, shiftHours[0]), From: day.Add(-2 * time.Hour)}
}

func named(r storage.Recipe) ui.NamedRecipe {
	return ui.NamedRecipe{ID: r.ID, Name: r.Name, Demo: r.Demo}
}

// mark finds a class in use or archived by name; a grey one where it is neither.
func mark(r storage.Recipe, name string) vision.Class {
	if name == "" {
		return vision.Class{}
	}
	if name == vision.Unseen {
		return vision.Class{Name: name, Color: ui.UnseenColor}
	}
	for _, all := range [][]vision.Class{r.Classes, r.Archived} {
		for _, c := range all {
			if c.Name == name {
				return c
			}
		}
	}
	return vision.Class{Name: name, Color: "#7d8a90"}
}

func (s *Source) part(r storage.Recipe, i storage.Inspection) ui.Part {
	return ui.Part{
		FrameID: i.FrameID, InspectionID: i.ID, Verdict: i.Verdict, Class: mark(r, i.Class), Score: i.Score,
		Probabilities: i.Probabilities, Findings: i.Findings, Novelty: i.Novelty, Reason: i.Reason, Width: i.Frame.Width, Height: i.Frame.Height,
		Serial: i.Frame.Serial, Lot: i.Frame.Lot, At: i.JudgedAt.In(s.location()), Version: i.VersionNumber,
		Label: mark(r, i.Label), LabelID: i.Frame.LabelID, Reasons: i.Reasons,
	}
}

// Part is one inspection as the pages show it.
func (s *Source) Part(ctx context.Context, i storage.Inspection) (ui.Part, error) {
	r, err := s.DB.Recipe(ctx, i.RecipeID)
	return s.part(r, i), err
}

// recipes maps the recipes in use by ID.
func (s *Source) recipes(ctx context.Context) (map[int64]storage.Recipe, []storage.Recipe, error) {
	all, err := s.DB.Recipes(ctx)
	byID := make(map[int64]storage.Recipe, len(all))
	for _, r := range all {
		byID[r.ID] = r
	}
	return byID, all, err
}

func namedAll(all []storage.Recipe) []ui.NamedRecipe {
	out := make([]ui.NamedRecipe, len(all))
	for i, r := range all {
		out[i] = named(r)
	}
	return out
}

// Lines lists the names of the lines that have a station.
func (s *Source) Lines(ctx context.Context) ([]string, error) {
	stations, err := s.DB.Stations(ctx)
	var lines []string
	for _, st := range stations {
		if st.Line != "" && (len(lines) == 0 || lines[len(lines)-1] != st.Line) {
			lines = append(lines, st.Line)
		}
	}
	return lines, err
}
