package web

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"github.com/labstack/echo/v4"

	"loupe/models"
	"loupe/storage"
	"loupe/vision/trial"
	"loupe/web/ui"
)

// Addresses that take a model file: their bodies are larger than others'.
const (
	uploadAPI  = "/api/v1/recipes/:id/versions"
	uploadPage = "/recipes/:id/versions"
)

func takesModel(c echo.Context) bool { return c.Path() == uploadAPI || c.Path() == uploadPage }

// upload makes a version of a recipe of the file in the request.
func (w *Server) upload(c echo.Context) (storage.Version, error) {
	r, err := w.recipeOf(c)
	if err != nil {
		return storage.Version{}, err
	}
	if c.Request().ContentLength > models.MostModelBytes+maxFormExtra {
		return storage.Version{}, modelTooLarge()
	}
	ctx := c.Request().Context()
	leave, err := w.Uploads.Enter(ctx)
	if err != nil {
		return storage.Version{}, err
	}
	defer leave()
	file, note, err := readModel(c)
	if err != nil {
		return storage.Version{}, err
	}
	p, _ := person(c)
	v, _, err := w.Uploads.Add(ctx, p.Name, r.ID, note, file)
	return v, err
}

func modelTooLarge() error {
	return refuse(http.StatusRequestEntityTooLarge, "model_large", fmt.Sprintf("The file has more than %d MB: use a smaller network.", models.MostModelBytes>>20))
}

// readModel reads the file of a request: its whole body, or the field model of a form.
func readModel(c echo.Context) (file []byte, note string, err error) {
	kind, _, _ := mime.ParseMediaType(c.Request().Header.Get("Content-Type"))
	if kind != "multipart/form-data" {
		if kind != echo.MIMEOctetStream {
			return nil, "", refuse(http.StatusUnsupportedMediaType, "form", "send the .onnx file as application/octet-stream, or as multipart/form-data with the file in the field model")
		}
		file, err = readPart(c.Request().Body)
		return file, c.QueryParam("note"), err
	}
	form, err := c.Request().MultipartReader()
	if err != nil {
		return nil, "", refuse(http.StatusBadRequest, "form", "the form cannot be read: send it again")
	}
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, "", largeOr(broken(err))
		}
		switch part.FormName() {
		case "model":
			if file, err = readPart(part); err != nil {
				return nil, "", err
			}
		case "note":
			text, err := io.ReadAll(io.LimitReader(part, maxField))
			if err != nil {
				return nil, "", largeOr(broken(err))
			}
			note = string(text)
		}
	}
	if file == nil {
		return nil, "", refuse(http.StatusUnprocessableEntity, "model_missing", "the form has no file in the field model: choose the .onnx file")
	}
	return file, note, nil
}

func readPart(r io.Reader) ([]byte, error) {
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(r, models.MostModelBytes+1))
	switch {
	case err != nil:
		return nil, largeOr(broken(err))
	case n > models.MostModelBytes:
		return nil, modelTooLarge()
	}
	return b.Bytes(), nil
}

// largeOr words a body that is too large as what it is here.
func largeOr(err error) error {
	if errors.As(err, new(*http.MaxBytesError)) {
		return modelTooLarge()
	}
	return err
}

// modelProblem is the answer where a file cannot be a version; nil for other errors.
func modelProblem(err error) *problem {
	var refusal *models.Refusal
	var failure *trial.Failure
	switch {
	case errors.As(err, &refusal):
		return &problem{Status: http.StatusUnprocessableEntity, Code: refusal.Code, Detail: refusal.Detail}
	case errors.As(err, &failure):
		return &problem{Status: http.StatusUnprocessableEntity, Code: "model_" + string(failure.Reason), Detail: failure.Error(), Operator: failure.Operator, Node: failure.Node}
	case errors.Is(err, models.ErrBusy):
		return &problem{Status: http.StatusServiceUnavailable, Code: "model_busy", Detail: err.Error(), retryAfter: "30"}
	}
	return nil
}

func (w *Server) postVersion(c echo.Context) error {
	v, err := w.upload(c)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", fmt.Sprintf("/api/v1/versions/%d", v.ID))
	return c.JSON(http.StatusCreated, versionJSON(v))
}

// uploadForm answers the form of the Model page. A refusal stays where the form
// is: it takes longer to read than a toast is there.
func (w *Server) uploadForm(c echo.Context) error {
	v, err := w.upload(c)
	if err == nil {
		c.Response().Header().Set("HX-Redirect", ui.ModelURL(v.RecipeID, v.ID))
		return c.NoContent(http.StatusNoContent)
	}
	p := problemOf(err)
	if p.Status >= 500 || c.Request().Header.Get("HX-Request") != "true" {
		return err
	}
	c.Response().Header().Set("HX-Retarget", "#"+ui.UploadAnswerID)
	c.Response().Header().Set("HX-Reswap", "innerHTML")
	return w.render(c, p.Status, ui.RefusedFragment(ui.RefusedView{Code: p.Code, Operator: p.Operator, Node: p.Node, Detail: words(p)}))
}
