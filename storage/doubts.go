package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"loupe/vision"
)

// ReasonKind is why a frame is doubtful.
type ReasonKind string

const (
	Blurred       ReasonKind = "blurred"
	Dark          ReasonKind = "dark"
	Overexposed   ReasonKind = "overexposed"
	WrongSize     ReasonKind = "wrong_size"
	WrongPart     ReasonKind = "wrong_part"     // it looks like a part of another recipe
	Unusual       ReasonKind = "unusual"        // it looks like no training frame
	Duplicate     ReasonKind = "duplicate"      // the same file as another frame
	NearDuplicate ReasonKind = "near_duplicate" // hardly another picture than another frame
)

// Reason speaks against training on a frame. Value is what was measured and Low
// to High what is usual; the unit is that of vision.Quality, for WrongSize pixels
// (the width, or where it is usual, the height), for Unusual and WrongPart a
// distance of which the usual is below High.
type Reason struct {
	Kind   ReasonKind `json:"kind"`
	Value  float64    `json:"value"`
	Low    float64    `json:"low"`
	High   float64    `json:"high"`
	Frame  int64      `json:"frame,omitempty"`  // that it repeats
	Recipe string     `json:"recipe,omitempty"` // whose part it looks like
	Width  int        `json:"width,omitempty"`  // of the picture, for WrongSize
	Height int        `json:"height,omitempty"`
}

// Odd reports whether the reason is about what is in the picture rather than the
// picture itself. A person who says what it is has settled it.
func (r Reason) Odd() bool { return r.Kind == Unusual || r.Kind == WrongPart }

// DoubtState says what became of a doubt.
type DoubtState string

const (
	DoubtOpen DoubtState = "open" // nobody decided: the frame is left out
	DoubtOut  DoubtState = "out"  // a person keeps it out
	DoubtUsed DoubtState = "used" // a person lets it in
)

// Doubt is what the guard holds against a frame, and what a person says to it.
type Doubt struct {
	FrameID   int64
	RecipeID  int64
	StationID int64 // 0 for an imported frame
	Reasons   []Reason
	State     DoubtState
	At        time.Time
	Person    string // who decided
	DecidedAt time.Time

	Label          string // of the frame
	Serial         string
	PictureRemoved bool
	Quality        *vision.Quality
}

// The values of frames.left_out.
const (
	leftIn       = 0
	leftOut      = 1 // of training
	leftOutWhole = 2 // and of the test, for it would be tested twice
)

func leftOutBy(reasons []Reason) int {
	if slices.ContainsFunc(reasons, func(r Reason) bool { return r.Kind == Duplicate || r.Kind == NearDuplicate }) {
		return leftOutWhole
	}
	return leftOut
}

// addDoubt stores what speaks against a frame. One that somebody labelled
// already is not odd any more.
func (db *DB) addDoubt(tx *sql.Tx, f Frame, reasons []Reason) error {
	if f.Label != "" {
		reasons = slices.DeleteFunc(slices.Clone(reasons), Reason.Odd)
	}
	if len(reasons) == 0 {
		return nil
	}
	res, err := tx.Exec(`INSERT INTO doubts (frame_id, recipe_id, station_id, reasons_json, state, at) VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING`,
		f.ID, f.RecipeID, nullID(f.StationID), marshal(reasons), DoubtOpen, millis(db.now()))
	if err != nil {
		return fmt.Errorf("store a doubt: %w", err)
	}
	if n, _ := res.RowsAffected(); n == 0 {
		return nil
	}
	_, err = tx.Exec(`UPDATE frames SET left_out = ? WHERE id = ?`, leftOutBy(reasons), f.ID)
	return err
}

