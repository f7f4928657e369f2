package web

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"loupe/models"
	"loupe/models/evaluation"
	"loupe/storage"
	"loupe/vision"
	"loupe/web/ui"
)

// reportAnswer holds the figures of a version's report.
type reportAnswer struct {
	Version     versionAnswer       `json:"version"`
	Recipe      recipeAnswer        `json:"recipe"`
	Report      models.Report       `json:"report"`
	Statement   models.Statement    `json:"statement"`
	Dataset     *datasetAnswer      `json:"dataset,omitempty"`
	Preparation vision.Preparation  `json:"preparation"`
	Expected    *expectedAnswer     `json:"expected,omitempty"` // by the present thresholds
	Wrong       int                 `json:"wrong"`              // test frames with the wrong class
	Mistakes    []storage.Result    `json:"mistakes"`           // the worst of them
	Promotions  []storage.Promotion `json:"promotions"`
	Hashes      map[string]string   `json:"hashes"`
	Results     []storage.Result    `json:"results"`
}

// expectedAnswer is what the present thresholds do to 10,000 parts.
type expectedAnswer struct {
	Thresholds   vision.Thresholds   `json:"thresholds"`
	Escape       float64             `json:"escape_cost"`
	FalseReject  float64             `json:"false_reject_cost"`
	BadShare     float64             `json:"bad_share"`
	Escapes      evaluation.Interval `json:"escapes"`
	FalseRejects evaluation.Interval `json:"false_rejects"`
	Unsure       float64             `json:"unsure"`
	Cost         float64             `json:"cost"`
}

// versionReport gives a version's evaluation with the result of each test frame.
func (w *Server) versionReport(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	a, err := models.AccountOf(c.Request().Context(), w.DB, id)
	if err != nil {
		return err
	}
	v := a.Version
	answer := reportAnswer{
		Version: versionJSON(v), Recipe: recipeJSON(a.Recipe), Report: a.Report, Statement: a.Statement, Preparation: vision.Preparation{Region: v.Region, Size: v.Size},
		Wrong: a.Wrong, Mistakes: append([]storage.Result{}, a.Mistakes...), Promotions: append([]storage.Promotion{}, a.Promotions...),
		Hashes: map[string]string{"model": v.ModelSHA, "backbone": a.Statement.Backbone, "data": a.Statement.Data}, Results: append([]storage.Result{}, a.Results...),
	}
	if a.Dataset != nil {
		d := datasetJSON(*a.Dataset)
		answer.Dataset = &d
	}
	if e := a.Expected; e != nil {
		answer.Expected = &expectedAnswer{e.Thresholds, a.Costs.Escape, a.Costs.FalseReject, a.Costs.BadShare, e.Escapes, e.FalseRejects, e.Unsure, e.Cost}
	}
	return c.JSON(http.StatusOK, answer)
}

// reportTime bounds how long a report waits for its pictures.
const reportTime = 20 * time.Second

// versionReportPage gives the report as one file.
func (w *Server) versionReportPage(c echo.Context) error {
	id, err := idOf(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ui.WithLanguage(c.Request().Context(), language(c)), reportTime)
	defer cancel()
	v, err := w.views.Report(ctx, id, w.Pictures.JPEG)
	if err != nil {
		return err
	}
	v.Program = w.Version
	h := c.Response().Header()
	h.Set("Content-Security-Policy", ui.ReportPolicy+"; frame-ancestors 'none'")
	h.Set("Content-Disposition", fmt.Sprintf(`inline; filename="loupe-recipe%d-version%d.html"`, v.Recipe.ID, v.Version.Number))
	return w.render(c, http.StatusOK, ui.ReportPage(v))
}
