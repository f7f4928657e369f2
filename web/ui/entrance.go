package ui

import (
	"context"
	"net/http"
)

func errorTitle(ctx context.Context, status int) string {
	switch {
	case status == http.StatusNotFound:
		return T(ctx, "error.404")
	case status == http.StatusForbidden:
		return T(ctx, "error.403")
	case status == http.StatusTooManyRequests:
		return T(ctx, "error.429")
	case status >= 500:
		return T(ctx, "error.500")
	}
	return T(ctx, "error.400")
}

func errorAdvice(ctx context.Context, status int) string {
	switch {
	case status == http.StatusNotFound:
		return T(ctx, "error.404.do")
	case status == http.StatusForbidden:
		return T(ctx, "error.403.do")
	case status == http.StatusTooManyRequests:
		return T(ctx, "error.429.do")
	case status >= 500:
		return T(ctx, "error.500.do")
	}
	return T(ctx, "error.400.do")
}
