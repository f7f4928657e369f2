package web

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"loupe/storage"
	"loupe/vision"
	"loupe/web/ui"
)

// setUp leads to the first tab that the person may see.
func (w *Server) setUp(c echo.Context) error {
	if p, _ := person(c); !p.Role.May(storage.QA) {
		return c.Redirect(http.StatusSeeOther, ui.PathJobs)
	}
	return c.Redirect(http.StatusSeeOther, ui.PathRecipes)
}

func (w *Server) recipesPage(c echo.Context) error {
	v, err := w.views.Recipes(c.Request().Context())
	if err != nil {
		return err
	}
	p, err := w.page(c, ui.SectionSetUp)
	if err != nil {
		return err
	}
	return w.render(c, http.StatusOK, ui.RecipesPage(p, v))
}

func (w *Server) recipePage(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	v, err := w.views.Recipe(c.Request().Context(), id)
	if err != nil {
		return err
	}
	p, err := w.page(c, ui.SectionSetUp)
	if err != nil {
		return err
	}
	if c.QueryParam("saved") != "" {
		p.Saved = ui.NoticeRecipeSaved.Words(ui.WithLanguage(c.Request().Context(), p.Language))
	}
	return w.render(c, http.StatusOK, ui.RecipePage(p, v))
}

// palette are the colours of new classes, in order; failing ones begin at the second.
var palette = []string{"#5b8c5a", "#c0392b", "#8e44ad", "#b9770e", "#1f618d", "#117a65", "#ad1457", "#6d4c41", "#455a64"}

func (w *Server) addRecipe(c echo.Context) error {
	names := []string{strings.TrimSpace(c.FormValue("good"))}
	for line := range strings.Lines(c.FormValue("defects")) {
		if name := strings.TrimSpace(line); name != "" {
			names = append(names, name)
		}
	}
	var classes []vision.Class
	for i, name := range names {
		if name == "" {
			continue
		}
		class := vision.Class{Name: name, Pass: i == 0, Color: palette[i%len(palette)]}
		if i < 9 {
			class.Key = strconv.Itoa(i + 1)
		}
		classes = append(classes, class)
	}
	if len(classes) < 2 {
		return &storage.Error{Code: storage.Invalid, Message: "a recipe needs a good class and at least one defect"}
	}
	who, _ := person(c)
	r, err := w.DB.AddRecipe(c.Request().Context(), who.Name, storage.NewRecipe(c.FormValue("name"), classes))
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, ui.RecipeURL(r.ID))
}

// changeRecipe stores what a form changes of a recipe and comes back to the page.
func (w *Server) changeRecipe(c echo.Context, back string, change func(r *storage.Recipe) error) error {
	r, err := w.recipeOf(c)
	if err != nil {
		return err
	}
	if err := change(&r); err != nil {
		return err
	}
	who, _ := person(c)
	if err := w.DB.ChangeRecipe(c.Request().Context(), who.Name, r); err != nil {
		return err
	}
	if back == "" {
		back = ui.RecipeURL(r.ID) + "?saved=1"
	}
	return c.Redirect(http.StatusSeeOther, back)
}

// decimal reads a number from a form.
func decimal(c echo.Context, name string) (float64, error) {
	v, err := strconv.ParseFloat(strings.TrimSpace(strings.ReplaceAll(c.FormValue(name), ",", ".")), 64)
	if err != nil {
		return 0, refuse(http.StatusUnprocessableEntity, name, name+" must be a number")
	}
	return v, nil
}

func (w *Server) setThresholds(c echo.Context) error {
	return w.changeRecipe(c, "", func(r *storage.Recipe) (err error) {
		if r.Thresholds.OK, err = decimal(c, "ok"); err == nil {
			r.Thresholds.NG, err = decimal(c, "ng")
		}
		return err
	})
}

func (w *Server) setView(c echo.Context) error {
	return w.changeRecipe(c, "", func(r *storage.Recipe) error {
		for name, to := range map[string]*float64{"x": &r.Region.X, "y": &r.Region.Y, "w": &r.Region.W, "h": &r.Region.H} {
			v, err := decimal(c, name)
			if err != nil {
				return err
			}
			*to = v
		}
		size, err := decimal(c, "size")
		r.Size, r.Mirror = int(size), c.FormValue("mirror") != ""
		return err
	})
}

