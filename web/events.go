package web

import (
	"context"
	"encoding/json"
	"time"

	"github.com/labstack/echo/v4"

	"loupe/storage"
)

// apiEvents streams what happens as JSON, for programs. It begins with "hello",
// which names the server's run; a program that fell behind gets "behind" and
// reads what it needs anew.
func (w *Server) apiEvents(c echo.Context) error {
	s := w.hub.join()
	defer w.hub.leave(s)
	out := openSSE(c)
	ctx := c.Request().Context()
	send := func(event string, data any) error {
		text, err := json.Marshal(data)
		if err != nil {
			return err
		}
		return out.send(event, text)
	}
	if err := send("hello", map[string]string{"server": w.started}); err != nil {
		return nil
	}
	tick := time.NewTicker(tickPeriod)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-w.hub.closed:
			return nil
		case <-tick.C:
			if stays, err := w.stillSignedIn(c); err != nil || !stays {
				return err
			}
			err = send("tick", map[string]int64{"at": w.DB.Now().UnixMilli()})
		case e := <-s.events:
			var data any
			if data, err = w.eventJSON(ctx, e); err == nil {
				err = send(string(e.Kind), data)
			}
		}
		if err == nil && !w.hub.caughtUp(s) {
			err = send("behind", map[string]string{"server": w.started})
		}
		if err != nil {
			return nil // the reader left
		}
	}
}

func (w *Server) eventJSON(ctx context.Context, e storage.Event) (any, error) {
	switch {
	case e.Inspection != nil:
		return w.inspectionJSON(ctx, *e.Inspection)
	case e.Correction != nil:
		return correctionJSON(*e.Correction), nil
	case e.Job != nil:
		return jobJSON(*e.Job), nil
	case e.Drift != nil:
		return driftJSON(*e.Drift), nil
	case e.Kind == workersChanged:
		return map[string]any{"workers": w.workersJSON()}, nil
	}
	return map[string]int64{"id": e.ID, "recipe_id": e.RecipeID, "station_id": e.StationID}, nil
}

type workerAnswer struct {
	Name    string `json:"name"`
	Host    string `json:"host"`
	Refused string `json:"refused,omitempty"` // why it gets no frames
}

func (w *Server) workersJSON() []workerAnswer {
	all := []workerAnswer{}
	for _, one := range w.Crew.Workers() {
		all = append(all, workerAnswer{one.Name, one.Host, one.Refused})
	}
	return all
}
