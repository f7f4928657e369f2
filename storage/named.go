package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// namedBlob is a blob that a database names.
type namedBlob struct {
	key  string
	size int64 // bytes, −1 where the database does not know
}

// namedSQL lists the blobs that a database names, some more than once; %s is
// which frames still have a picture. A version's model file is among them only
// where it judges frames or nothing else can rebuild it.
const namedSQL = `SELECT blob_key AS key, bytes AS size FROM frames WHERE %s
	UNION ALL SELECT head_key, -1 FROM versions WHERE head_key <> ''
	UNION ALL SELECT model_key, -1 FROM versions v WHERE head_key = '' OR EXISTS (SELECT 1 FROM recipes r WHERE r.champion_id = v.id)`

// pictured is the condition for a frame that still has its picture. A snapshot
// of an earlier Loupe knows of no pictures that were removed on purpose.
func pictured(ctx context.Context, q querier) (string, error) {
	var knows bool
	err := q.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pragma_table_info('frames') WHERE name = 'picture_removed_at')`).Scan(&knows)
	if err != nil || !knows {
		return "true", explain(err)
	}
	return "picture_removed_at IS NULL", nil
}

// names reads which blobs a database file names that nobody writes.
type names struct {
	db  *sql.DB
	sql string
}

func openNames(ctx context.Context, path string) (*names, error) {
	db, err := openSnapshot(path)
	if err != nil {
		return nil, err
	}
	condition, err := pictured(ctx, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &names{db: db, sql: fmt.Sprintf(namedSQL, condition)}, nil
}

func (n *names) Close() error { return n.db.Close() }

// sum is how many blobs there are, and the bytes of those whose size is known.
func (n *names) sum(ctx context.Context) (blobs int, bytes int64, err error) {
	err = n.db.QueryRowContext(ctx, `SELECT count(*), ifnull(sum(max(size, 0)), 0) FROM (SELECT key, max(size) AS size FROM (`+n.sql+`) GROUP BY key)`).Scan(&blobs, &bytes)
	return blobs, bytes, explain(err)
}

// each calls do once for every blob, in order of their keys.
func (n *names) each(ctx context.Context, do func(namedBlob) error) error {
	rows, err := n.db.QueryContext(ctx, `SELECT key, max(size) FROM (`+n.sql+`) GROUP BY key ORDER BY key`)
	if err != nil {
		return explain(fmt.Errorf("list the named blobs: %w", err))
	}
	defer rows.Close()
	for rows.Next() {
		var b namedBlob
		if err := rows.Scan(&b.key, &b.size); err != nil {
			return explain(fmt.Errorf("list the named blobs: %w", err))
		}
		if err := do(b); err != nil {
			return err
		}
	}
	return explain(rows.Err())
}

func (n *names) has(ctx context.Context, key string) (named bool, err error) {
	err = n.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM (`+n.sql+`) WHERE key = ?)`, key).Scan(&named)
	return named, explain(err)
}

// without gives those of the keys that the database does not name.
func (n *names) without(ctx context.Context, keys []string) (left []string, err error) {
	for _, key := range keys {
		named, err := n.has(ctx, key)
		if err != nil {
			return nil, err
		}
		if !named {
			left = append(left, key)
		}
	}
	return left, nil
}

// owners are the frames and versions that lose something with a blob. There is
// none for what was removed on purpose, or for a model file that its head can
// rebuild.
func owners(ctx context.Context, q querier, key string) (frames, versions []int64, err error) {
	condition, err := pictured(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	if frames, err = list(ctx, q, scanID, `SELECT id FROM frames WHERE blob_key = ? AND `+condition+` ORDER BY id`, key); err != nil {
		return nil, nil, err
	}
	versions, err = list(ctx, q, scanID, `SELECT id FROM versions WHERE head_key = ?1 OR (head_key = '' AND model_key = ?1) ORDER BY id`, key)
	return frames, versions, err
}
