package web

import (
	"io"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
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

// frameOriginal gives the bytes as the station sent them.
func (w *Server) frameOriginal(c echo.Context) error {
	f, err := w.frameOf(c)
	if err != nil {
		return err
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
