package web

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"loupe/storage"
	"loupe/vision"
)

// inspectionAnswer is an inspection as the API shows it.
type inspectionAnswer struct {
	ID            int64              `json:"id"`
	FrameID       int64              `json:"frame_id"`
	Station       string             `json:"station"`
	Version       int                `json:"version"`
	Verdict       vision.Verdict     `json:"verdict"`
	Class         string             `json:"class"`
	Score         float64            `json:"score"`
	Probabilities map[string]float64 `json:"probabilities"`
	Findings      []vision.Finding   `json:"findings"`
	Novelty       float64            `json:"novelty"`
	Reason        string             `json:"reason,omitempty"`
	HeatURL       string             `json:"heat_url"`
	Timings       vision.Timings     `json:"timings_ms"`
	Serial        string             `json:"serial,omitempty"`
	Lot           string             `json:"lot,omitempty"`
	Label         string             `json:"label,omitempty"`
	Quality       *vision.Quality    `json:"quality,omitempty"`
	Reasons       []reasonAnswer     `json:"reasons,omitempty"` // why it is kept out of training, or was

	PictureRemovedAt time.Time `json:"picture_removed_at,omitzero"`
	TakenAt          time.Time `json:"taken_at"`
	JudgedAt         time.Time `json:"judged_at"`
}

func (w *Server) inspectionJSON(ctx context.Context, i storage.Inspection) (inspectionAnswer, error) {
	a := inspectionAnswer{
		ID: i.ID, FrameID: i.FrameID, Version: i.VersionNumber, Verdict: i.Verdict, Class: i.Class, Score: i.Score,
		Probabilities: map[string]float64{}, Findings: i.Findings, Novelty: i.Novelty, Reason: i.Reason, HeatURL: fmt.Sprintf("/api/v1/inspections/%d/heat", i.ID),
		Timings: i.Timings, Serial: i.Frame.Serial, Lot: i.Frame.Lot, Label: i.Label, TakenAt: i.Frame.TakenAt, JudgedAt: i.JudgedAt,
		PictureRemovedAt: i.Frame.PictureRemovedAt, Quality: i.Quality, Reasons: reasonsJSON(ctx, i.Reasons),
	}
	if a.Findings == nil {
		a.Findings = []vision.Finding{}
	}
	for _, p := range i.Probabilities {
		a.Probabilities[p.Class] = p.P
	}
	if i.StationID != 0 {
		st, err := w.DB.Station(ctx, i.StationID)
		if err != nil {
			return a, err
		}
		a.Station = st.Name
	}
	return a, nil
}

// inspectionOf reads the inspection of a request; a station sees its own only.
func (w *Server) inspectionOf(c echo.Context) (storage.Inspection, error) {
	id, err := idOf(c)
	if err != nil {
		return storage.Inspection{}, err
	}
	i, err := w.DB.Inspection(c.Request().Context(), id)
	if err != nil {
		return i, err
	}
	if st, ok := c.Get(stationKey).(storage.Station); ok && i.StationID != st.ID {
		return i, &storage.Error{Code: storage.NotFound, Message: "this station has no such inspection"}
	}
	return i, nil
}

func (w *Server) getInspection(c echo.Context) error {
	i, err := w.inspectionOf(c)
	if err != nil {
		return err
	}
	answer, err := w.inspectionJSON(c.Request().Context(), i)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, answer)
}

const (
	pageLength  = 50
	longestPage = 500
)

// listInspections gives a page of inspections, newest first.
func (w *Server) listInspections(c echo.Context) error {
	f, before, limit, err := listQuery(c.QueryParams())
	if err != nil {
		return err
	}
	if st, ok := c.Get(stationKey).(storage.Station); ok {
		f.StationID = st.ID
	}
	all, err := w.DB.Inspections(c.Request().Context(), f, before, limit)
	if err != nil {
		return err
	}
	answer := struct {
		Inspections []inspectionAnswer `json:"inspections"`
		Next        string             `json:"next,omitempty"` // cursor of the page after this
	}{Inspections: []inspectionAnswer{}}
	for _, i := range all {
		a, err := w.inspectionJSON(c.Request().Context(), i)
		if err != nil {
			return err
		}
		answer.Inspections = append(answer.Inspections, a)
	}
	if len(all) == limit {
		answer.Next = cursor(all[limit-1].ID)
	}
	return c.JSON(http.StatusOK, answer)
}

func cursor(id int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte("i" + strconv.FormatInt(id, 10)))
}

func readCursor(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil && bytes.HasPrefix(b, []byte("i")) {
		if id, err := strconv.ParseInt(string(b[1:]), 10, 64); err == nil && id > 0 {
			return id, nil
		}
	}
	return 0, refuse(http.StatusUnprocessableEntity, "cursor", "the cursor is not one that this server gave")
}

func listQuery(q url.Values) (f storage.InspectionFilter, before int64, limit int, err error) {
	wrong := func(name, want string) error {
		return refuse(http.StatusUnprocessableEntity, name, name+" must be "+want)
	}
	for name, to := range map[string]*int64{"station": &f.StationID, "recipe": &f.RecipeID, "version": &f.VersionID} {
		if text := q.Get(name); text != "" {
			if *to, err = strconv.ParseInt(text, 10, 64); err != nil || *to < 1 {
				return f, 0, 0, wrong(name, "an ID")
			}
		}
	}
	for name, to := range map[string]*time.Time{"from": &f.From, "to": &f.To} {
		if text := q.Get(name); text != "" {
			if *to, err = time.Parse(time.RFC3339Nano, text); err != nil {
				return f, 0, 0, wrong(name, "RFC 3339, such as 2026-01-31T08:15:00Z")
			}
		}
	}
	f.Verdict, f.Class, f.Label, f.Lot, f.Serial = vision.Verdict(q.Get("verdict")), q.Get("class"), q.Get("label"), q.Get("lot"), q.Get("serial")
	switch f.Verdict {
	case "", vision.OK, vision.NG, vision.Unsure:
	default:
		return f, 0, 0, wrong("verdict", "OK, NG or Unsure")
	}
	limit = pageLength
	if text := q.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > longestPage {
			return f, 0, 0, wrong("limit", "1 to 500")
		}
	}
	before, err = readCursor(q.Get("cursor"))
	return f, before, limit, err
}
