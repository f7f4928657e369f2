package ui

import (
	"bytes"
	"context"
	"fmt"

	"github.com/a-h/templ"
)

// Render draws a page or fragment in a language into memory, so that a handler
// sets the status only once it is whole:
//
//	body, err := ui.Render(ctx, lang, ui.LinePage(page, view))
func Render(ctx context.Context, lang string, c templ.Component) ([]byte, error) {
	var b bytes.Buffer
	if err := c.Render(WithLanguage(ctx, lang), &b); err != nil {
		return nil, fmt.Errorf("render: %w", err)
	}
	return b.Bytes(), nil
}
