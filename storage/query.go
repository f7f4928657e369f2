package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
)

// scanner is what *sql.Row and *sql.Rows share.
type scanner interface{ Scan(dest ...any) error }

// querier is what a transaction and the pool of readers share.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func list[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, explain(fmt.Errorf("query: %w", err))
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, explain(fmt.Errorf("scan: %w", err))
		}
		all = append(all, one)
	}
	return all, explain(rows.Err())
}

// scanKey reads the key of a blob.
func scanKey(s scanner) (string, error) {
	var key string
	err := s.Scan(&key)
	return key, err
}

// one reads a single row; what names the thing for the NotFound error.
func one[T any](ctx context.Context, q querier, what string, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	v, err := scan(q.QueryRowContext(ctx, query, args...))
	if err == sql.ErrNoRows {
		return v, fail(NotFound, "there is no such %s", what)
	}
	if err != nil {
		return v, explain(fmt.Errorf("read the %s: %w", what, err))
	}
	return v, nil
}

// where gathers the conditions of a filter.
type where struct {
	terms []string
	args  []any
}

func (w *where) add(term string, args ...any) {
	w.terms = append(w.terms, term)
	w.args = append(w.args, args...)
}

func (w *where) String() string {
	if len(w.terms) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.terms, " AND ")
}

func marshal(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("storage: %T is not JSON: %v", v, err)) // only plain structs of ours come here
	}
	return string(data)
}
