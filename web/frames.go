package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"loupe/storage"
)

const (
	maxWait      = 30 * time.Second
	maxField     = 64 << 10 // bytes of a form field other than the picture
	maxFormExtra = 1 << 20  // bytes of a post beside the picture
	longestText  = 200      // bytes of a serial, a lot, a key
)

// postFrame accepts a frame: the gate, the blob, the row, and only then the answer.
func (w *Server) postFrame(c echo.Context) error {
	st, err := w.station(c)
	if err != nil {
		return err
	}
	wait, err := waitOf(c.QueryParam("wait"))
	if err != nil {
		return err
	}
	f, added, err := w.acceptFrame(c, st)
	if err != nil {
		w.metrics.refused(err)
		return err
	}
	if added {
		w.metrics.accepted.Inc()
	}
	if added && wait == 0 {
		return w.answerState(c, f)
	}
	if f.State == storage.Quarantined || f.State == storage.Discarded {
		wait = 0 // sent before, and there will be no verdict
	}
	return w.answerFrame(c, f, wait)
}

// acceptFrame reads, checks and stores a frame. A frame that was sent before is
// given as it is now, and false.
func (w *Server) acceptFrame(c echo.Context, st storage.Station) (storage.Frame, bool, error) {
	leave, err := w.admission.enter(st.ID)
	if err != nil {
		return storage.Frame{}, false, err
	}
	defer leave()
	f, data, err := w.readFrame(c)
	if err != nil {
		return f, false, err
	}
	picture, err := w.Gate.Check(data)
	if err != nil {
		return f, false, err
	}
	f.StationID, f.RecipeID = st.ID, st.RecipeID
	f.Format, f.Bytes, f.Width, f.Height, f.Orientation = picture.Format, int64(len(data)), picture.Width, picture.Height, picture.Orientation
	f, added, err := w.DB.StoreFrame(c.Request().Context(), f, data)
	if err == nil {
		w.views.DiskFull(false)
	}
	return f, added, err
}

// answerFrame waits for the frame's inspection and answers 201 with it, or 202
// and where it will be.
func (w *Server) answerFrame(c echo.Context, f storage.Frame, wait time.Duration) error {
	ctx := c.Request().Context()
	if i, ok := w.waiters.wait(ctx, w.DB, f.ID, wait); ok {
		answer, err := w.inspectionJSON(ctx, i)
		if err != nil {
			return err
		}
		c.Response().Header().Set("Location", fmt.Sprintf("/api/v1/inspections/%d", i.ID))
		return c.JSON(http.StatusCreated, answer)
	}
	if now, err := w.DB.Frame(ctx, f.ID); err == nil {
		f = now // it may have been quarantined or dropped while the station waited
	}
	return w.answerState(c, f)
}

// answerState answers where a frame is that has no inspection.
func (w *Server) answerState(c echo.Context, f storage.Frame) error {
	location := fmt.Sprintf("/api/v1/frames/%d", f.ID)
	c.Response().Header().Set("Location", location)
	reason := f.Trouble
	if f.State == storage.Pending {
		reason = "it waits to be judged"
		if has, err := w.DB.HasChampion(c.Request().Context(), f.RecipeID); err == nil && !has {
			reason = "the recipe has no model yet: label some frames and train it"
		}
	}
	return c.JSON(http.StatusAccepted, frameState{ID: f.ID, State: string(f.State), Reason: reason, Location: location})
}

// frameState answers where there is no inspection yet.
type frameState struct {
	ID           int64  `json:"frame_id"`
	State        string `json:"state"`
	Reason       string `json:"reason,omitempty"`
	Location     string `json:"location,omitempty"`
	InspectionID int64  `json:"inspection_id,omitempty"`
	Label        string `json:"label,omitempty"`

	PictureRemovedAt time.Time `json:"picture_removed_at,omitzero"`
}

func waitOf(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, refuse(http.StatusUnprocessableEntity, "wait", `wait must be a time such as "5s"`)
	}
	return min(d, maxWait), nil
}

