package web

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"loupe/storage"
)

// stationAnswer is a station as the API shows it.
type stationAnswer struct {
	ID         int64      `json:"id"`
	Name       string     `json:"name"`
	Line       string     `json:"line"`
	RecipeID   int64      `json:"recipe_id"`
	TokenHint  string     `json:"token_hint"` // the last four characters
	CreatedAt  time.Time  `json:"created_at"`
	LastSeenAt *time.Time `json:"last_seen_at,omitempty"`
	Token      string     `json:"token,omitempty"` // only in the answer that made it
}

func stationJSON(st storage.Station, token string) stationAnswer {
	a := stationAnswer{ID: st.ID, Name: st.Name, Line: st.Line, RecipeID: st.RecipeID, TokenHint: st.TokenHint, CreatedAt: st.CreatedAt, Token: token}
	if !st.LastSeenAt.IsZero() {
		a.LastSeenAt = &st.LastSeenAt
	}
	return a
}

func (w *Server) listStations(c echo.Context) error {
	all, err := w.DB.Stations(c.Request().Context())
	if err != nil {
		return err
	}
	answer := struct {
		Stations []stationAnswer `json:"stations"`
	}{Stations: []stationAnswer{}}
	for _, st := range all {
		answer.Stations = append(answer.Stations, stationJSON(st, ""))
	}
	return c.JSON(http.StatusOK, answer)
}

const stationExample = `{"name": "press 4", "line": "A", "recipe_id": 1}`

// postStation makes a station for a program; the token is in the answer only.
func (w *Server) postStation(c echo.Context) error {
	var q struct {
		Name     string `json:"name"`
		Line     string `json:"line"`
		RecipeID int64  `json:"recipe_id"`
	}
	if err := readJSON(c, &q, stationExample); err != nil {
		return err
	}
	who, _ := person(c)
	st, token, err := w.DB.AddStation(c.Request().Context(), who.Name, storage.Station{Name: q.Name, Line: q.Line, RecipeID: q.RecipeID})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, stationJSON(st, token))
}

// patchStation changes what is sent and leaves the rest.
func (w *Server) patchStation(c echo.Context) error {
	st, err := w.stationOf(c)
	if err != nil {
		return err
	}
	var q struct {
		Name     *string `json:"name"`
		Line     *string `json:"line"`
		RecipeID *int64  `json:"recipe_id"`
	}
	if err := readJSON(c, &q, stationExample); err != nil {
		return err
	}
	replace(&st.Name, q.Name)
	replace(&st.Line, q.Line)
	replace(&st.RecipeID, q.RecipeID)
	who, _ := person(c)
	if err := w.DB.ChangeStation(c.Request().Context(), who.Name, st); err != nil {
		return err
	}
	return w.answerStation(c, "")
}

// postToken gives a station a new token and ends the old one at once.
func (w *Server) postToken(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	who, _ := person(c)
	token, err := w.DB.RotateToken(c.Request().Context(), who.Name, id)
	if err != nil {
		return err
	}
	return w.answerStation(c, token)
}

func (w *Server) answerStation(c echo.Context, token string) error {
	st, err := w.stationOf(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, stationJSON(st, token))
}

// deleteStation takes a station out of use; its frames stay.
func (w *Server) deleteStation(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	who, _ := person(c)
	if err := w.DB.RevokeStation(c.Request().Context(), who.Name, id); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// replace sets what was sent.
func replace[T any](field *T, sent *T) {
	if sent != nil {
		*field = *sent
	}
}
