package web

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"loupe/storage"
)

const (
	thumbSide   = 192
	defaultSide = 1920
)

// frameImage gives an upright JPEG copy of a frame.
func (w *Server) frameImage(c echo.Context) error {
	side := defaultSide
	if text := c.QueryParam("side"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 4096 {
			return refuse(http.StatusUnprocessableEntity, "side", "side must be 1 to 4096 pixels")
		}
		side = n
	}
	return w.jpeg(c, side)
}

func (w *Server) frameThumb(c echo.Context) error { return w.jpeg(c, thumbSide) }

func (w *Server) jpeg(c echo.Context, side int) error {
	f, err := w.frameOf(c)
	if err != nil {
		return err
	}
	if !f.PictureRemovedAt.IsZero() {
		return w.removedPicture(c, f)
	}
	tag := `"` + f.BlobKey[max(0, len(f.BlobKey)-20):] + "-" + strconv.Itoa(side) + `"`
	c.Response().Header().Set("ETag", tag)
	c.Response().Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	if c.Request().Header.Get("If-None-Match") == tag {
		return c.NoContent(http.StatusNotModified)
	}
	data, err := w.Pictures.JPEG(c.Request().Context(), f, side)
	if err != nil {
		c.Response().Header().Del("Cache-Control")
		c.Response().Header().Del("ETag")
		return err
	}
	return c.Blob(http.StatusOK, "image/jpeg", data)
}

// removedSVG stands in a page where a picture was.
const removedSVG = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 192 192"><path fill="#8d989e" fill-opacity=".18" d="M0 0h192v192H0z"/>` +
	`<path fill="none" stroke="#7d8a90" stroke-width="5" d="M56 66h80v64H56zM56 118l24-24 18 16 14-12 24 22M46 146 146 46"/></svg>`

// removedPicture answers in place of one that the recipe's rule removed: a
// browser shows a sign, a program is told.
func (w *Server) removedPicture(c echo.Context, f storage.Frame) error {
	c.Response().Header().Set("Cache-Control", "private, max-age=3600")
	if strings.Contains(c.Request().Header.Get("Accept"), "image/") {
		return c.Blob(http.StatusGone, "image/svg+xml", []byte(removedSVG))
	}
	return refuse(http.StatusGone, "picture_removed", "the picture was removed on "+f.PictureRemovedAt.Format(time.RFC3339)+" by the recipe's rule for keeping pictures; its verdict and labels are kept")
}

// frameOriginal gives the bytes as the station sent them.
func (w *Server) frameOriginal(c echo.Context) error {
	f, err := w.frameOf(c)
	if err != nil {
		return err
	}
	if !f.PictureRemovedAt.IsZero() {
		return w.removedPicture(c, f)
	}
	r, err := w.DB.Blobs.Open(c.Request().Context(), f.BlobKey)
	if err != nil {
		return err
	}
	defer r.Close()
	h := c.Response().Header()
	h.Set("Content-Disposition", "attachment; filename=\"frame-"+strconv.FormatInt(f.ID, 10)+"."+f.Format+"\"")
	h.Set("Content-Type", "image/"+f.Format)
	h.Set("Content-Length", strconv.FormatInt(f.Bytes, 10))
	c.Response().WriteHeader(http.StatusOK)
	_, err = io.Copy(c.Response(), r)
	return err
}
