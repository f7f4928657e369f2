package web

import (
	"context"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"loupe/storage"
	"loupe/web/ui"
)

// settleFrame decides about a quarantined frame.
func (w *Server) settleFrame(c echo.Context, decide func(ctx context.Context, by string, frame int64) error) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	who, _ := person(c)
	if err := decide(c.Request().Context(), who.Name, id); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, ui.PathQuarantine)
}

func (w *Server) stationsPage(c echo.Context) error { return w.showStations(c, http.StatusOK, "", "") }

// showStations shows the stations, and the token of one just made, once.
func (w *Server) showStations(c echo.Context, status int, name, token string) error {
	v, err := w.views.Stations(c.Request().Context(), c.Scheme()+"://"+c.Request().Host)
	if err != nil {
		return err
	}
	v.Token, v.TokenFor = token, name
	p, err := w.page(c, ui.SectionSetUp)
	if err != nil {
		return err
	}
	return w.render(c, status, ui.StationsPage(p, v))
}

func (w *Server) addStationForm(c echo.Context) error {
	recipe, err := strconv.ParseInt(c.FormValue("recipe"), 10, 64)
	if err != nil {
		return refuse(http.StatusUnprocessableEntity, "recipe", "choose a recipe")
	}
	who, _ := person(c)
	st, token, err := w.DB.AddStation(c.Request().Context(), who.Name, storage.Station{Name: c.FormValue("name"), Line: c.FormValue("line"), RecipeID: recipe})
	if err != nil {
		return err
	}
	return w.showStations(c, http.StatusCreated, st.Name, token)
}

func (w *Server) stationOf(c echo.Context) (storage.Station, error) {
	id, err := idOf(c)
	if err != nil {
		return storage.Station{}, err
	}
	return w.DB.Station(c.Request().Context(), id)
}

func (w *Server) changeStationForm(c echo.Context) error {
	st, err := w.stationOf(c)
	if err != nil {
		return err
	}
	if _, sent := c.Request().Form["line"]; sent {
		st.Line = c.FormValue("line")
	}
	if id, err := strconv.ParseInt(c.FormValue("recipe"), 10, 64); err == nil {
		st.RecipeID = id
	}
	who, _ := person(c)
	if err := w.DB.ChangeStation(c.Request().Context(), who.Name, st); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, ui.PathStations)
}

func (w *Server) rotateTokenForm(c echo.Context) error {
	st, err := w.stationOf(c)
	if err != nil {
		return err
	}
	who, _ := person(c)
	token, err := w.DB.RotateToken(c.Request().Context(), who.Name, st.ID)
	if err != nil {
		return err
	}
	return w.showStations(c, http.StatusOK, st.Name, token)
}

func (w *Server) revokeStationForm(c echo.Context) error {
	st, err := w.stationOf(c)
	if err != nil {
		return err
	}
	who, _ := person(c)
	if err := w.DB.RevokeStation(c.Request().Context(), who.Name, st.ID); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, ui.PathStations)
}
