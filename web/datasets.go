package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"loupe/models/exchange"
	"loupe/storage"
	"loupe/web/ui"
)

type datasetAnswer struct {
	ID        int64               `json:"id"`
	RecipeID  int64               `json:"recipe_id"`
	Number    int                 `json:"number"`
	SHA256    string              `json:"sha256"` // see storage.DatasetDigest
	Train     int                 `json:"train"`
	Test      int                 `json:"test"`
	Classes   []datasetClass      `json:"classes"`
	CreatedAt time.Time           `json:"created_at"`
	Versions  []int64             `json:"versions,omitempty"`
	Frames    []datasetFrameEntry `json:"frames,omitempty"`
}

type datasetClass struct {
	Class string `json:"class"`
	Train int    `json:"train"`
	Test  int    `json:"test"`
}

// datasetFrameEntry is a frame of a data set.
type datasetFrameEntry struct {
	FrameID   int64  `json:"frame"`
	SHA256    string `json:"sha256"` // of the picture
	Class     string `json:"class"`
	Share     string `json:"share"`
	LabelID   int64  `json:"label"`             // the correction
	MarkingID int64  `json:"marking,omitempty"` // the regions
}

func datasetJSON(d storage.Dataset) datasetAnswer {
	a := datasetAnswer{ID: d.ID, RecipeID: d.RecipeID, Number: d.Number, SHA256: d.Digest, Train: d.Train, Test: d.Test, Classes: []datasetClass{}, CreatedAt: d.CreatedAt}
	for _, c := range d.Counts {
		a.Classes = append(a.Classes, datasetClass{c.Class, c.Train, c.Test})
	}
	return a
}

func datasetFrames(frames []storage.LabelledFrame) []datasetFrameEntry {
	all := []datasetFrameEntry{}
	for _, f := range frames {
		all = append(all, datasetFrameEntry{f.FrameID, path.Base(f.BlobKey), f.Class, f.Share, f.LabelID, f.MarkingID})
	}
	return all
}

// mostDatasets bounds the list.
const mostDatasets = 1000

func (w *Server) listDatasets(c echo.Context) error {
	r, err := w.recipeOf(c)
	if err != nil {
		return err
	}
	all, err := w.DB.Datasets(c.Request().Context(), r.ID, mostDatasets)
	if err != nil {
		return err
	}
	answer := []datasetAnswer{}
	for _, d := range all {
		answer = append(answer, datasetJSON(d))
	}
	return c.JSON(http.StatusOK, map[string]any{"datasets": answer})
}

func (w *Server) datasetOf(c echo.Context) (storage.Dataset, error) {
	id, err := idOf(c)
	if err != nil {
		return storage.Dataset{}, err
	}
	return w.DB.Dataset(c.Request().Context(), id)
}

// getDataset gives a data set with its frames and the versions trained on it.
func (w *Server) getDataset(c echo.Context) error {
	d, err := w.datasetOf(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	answer := datasetJSON(d)
	frames, err := w.DB.DatasetFrames(ctx, d.ID)
	if err != nil {
		return err
	}
	versions, err := w.DB.DatasetVersions(ctx, d.ID)
	if err != nil {
		return err
	}
	for _, v := range versions {
		answer.Versions = append(answer.Versions, v.ID)
	}
	answer.Frames = datasetFrames(frames)
	return c.JSON(http.StatusOK, answer)
}

// diffDatasets compares a data set with the earlier one that from names.
func (w *Server) diffDatasets(c echo.Context) error {
	d, err := w.datasetOf(c)
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(c.QueryParam("from"), 10, 64)
	if err != nil {
		return refuse(http.StatusUnprocessableEntity, "from", "name the data set to compare with, as in ?from=11")
	}
	ctx := c.Request().Context()
	other, err := w.DB.Dataset(ctx, id)
	if err != nil {
		return err
	}
	from, err := w.DB.DatasetFrames(ctx, other.ID)
	if err != nil {
		return err
	}
	to, err := w.DB.DatasetFrames(ctx, d.ID)
	if err != nil {
		return err
	}
	diff := storage.DiffDatasets(from, to)
	changed := []map[string]any{}
	for _, one := range diff.Changed {
		was, is := datasetFrames([]storage.LabelledFrame{one.From}), datasetFrames([]storage.LabelledFrame{one.To})
		changed = append(changed, map[string]any{"frame": one.To.FrameID, "from": was[0], "to": is[0]})
	}
	return c.JSON(http.StatusOK, map[string]any{"from": datasetJSON(other), "to": datasetJSON(d),
		"added": datasetFrames(diff.Added), "removed": datasetFrames(diff.Removed), "changed": changed})
}

func (w *Server) datasetPage(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	from, _ := strconv.ParseInt(c.QueryParam("from"), 10, 64)
	v, err := w.views.Dataset(c.Request().Context(), id, from)
	if err != nil {
		return err
	}
	p, err := w.page(c, ui.SectionModel)
	if err != nil {
		return err
	}
	return w.render(c, http.StatusOK, ui.DatasetPage(p, v))
}

func (w *Server) exportRecipe(c echo.Context) error {
	r, err := w.recipeOf(c)
	if err != nil {
		return err
	}
	return w.export(c, exchange.Plan{Recipe: r}, fmt.Sprintf("loupe-recipe%d", r.ID))
}

func (w *Server) exportDataset(c echo.Context) error {
	d, err := w.datasetOf(c)
	if err != nil {
		return err
	}
	r, err := w.DB.Recipe(c.Request().Context(), d.RecipeID)
	if err != nil {
		return err
	}
	return w.export(c, exchange.Plan{Recipe: r, Dataset: &d}, fmt.Sprintf("loupe-recipe%d-dataset%d", r.ID, d.Number))
}

// export streams a zip file. Once it has begun, trouble cuts the connection off,
// so that nobody takes half a file for a whole one.
func (w *Server) export(c echo.Context, p exchange.Plan, name string) error {
	ctx := c.Request().Context()
	var err error
	if p.Format, err = exchange.ParseFormat(c.QueryParam("format")); err != nil {
		return refuse(http.StatusUnprocessableEntity, "format", err.Error())
	}
	if p.Frames, err = exchange.Gather(ctx, w.DB, p.Recipe.ID, p.Dataset); err != nil {
		return err
	}
	p.Blobs = w.DB.Blobs
	h := c.Response().Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s.zip"`, name, p.Format))
	c.Response().WriteHeader(http.StatusOK)
	z := exchange.NewZip(c.Response())
	_, err = exchange.Write(ctx, p, patient{z, http.NewResponseController(c.Response())})
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		if context.Cause(ctx) == nil {
			w.Log.Error("an export broke off", "recipe", p.Recipe.ID, "error", err)
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}

// patient gives the client as much time for each file as for a whole answer.
type patient struct {
	exchange.Sink
	to *http.ResponseController
}

// Create begins a file.
func (p patient) Create(name string) (io.Writer, error) {
	_ = p.to.SetWriteDeadline(time.Now().Add(answerTime)) // a test's recorder has none
	return p.Sink.Create(name)
}
