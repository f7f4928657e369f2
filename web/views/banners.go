package views

import (
	"context"
	"slices"
	"time"

	"loupe/storage"
	"loupe/vision/pool"
	"loupe/web/ui"
)

// backlogFrom is how many waiting frames are pointed out.
const backlogFrom = 50

// workerLostFor is how long a lost worker is pointed out while others go on.
const workerLostFor = 2 * time.Minute

// startTime is how long workers may take to come up after a start.
const startTime = 10 * time.Second

// WorkerUp and WorkerLost keep track of the workers for the banners.
func (s *Source) WorkerUp(w pool.Worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alive, s.noneAt = true, time.Time{}
	clear(s.lost) // a local worker comes back under another name
}

// WorkerLost notes that a worker is gone.
func (s *Source) WorkerLost(w pool.Worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost == nil {
		s.lost = map[string]time.Time{}
	}
	s.lost[w.Name] = s.DB.Now()
}

// DiskFull notes whether the disk is full.
func (s *Source) DiskFull(full bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !full:
		s.full = time.Time{}
	case s.full.IsZero():
		s.full = s.DB.Now()
	}
}

// Banners are what is abnormal in the plant now.
func (s *Source) Banners(ctx context.Context) ([]ui.Banner, error) {
	all := s.workerBanners()
	stations, err := s.DB.Stations(ctx)
	if err != nil {
		return all, err
	}
	posted := map[int64]bool{}
	for _, st := range stations {
		posted[st.RecipeID] = posted[st.RecipeID] || !st.LastSeenAt.IsZero()
		last, err := s.DB.Inspections(ctx, storage.InspectionFilter{StationID: st.ID}, 0, 20)
		if err != nil {
			return all, err
		}
		if state, since := s.state(st, last); state == ui.StationLost {
			all = append(all, ui.Banner{Kind: ui.BannerStationLost, Name: st.Name, Since: since})
		}
	}
	drifts, err := s.DB.OpenDrifts(ctx)
	if err != nil {
		return all, err
	}
	for _, a := range drifts {
		if a.SeenBy == "" {
			all = append(all, ui.Banner{Kind: ui.BannerDrift, Name: a.Station, Since: a.Since.In(s.location()), Causes: a.Causes})
		}
	}
	totals, err := s.DB.Waiting(ctx)
	if err != nil {
		return all, err
	}
	if totals.Pending > backlogFrom {
		all = append(all, ui.Banner{Kind: ui.BannerBacklog, Count: totals.Pending})
	}
	if totals.Quarantined > 0 {
		all = append(all, ui.Banner{Kind: ui.BannerQuarantine, Count: totals.Quarantined})
	}
	recipes, err := s.DB.Recipes(ctx)
	for _, r := range recipes {
		if r.ChampionID == 0 && posted[r.ID] {
			all = append(all, ui.Banner{Kind: ui.BannerNoModel, Name: r.Name})
		}
	}
	return all, err
}

func (s *Source) workerBanners() []ui.Banner {
	live := slices.DeleteFunc(slices.Clone(s.Workers()), func(w pool.Worker) bool { return w.Refused != "" })
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.DB.Now()
	var all []ui.Banner
	if !s.full.IsZero() {
		all = append(all, ui.Banner{Kind: ui.BannerDiskFull, Since: s.full.In(s.location())})
	}
	if len(live) == 0 {
		if s.noneAt.IsZero() {
			s.noneAt = now
		}
		if s.alive || now.Sub(s.StartedAt) > startTime {
			all = append(all, ui.Banner{Kind: ui.BannerNoWorkers, Since: s.noneAt.In(s.location())})
		}
		return all
	}
	s.noneAt = time.Time{}
	for name, at := range s.lost {
		if now.Sub(at) > workerLostFor {
			delete(s.lost, name)
			continue
		}
		all = append(all, ui.Banner{Kind: ui.BannerWorkerLost, Name: name, Since: at.In(s.location())})
	}
	return all
}
