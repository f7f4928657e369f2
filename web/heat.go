package web

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"net/http"

	"github.com/labstack/echo/v4"
	"golang.org/x/image/draw"

	"loupe/storage"
	"loupe/vision"
)

// heatSide is the longer side of a heat picture, in pixels; pages stretch it.
const heatSide = 640

// heat draws the heat map of one class (by default the most probable) as a PNG
// over the whole upright picture: one warm hue that gets denser where the
// picture speaks more for the class, clear where it does not.
func (w *Server) heat(c echo.Context) error {
	i, err := w.inspectionOf(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	h, err := w.DB.Heat(ctx, i.ID)
	if err != nil {
		return err
	}
	v, err := w.DB.Version(ctx, i.VersionID)
	if err != nil {
		return err
	}
	class := c.QueryParam("class")
	if class == "" {
		class = i.Class
	}
	img, err := drawHeat(h, class, v.Region, i.Width, i.Height)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&b, img); err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	return c.Blob(http.StatusOK, "image/png", b.Bytes())
}

func drawHeat(h vision.HeatMap, class string, region vision.Region, width, height int) (image.Image, error) {
	at := -1
	for k, name := range h.Classes {
		if name == class {
			at = k
		}
	}
	if at < 0 || len(h.Data) != len(h.Classes)*h.W*h.H {
		return nil, &storage.Error{Code: storage.NotFound, Message: "there is no heat map of this class"}
	}
	small := image.NewNRGBA(image.Rect(0, 0, h.W, h.H))
	for p, v := range h.Data[at*h.W*h.H : (at+1)*h.W*h.H] {
		small.SetNRGBA(p%h.W, p/h.W, color.NRGBA{R: 255, G: uint8(150 - int(v)*110/255), B: 20, A: v})
	}
	longer := max(width, height, 1)
	img := image.NewNRGBA(image.Rect(0, 0, max(1, width*heatSide/longer), max(1, height*heatSide/longer)))
	x, y, rw, rh := region.Pixels(img.Rect.Dx(), img.Rect.Dy())
	draw.BiLinear.Scale(img, image.Rect(x, y, x+rw, y+rh), small, small.Rect, draw.Src, nil)
	return img, nil
}
