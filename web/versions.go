package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"loupe/storage"
	"loupe/vision"
	"loupe/web/ui"
)

type recipeAnswer struct {
	ID         int64                 `json:"id"`
	Name       string                `json:"name"`
	Classes    []vision.Class        `json:"classes"`
	Region     vision.Region         `json:"region"`
	Size       int                   `json:"size"`
	Mirror     bool                  `json:"mirror"`
	Thresholds vision.Thresholds     `json:"thresholds"`
	Learn      storage.LearnRule     `json:"learn"`
	Promote    storage.PromoteRule   `json:"promote"`
	Normality  storage.NormalityRule `json:"normality"`
	ChampionID int64                 `json:"champion_id,omitempty"`
}

func recipeJSON(r storage.Recipe) recipeAnswer {
	return recipeAnswer{r.ID, r.Name, append([]vision.Class{}, r.Classes...), r.Region, r.Size, r.Mirror, r.Thresholds, r.Learn, r.Promote, r.Normality, r.ChampionID}
}

func (w *Server) listRecipes(c echo.Context) error {
	all, err := w.DB.Recipes(c.Request().Context())
	if err != nil {
		return err
	}
	answer := struct {
		Recipes []recipeAnswer `json:"recipes"`
	}{Recipes: []recipeAnswer{}}
	for _, r := range all {
		answer.Recipes = append(answer.Recipes, recipeJSON(r))
	}
	return c.JSON(http.StatusOK, answer)
}

func (w *Server) recipeOf(c echo.Context) (storage.Recipe, error) {
	id, err := idOf(c)
	if err != nil {
		return storage.Recipe{}, err
	}
	return w.DB.Recipe(c.Request().Context(), id)
}

func (w *Server) getRecipe(c echo.Context) error {
	r, err := w.recipeOf(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, recipeJSON(r))
}

type versionAnswer struct {
	ID        int64           `json:"id"`
	RecipeID  int64           `json:"recipe_id"`
	Number    int             `json:"number"`
	ParentID  int64           `json:"parent_id,omitempty"`
	State     string          `json:"state"`
	Size      int             `json:"size"`
	Classes   []string        `json:"classes"`
	SHA256    string          `json:"sha256"` // of model.onnx
	Decision  string          `json:"decision,omitempty"`
	Uploaded  bool            `json:"uploaded"`
	JobID     int64           `json:"job_id,omitempty"` // that trained or evaluates it
	Statement json.RawMessage `json:"statement"`
	CreatedBy string          `json:"created_by"`
	CreatedAt time.Time       `json:"created_at"`
	DatasetID int64           `json:"dataset_id,omitempty"` // that it was trained on
}

func versionJSON(v storage.Version) versionAnswer {
	return versionAnswer{v.ID, v.RecipeID, v.Number, v.ParentID, string(v.State), v.Size, v.Classes, v.ModelSHA, v.Decision, v.Uploaded(), v.JobID, v.Statement, v.CreatedBy, v.CreatedAt, v.DatasetID}
}

func (w *Server) versionOf(c echo.Context) (storage.Version, error) {
	id, err := idOf(c)
	if err != nil {
		return storage.Version{}, err
	}
	return w.DB.Version(c.Request().Context(), id)
}

func (w *Server) getVersion(c echo.Context) error {
	v, err := w.versionOf(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, versionJSON(v))
}

func (w *Server) modelFile(c echo.Context) error {
	v, err := w.versionOf(c)
	if err != nil {
		return err
	}
	data, err := w.Registry.ModelFile(c.Request().Context(), v.ID)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="loupe-recipe%d-version%d.onnx"`, v.RecipeID, v.Number))
	c.Response().Header().Set("ETag", `"`+v.ModelSHA+`"`)
	return c.Blob(http.StatusOK, "application/octet-stream", data)
}

func (w *Server) promoteVersion(c echo.Context, reason string) (storage.Version, error) {
	id, err := idOf(c)
	if err != nil {
		return storage.Version{}, err
	}
	p, _ := person(c)
	if reason == "" {
		reason = "promoted by " + p.Name
	}
	return w.Registry.Promote(c.Request().Context(), p.Name, id, reason)
}

func (w *Server) promote(c echo.Context) error {
	var q struct {
		Reason string `json:"reason"`
	}
	if err := readJSON(c, &q, `{"reason": "fewer escapes on the shift's parts"}`); err != nil && c.Request().ContentLength != 0 {
		return err
	}
	v, err := w.promoteVersion(c, q.Reason)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, versionJSON(v))
}

func (w *Server) promoteForm(c echo.Context) error {
	v, err := w.promoteVersion(c, c.FormValue("reason"))
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, ui.ModelURL(v.RecipeID, 0))
}

func (w *Server) rollbackRecipe(c echo.Context) (storage.Version, error) {
	id, err := idOf(c)
	if err != nil {
		return storage.Version{}, err
	}
	p, _ := person(c)
	return w.Registry.Rollback(c.Request().Context(), p.Name, id)
}

func (w *Server) rollback(c echo.Context) error {
	v, err := w.rollbackRecipe(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, versionJSON(v))
}

func (w *Server) rollbackForm(c echo.Context) error {
	v, err := w.rollbackRecipe(c)
	if err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, ui.ModelURL(v.RecipeID, v.ID))
}

// firstModel leads to the model page of the first recipe.
func (w *Server) firstModel(c echo.Context) error {
	all, err := w.DB.Recipes(c.Request().Context())
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return c.Redirect(http.StatusSeeOther, ui.PathFirst)
	}
	return c.Redirect(http.StatusSeeOther, ui.ModelURL(all[0].ID, 0))
}

func (w *Server) modelPage(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	version, _ := strconv.ParseInt(c.QueryParam("version"), 10, 64)
	v, err := w.views.Model(c.Request().Context(), id, version)
	if err != nil {
		return err
	}
	p, err := w.page(c, ui.SectionModel)
	if err != nil {
		return err
	}
	p.Events = ui.EventsURL("model", id, "")
	return w.render(c, http.StatusOK, ui.ModelPage(p, v))
}
