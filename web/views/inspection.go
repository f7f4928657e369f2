package views

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"sort"
	"strconv"
	"time"

	"loupe/storage"
	"loupe/vision"
	"loupe/web/ui"
)

const similarShown = 5

// Inspection is the page of one inspection; query is the filter in which next
// and previous move.
func (s *Source) Inspection(ctx context.Context, id int64, query url.Values) (ui.InspectionView, error) {
	i, err := s.DB.Inspection(ctx, id)
	if err != nil {
		return ui.InspectionView{}, err
	}
	v, r, err := s.frame(ctx, i.Frame)
	if err != nil {
		return v, err
	}
	v.Part, v.Judged, v.Timings, v.Worker = s.part(r, i), true, i.Timings, i.Worker
	if v.PictureRemoved.IsZero() {
		for _, p := range i.Probabilities {
			v.Heat = append(v.Heat, p.Class)
		}
	}
	f := InspectionFilter(query, s.location())
	if len(query) == 0 {
		f.StationID = i.StationID
	}
	v.Filter, v.FilterText = query.Encode(), filterText(query)
	v.Newer, v.Older, err = s.DB.Neighbours(ctx, f, id)
	return v, err
}

// Frame is the page of a frame that was never judged.
func (s *Source) Frame(ctx context.Context, id int64) (ui.InspectionView, error) {
	f, err := s.DB.Frame(ctx, id)
	if err != nil {
		return ui.InspectionView{}, err
	}
	v, r, err := s.frame(ctx, f)
	v.Part = ui.Part{FrameID: f.ID, Width: f.Width, Height: f.Height, Serial: f.Serial, Lot: f.Lot, Label: mark(r, f.Label), LabelID: f.LabelID}
	return v, err
}

// frame fills what a page shows of a frame, judged or not.
func (s *Source) frame(ctx context.Context, f storage.Frame) (ui.InspectionView, storage.Recipe, error) {
	v := ui.InspectionView{
		TakenAt: f.TakenAt.In(s.location()), Format: f.Format, Bytes: f.Bytes, Source: f.Source, Share: f.Share, Now: s.Now(),
	}
	if !f.PictureRemovedAt.IsZero() {
		v.PictureRemoved = f.PictureRemovedAt.In(s.location())
	}
	r, err := s.DB.Recipe(ctx, f.RecipeID)
	if err != nil {
		return v, r, err
	}
	v.Recipe, v.Classes, v.Region, v.Thresholds = named(r), r.Classes, r.Region, r.Thresholds
	if f.State == storage.Quarantined {
		v.Trouble = f.Trouble
	}
	if f.StationID != 0 {
		st, err := s.DB.Station(ctx, f.StationID)
		if err != nil {
			return v, r, err
		}
		v.Station, v.Line = st.Name, st.Line
	}
	for name, value := range f.Readings {
		v.Readings = append(v.Readings, ui.Reading{Name: name, Value: reading(value)})
	}
	sort.Slice(v.Readings, func(i, j int) bool { return v.Readings[i].Name < v.Readings[j].Name })
	markings, err := s.DB.Markings(ctx, f.ID)
	if err != nil {
		return v, r, err
	}
	if n := len(markings); n > 0 {
		v.Marks = len(markings[n-1].Marks)
	}
	history, err := s.DB.Corrections(ctx, f.ID)
	if err != nil {
		return v, r, err
	}
	for _, c := range history {
		v.History = append(v.History, ui.Said{Person: c.Person, Class: mark(r, c.Class), Source: c.Source, Note: c.Note, At: c.At.In(s.location())})
	}
	// Without a worker there are no similar frames; the page is of use all the same.
	quick, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if similar, err := s.Similar.Similar(quick, f.ID, similarShown); err == nil {
		for _, o := range similar {
			v.Similar = append(v.Similar, ui.SimilarFrame{FrameID: o.FrameID, Label: mark(r, o.Class), Similarity: o.Similarity})
		}
	}
	return v, r, nil
}

func reading(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'g', 6, 64)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

// InspectionFilter reads the filter of a list of inspections from a query.
// What cannot be read does not narrow it.
func InspectionFilter(q url.Values, zone *time.Location) storage.InspectionFilter {
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(q.Get(name), 10, 64)
		return n
	}
	f := storage.InspectionFilter{
		StationID: number("station"), RecipeID: number("recipe"), VersionID: number("judged_by"), Verdict: vision.Verdict(q.Get("verdict")),
		Class: q.Get("class"), Label: q.Get("label"), Lot: q.Get("lot"), Serial: q.Get("serial"), Unlabelled: q.Get("status") == "unsure" || q.Get("status") == "unlabelled",
	}
	if q.Get("status") == "unsure" {
		f.Verdict = vision.Unsure
	}
	f.From, f.To = day(q.Get("from"), zone, 0), day(q.Get("to"), zone, 1)
	return f
}

// day reads a date and adds some days; the zero time where it is none.
func day(text string, zone *time.Location, add int) time.Time {
	t, err := time.ParseInLocation("2006-01-02", text, zone)
	if err != nil {
		return time.Time{}
	}
	return t.AddDate(0, 0, add)
}

func filterText(q url.Values) string {
	text := ""
	for _, name := range []string{"verdict", "class", "status", "lot", "serial", "from", "to"} {
		if v := q.Get(name); v != "" {
			if text != "" {
				text += " · "
			}
			text += v
		}
	}
	return text
}
