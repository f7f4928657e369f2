package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"loupe/storage"
	"loupe/web/ui"
)

func (w *Server) peoplePage(c echo.Context) error {
	who, _ := person(c)
	v, err := w.views.People(c.Request().Context(), who.ID)
	if err != nil {
		return err
	}
	p, err := w.page(c, ui.SectionSetUp)
	if err != nil {
		return err
	}
	return w.render(c, http.StatusOK, ui.PeoplePage(p, v))
}

func (w *Server) addPersonForm(c echo.Context) error {
	hash, err := HashPassword(c.FormValue("password"))
	if err != nil {
		return err
	}
	who, _ := person(c)
	_, err = w.DB.AddPerson(c.Request().Context(), who.Name, storage.Person{
		Name: c.FormValue("name"), Role: storage.Role(c.FormValue("role")), PasswordHash: hash, MustChange: true,
	})
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, ui.PathPeople)
}

func (w *Server) changePersonForm(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	p, err := w.DB.Person(c.Request().Context(), id)
	if err != nil {
		return err
	}
	if role := c.FormValue("role"); role != "" {
		p.Role = storage.Role(role)
	}
	if active := c.FormValue("active"); active != "" {
		p.Active = active == "1"
	}
	if password := c.FormValue("password"); password != "" {
		if p.PasswordHash, err = HashPassword(password); err != nil {
			return err
		}
		p.MustChange = true
	}
	who, _ := person(c)
	if err := w.DB.ChangePerson(c.Request().Context(), who.Name, p); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, ui.PathPeople)
}
