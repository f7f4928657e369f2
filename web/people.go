package web

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"loupe/storage"
)

// personAnswer is a person as the API shows them.
type personAnswer struct {
	ID         int64     `json:"id"`
	Name       string    `json:"name"`
	Role       string    `json:"role"`
	Active     bool      `json:"active"`
	MustChange bool      `json:"must_change"` // the password was given by somebody else
	CreatedAt  time.Time `json:"created_at"`
	Password   string    `json:"password,omitempty"` // only in the answer that made it
}

func personJSON(p storage.Person, password string) personAnswer {
	return personAnswer{p.ID, p.Name, string(p.Role), p.Active, p.MustChange, p.CreatedAt, password}
}

func (w *Server) listPeople(c echo.Context) error {
	all, err := w.DB.People(c.Request().Context())
	if err != nil {
		return err
	}
	answer := struct {
		People []personAnswer `json:"people"`
	}{People: []personAnswer{}}
	for _, p := range all {
		answer.People = append(answer.People, personJSON(p, ""))
	}
	return c.JSON(http.StatusOK, answer)
}

// postPerson adds somebody. Without a password it makes one, shown only here.
func (w *Server) postPerson(c echo.Context) error {
	var q struct {
		Name     string `json:"name"`
		Role     string `json:"role"`
		Password string `json:"password"`
	}
	if err := readJSON(c, &q, `{"name": "lin", "role": "operator"}`); err != nil {
		return err
	}
	made := ""
	if q.Password == "" {
		made = NewPassword()
		q.Password = made
	}
	hash, err := HashPassword(q.Password)
	if err != nil {
		return err
	}
	who, _ := person(c)
	p, err := w.DB.AddPerson(c.Request().Context(), who.Name, storage.Person{Name: q.Name, Role: storage.Role(q.Role), PasswordHash: hash, MustChange: true})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, personJSON(p, made))
}

// patchPerson changes what is sent and leaves the rest. A new password or a
// deactivation ends the person's sessions at once.
func (w *Server) patchPerson(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	var q struct {
		Role     *storage.Role `json:"role"`
		Active   *bool         `json:"active"`
		Password *string       `json:"password"`
	}
	if err := readJSON(c, &q, `{"role": "qa", "active": true}`); err != nil {
		return err
	}
	ctx := c.Request().Context()
	p, err := w.DB.Person(ctx, id)
	if err != nil {
		return err
	}
	replace(&p.Role, q.Role)
	replace(&p.Active, q.Active)
	if q.Password != nil {
		if p.PasswordHash, err = HashPassword(*q.Password); err != nil {
			return err
		}
		p.MustChange = true
	}
	who, _ := person(c)
	if err := w.DB.ChangePerson(ctx, who.Name, p); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, personJSON(p, ""))
}