func (w *Server) setRules(c echo.Context) error {
	back := ""
	if text := c.FormValue("back"); text != "" {
		back = localPath(text)
	}
	return w.changeRecipe(c, back, func(r *storage.Recipe) error {
		after, err := decimal(c, "after")
		if err != nil {
			return err
		}
		quiet, err := decimal(c, "quiet_seconds")
		if err != nil {
			return err
		}
		margin, err := decimal(c, "margin_percent")
		r.Learn = storage.LearnRule{After: int(after), QuietSeconds: int(quiet)}
		r.Promote = storage.PromoteRule{Auto: c.FormValue("auto") == "1", Metric: c.FormValue("metric"), Margin: margin / 100}
		return err
	})
}

func (w *Server) setQueue(c echo.Context) error {
	return w.changeRecipe(c, "", func(r *storage.Recipe) error {
		limit, err := decimal(c, "limit")
		r.Queue = storage.QueueRule{Limit: int(limit), NewestFirst: c.FormValue("over") == "newest"}
		return err
	})
}

// setClasses stores the rows of the classes' form: changes, new ones, renames.
func (w *Server) setClasses(c echo.Context) error {
	r, err := w.recipeOf(c)
	if err != nil {
		return err
	}
	form, err := c.FormParams()
	if err != nil {
		return err
	}
	rows := len(form["class_name"])
	for _, name := range []string{"class_was", "class_pass", "class_color", "class_key"} {
		if len(form[name]) != rows {
			return refuse(http.StatusUnprocessableEntity, "classes", "the rows of the form do not fit together: load the page again")
		}
	}
	var classes []vision.Class
	renames := map[string]string{}
	for i := range rows {
		name, was := strings.TrimSpace(form["class_name"][i]), form["class_was"][i]
		if name == "" && was == "" {
			continue
		}
		if was != "" && name != was {
			renames[was] = name
		}
		classes = append(classes, vision.Class{Name: name, Pass: form["class_pass"][i] == "pass", Color: form["class_color"][i], Key: strings.TrimSpace(form["class_key"][i])})
	}
	who, _ := person(c)
	if err := w.DB.ReplaceClasses(c.Request().Context(), who.Name, r.ID, classes, renames); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, ui.RecipeURL(r.ID)+"?saved=1")
}

func (w *Server) archiveClass(c echo.Context) error {
	r, err := w.recipeOf(c)
	if err != nil {
		return err
	}
	who, _ := person(c)
	moveTo := ""
	if c.FormValue("fate") == "move" {
		moveTo = c.FormValue("move_to")
	}
	if err := w.DB.ArchiveClass(c.Request().Context(), who.Name, r.ID, c.FormValue("class"), c.FormValue("fate") == "keep", moveTo); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, ui.RecipeURL(r.ID)+"?saved=1")
}

func (w *Server) quarantinePage(c echo.Context) error {
	v, err := w.views.Quarantine(c.Request().Context())
	if err != nil {
		return err
	}
	p, err := w.page(c, ui.SectionSetUp)
	if err != nil {
		return err
	}
	return w.render(c, http.StatusOK, ui.QuarantinePage(p, v))
}

func (w *Server) retryFrame(c echo.Context) error { return w.settleFrame(c, w.DB.Release) }

func (w *Server) discardFrame(c echo.Context) error { return w.settleFrame(c, w.DB.Discard) }

func (w *Server) auditPage(c echo.Context) error {
	before, _ := strconv.ParseInt(c.QueryParam("before"), 10, 64)
	v, err := w.views.Audit(c.Request().Context(), before, c.QueryParam("subject"))
	if err != nil {
		return err
	}
	p, err := w.page(c, ui.SectionSetUp)
	if err != nil {
		return err
	}
	return w.render(c, http.StatusOK, ui.AuditPage(p, v))
}