// DoubtFrames stores what speaks against frames that are there already, such as
// imported ones. Those with a doubt keep it.
func (db *DB) DoubtFrames(ctx context.Context, recipeID int64, reasons map[int64][]Reason) error {
	if len(reasons) == 0 {
		return nil
	}
	err := db.change(ctx, func(tx *sql.Tx) error {
		for id, r := range reasons {
			f, err := one(ctx, tx, "frame", scanFrame, `SELECT `+frameColumns+` FROM frames f WHERE f.id = ?`, id)
			if err != nil {
				return err
			}
			if err := db.addDoubt(tx, f, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		db.emit(Event{Kind: FrameDoubted, RecipeID: recipeID})
	}
	return err
}

// settleOdd lets a frame in of which a person says what it is, where nothing
// but its oddness spoke against it.
func (db *DB) settleOdd(ctx context.Context, tx *sql.Tx, f Frame, c Correction) error {
	if c.Class == "" || c.Source != "page" && c.Source != "api" {
		return nil
	}
	d, err := one(ctx, tx, "doubt", scanDoubt, doubtQuery+` WHERE d.frame_id = ? AND d.state = 'open'`, f.ID)
	if CodeOf(err) == NotFound {
		return nil
	}
	if err != nil || slices.ContainsFunc(d.Reasons, func(r Reason) bool { return !r.Odd() }) {
		return err
	}
	return db.decideDoubt(tx, c.Person, d, DoubtUsed)
}

func (db *DB) decideDoubt(tx *sql.Tx, by string, d Doubt, to DoubtState) error {
	if _, err := tx.Exec(`UPDATE doubts SET state = ?, person = ?, decided_at = ? WHERE frame_id = ?`, to, by, millis(db.now()), d.FrameID); err != nil {
		return err
	}
	out := leftIn
	if to != DoubtUsed {
		out = leftOutBy(d.Reasons)
	}
	if _, err := tx.Exec(`UPDATE frames SET left_out = ? WHERE id = ?`, out, d.FrameID); err != nil {
		return err
	}
	return db.audit(tx, by, "guard."+string(to), fmt.Sprintf("frame %d", d.FrameID), d.State, to)
}

// MostDecided bounds how many doubts are decided at once.
const MostDecided = 1000

// DecideDoubts stores what a person says to the doubts of a recipe's frames: to
// use them for training, or to keep them out. All or none; it says how many it
// changed.
func (db *DB) DecideDoubts(ctx context.Context, by string, recipeID int64, frames []int64, to DoubtState) (n int, err error) {
	if to != DoubtOut && to != DoubtUsed {
		return 0, fail(Invalid, `decide "used" or "out"`)
	}
	if len(frames) == 0 || len(frames) > MostDecided {
		return 0, fail(Invalid, "name 1 to %d frames", MostDecided)
	}
	err = db.change(ctx, func(tx *sql.Tx) error {
		n = 0
		for _, id := range frames {
			d, err := one(ctx, tx, "doubt", scanDoubt, doubtQuery+` WHERE d.frame_id = ? AND d.recipe_id = ?`, id, recipeID)
			if CodeOf(err) == NotFound {
				return fail(NotFound, "nothing was held against frame %d in this recipe", id)
			}
			if err != nil {
				return err
			}
			if d.State == to {
				continue
			}
			n++
			if err := db.decideDoubt(tx, by, d, to); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && n > 0 {
		db.emit(Event{Kind: FrameDoubted, RecipeID: recipeID})
	}
	return n, err
}

const doubtQuery = `SELECT d.frame_id, d.recipe_id, d.station_id, d.reasons_json, d.state, d.at, d.person, d.decided_at, f.label, f.serial,
	f.picture_removed_at IS NOT NULL, f.quality_json FROM doubts d JOIN frames f ON f.id = d.frame_id`

func scanDoubt(s scanner) (Doubt, error) {
	var d Doubt
	var station, decided sql.NullInt64
	var label, quality sql.NullString
	var reasons string
	var at int64
	err := s.Scan(&d.FrameID, &d.RecipeID, &station, &reasons, &d.State, &at, &d.Person, &decided, &label, &d.Serial, &d.PictureRemoved, &quality)
	if err != nil {
		return d, err
	}
	d.StationID, d.Label, d.At, d.DecidedAt = station.Int64, label.String, fromMillis(at), fromNullMillis(decided)
	if d.Quality, err = readQuality(quality); err != nil {
		return d, err
	}
	return d, json.Unmarshal([]byte(reasons), &d.Reasons)
}

// listDoubtsQuery takes the recipe, the state, the frame before which to begin
// and the limit.
const listDoubtsQuery = doubtQuery + ` WHERE d.recipe_id = ? AND d.state = ? AND d.frame_id < ? ORDER BY d.frame_id DESC LIMIT ?`

// Doubts lists a recipe's doubts of one state, newest frame first: at most limit
// with a frame ID below before (0 for the newest).
func (db *DB) Doubts(ctx context.Context, recipeID int64, state DoubtState, before int64, limit int) ([]Doubt, error) {
	if before <= 0 {
		before = 1 << 62
	}
	return list(ctx, db.read, scanDoubt, listDoubtsQuery, recipeID, state, before, limit)
}

// Doubt finds what was held against a frame.
func (db *DB) Doubt(ctx context.Context, frameID int64) (Doubt, error) {
	return one(ctx, db.read, "doubt", scanDoubt, doubtQuery+` WHERE d.frame_id = ?`, frameID)
}

// DoubtCount is how many frames of a recipe are doubtful.
type DoubtCount struct {
	Open, Out, Used int
	Labelled        int // of Open and Out together: training would use them otherwise
}

const (
	countDoubtsQuery   = `SELECT state, count(*) FROM doubts WHERE recipe_id = ? GROUP BY state`
	countLeftOutsQuery = `SELECT count(*) FROM frames WHERE recipe_id = ? AND label IS NOT NULL AND left_out > 0 AND picture_removed_at IS NULL`
)

// CountDoubts counts a recipe's doubtful frames.
func (db *DB) CountDoubts(ctx context.Context, recipeID int64) (DoubtCount, error) {
	var c DoubtCount
	counts, err := list(ctx, db.read, func(s scanner) (row struct {
		state DoubtState
		n     int
	}, err error) {
		return row, s.Scan(&row.state, &row.n)
	}, countDoubtsQuery, recipeID)
	for _, row := range counts {
		switch row.state {
		case DoubtOpen:
			c.Open = row.n
		case DoubtOut:
			c.Out = row.n
		default:
			c.Used = row.n
		}
	}
	if err != nil {
		return c, err
	}
	err = db.read.QueryRowContext(ctx, countLeftOutsQuery, recipeID).Scan(&c.Labelled)
	return c, explain(err)
}

// SameFile finds the first other frame of a recipe with the same file, 0 for none.
func (db *DB) SameFile(ctx context.Context, f Frame) (id int64, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT id FROM frames WHERE blob_key = ? AND +recipe_id = ? AND id < ? ORDER BY id LIMIT 1`, f.BlobKey, f.RecipeID, f.ID).Scan(&id)
	if err == sql.ErrNoRows {
		return 0, nil
	}
	return id, explain(err)
}

func readQuality(text sql.NullString) (*vision.Quality, error) {
	if !text.Valid {
		return nil, nil
	}
	q := new(vision.Quality)
	return q, json.Unmarshal([]byte(text.String), q)
}

func writeQuality(q *vision.Quality) sql.NullString {
	if q == nil {
		return sql.NullString{}
	}
	return sql.NullString{String: marshal(q), Valid: true}
}
