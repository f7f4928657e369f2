package web

import (
	"bufio"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"loupe/models"
)

// maxForm bounds every request but a posted frame and a model file, which have
// their own limits.
const maxForm = 1 << 20

func limitBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Path() != "/api/v1/frames" && c.Request().Body != nil {
			limit := int64(maxForm)
			if takesModel(c) {
				limit = models.MostModelBytes + maxFormExtra
			}
			c.Request().Body = http.MaxBytesReader(c.Response(), c.Request().Body, limit)
		}
		return next(c)
	}
}

// sameOrigin refuses changes that a browser makes for another site. A station's
// token is no cookie: no site can make a browser send it.
func sameOrigin() echo.MiddlewareFunc {
	protection := http.NewCrossOriginProtection()
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if !bearer(c.Request()) && protection.Check(c.Request()) != nil {
				return refuse(http.StatusForbidden, "cross_origin", "this came from another site: use Loupe's own pages")
			}
			return next(c)
		}
	}
}

// bearer says whether a request shows a token instead of a session.
func bearer(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// readJSON reads the JSON object of a request; example shows a right one. A
// field that is unknown is refused: it is most likely a known one, mistyped.
func readJSON(c echo.Context, into any, example string) error {
	body := bufio.NewReader(c.Request().Body)
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	err := objectAhead(body)
	if err == nil {
		err = decoder.Decode(into)
	}
	if errors.As(err, new(*http.MaxBytesError)) {
		return err
	}
	if err != nil {
		why := ""
		if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
			why = "there is no field " + field + ": "
		}
		return refuse(http.StatusUnprocessableEntity, "json", why+"send a JSON object such as "+example)
	}
	return nil
}

// objectAhead reports anything but the beginning of a JSON object: null would
// be read as an object without fields.
func objectAhead(body *bufio.Reader) error {
	for {
		b, err := body.ReadByte()
		if err != nil {
			return err
		}
		switch b {
		case ' ', '\t', '\r', '\n':
			continue
		case '{':
			return body.UnreadByte()
		}
		return errors.New("not an object")
	}
}