// readFrame reads the multipart form as it streams in.
func (w *Server) readFrame(c echo.Context) (storage.Frame, []byte, error) {
	f := storage.Frame{IdempotencyKey: c.Request().Header.Get("Idempotency-Key")}
	if len(f.IdempotencyKey) > longestText {
		return f, nil, refuse(http.StatusUnprocessableEntity, "idempotency_key", "the Idempotency-Key has more than 200 bytes")
	}
	req := c.Request()
	req.Body = http.MaxBytesReader(c.Response(), req.Body, w.Gate.MaxBytes+maxFormExtra)
	form, err := req.MultipartReader()
	if err != nil {
		return f, nil, refuse(http.StatusUnsupportedMediaType, "form", "post the frame as multipart/form-data with the picture in the field image")
	}
	var data []byte
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return f, nil, broken(err)
		}
		if part.FormName() == "image" {
			// One byte more than allowed lets the gate say that it is too much.
			var b bytes.Buffer
			if _, err := b.ReadFrom(io.LimitReader(part, w.Gate.MaxBytes+1)); err != nil {
				return f, nil, broken(err)
			}
			data = b.Bytes()
			continue
		}
		if err := readField(&f, part); err != nil {
			return f, nil, err
		}
	}
	if data == nil {
		return f, nil, refuse(http.StatusUnprocessableEntity, "image_missing", "the form has no picture in the field image")
	}
	return f, data, nil
}

// broken explains a form that could not be read to its end.
func broken(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return err
	}
	return refuse(http.StatusBadRequest, "truncated", "the post ended too early: send it again")
}

func readField(f *storage.Frame, part *multipart.Part) error {
	b, err := io.ReadAll(io.LimitReader(part, maxField+1))
	if err != nil {
		return broken(err)
	}
	name, text := part.FormName(), strings.TrimSpace(string(b))
	if len(b) > maxField {
		return refuse(http.StatusRequestEntityTooLarge, "field_large", "the field "+name+" is too long")
	}
	switch name {
	case "serial", "lot":
		if len(text) > longestText {
			return refuse(http.StatusUnprocessableEntity, name, "the "+name+" has more than 200 bytes")
		}
		if name == "serial" {
			f.Serial = text
		} else {
			f.Lot = text
		}
	case "taken_at":
		if text == "" {
			return nil
		}
		if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
			f.TakenAt = time.UnixMilli(ms)
		} else if f.TakenAt, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return refuse(http.StatusUnprocessableEntity, "taken_at", "taken_at must be RFC 3339, such as 2026-01-31T08:15:00Z, or unix milliseconds")
		}
	case "readings":
		if text == "" {
			return nil
		}
		return readReadings(f, text)
	}
	return nil
}

func readReadings(f *storage.Frame, text string) error {
	wrong := refuse(http.StatusUnprocessableEntity, "readings", `readings must be a JSON object of numbers and strings, such as {"press_kN": 120.5}`)
	if err := json.Unmarshal([]byte(text), &f.Readings); err != nil || len(f.Readings) > 200 {
		return wrong
	}
	for _, v := range f.Readings {
		switch v.(type) {
		case float64, string:
		default:
			return wrong
		}
	}
	return nil
}

// whoAmI tells a station who it is; asking counts as a sign of life.
func (w *Server) whoAmI(c echo.Context) error {
	st, err := w.station(c)
	if err != nil {
		return err
	}
	if err := w.DB.TouchStation(c.Request().Context(), st.ID); err != nil {
		return err
	}
	r, err := w.DB.Recipe(c.Request().Context(), st.RecipeID)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"id": st.ID, "name": st.Name, "line": st.Line, "recipe": r.Name, "recipe_id": r.ID, "has_model": r.ChampionID != 0})
}

// getFrame says where a frame is; once it is judged, it redirects to its inspection.
func (w *Server) getFrame(c echo.Context) error {
	f, err := w.frameOf(c)
	if err != nil {
		return err
	}
	i, err := w.DB.InspectionOfFrame(c.Request().Context(), f.ID)
	if err == nil {
		return c.Redirect(http.StatusSeeOther, fmt.Sprintf("/api/v1/inspections/%d", i.ID))
	}
	if storage.CodeOf(err) != storage.NotFound {
		return err
	}
	return c.JSON(http.StatusAccepted, frameState{ID: f.ID, State: string(f.State), Reason: f.Trouble, Label: f.Label, PictureRemovedAt: f.PictureRemovedAt})
}

// frameOf reads the frame of a request; a station sees its own only.
func (w *Server) frameOf(c echo.Context) (storage.Frame, error) {
	id, err := idOf(c)
	if err != nil {
		return storage.Frame{}, err
	}
	f, err := w.DB.Frame(c.Request().Context(), id)
	if err != nil {
		return f, err
	}
	if st, ok := c.Get(stationKey).(storage.Station); ok && f.StationID != st.ID {
		return f, &storage.Error{Code: storage.NotFound, Message: "this station has no such frame"}
	}
	return f, nil
}

func idOf(c echo.Context) (int64, error) {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, refuse(http.StatusNotFound, "not_found", "there is no such entry")
	}
	return id, nil
}
