package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"loupe/vision"
)

// FrameState says where a frame is on its way.
type FrameState string

const (
	Pending     FrameState = "pending"     // waits to be judged
	Judged      FrameState = "judged"      // has its inspection
	Quarantined FrameState = "quarantined" // could not be judged; a person decides
	Discarded   FrameState = "discarded"   // a person gave it up, or newer frames went first
	Kept        FrameState = "kept"        // imported for learning, never to be judged live
)

// MaxDeaths is how many workers may die over a frame before it is quarantined.
const MaxDeaths = 3

// Frame is one image from a station or an import.
type Frame struct {
	ID             int64
	StationID      int64 // 0 for an imported frame
	RecipeID       int64
	BlobKey        string
	Format         string // "jpeg", "png", "bmp", "tiff" or "webp"
	Bytes          int64
	Width          int // of the upright picture, pixels
	Height         int
	Orientation    int // EXIF, 1–8
	Serial         string
	Lot            string
	Source         string // file name of an imported frame
	TakenAt        time.Time
	ReceivedAt     time.Time
	Readings       map[string]any // numbers and strings by name
	IdempotencyKey string
	State          FrameState
	Deaths         int
	Trouble        string // why it is quarantined, for a person
	Label          string // class of the correction in force, "" for none
	LabelID        int64  // that correction
	Disagreed      bool   // people's last corrections differ
	Share          string // "train", "test" or "" before it is labelled

	PictureRemovedAt time.Time // by the recipe's KeepRule; zero while it is kept
	Origin           Origin    // of an imported frame
	Quality          *vision.Quality
	LeftOut          bool // of training, by the guard
}

// Origin is what is known of an imported frame from where it was before.
type Origin struct {
	Part       string     `json:"part,omitempty"`        // frames with the same one lie on one side of the split, whatever their serials
	Station    string     `json:"station,omitempty"`     // that sent it
	LabelledBy string     `json:"labelled_by,omitempty"` // who said what it is
	LabelledAt *time.Time `json:"labelled_at,omitempty"`
	Note       string     `json:"note,omitempty"` // on the label
}

const frameColumns = `f.id, f.station_id, f.recipe_id, f.blob_key, f.format, f.bytes, f.width, f.height, f.orientation, f.serial, f.lot, f.source,
	f.taken_at, f.received_at, f.readings_json, f.idempotency_key, f.state, f.deaths, f.trouble, f.label, f.label_id, f.disagreed, f.share,
	f.picture_removed_at, f.origin_json, f.quality_json, f.left_out > 0`

// frameRow receives a row of frameColumns.
type frameRow struct {
	f                 Frame
	station, labelID  sql.NullInt64
	removed           sql.NullInt64
	taken, received   int64
	readings, origin  string
	key, label, share sql.NullString
	quality           sql.NullString
}

func (r *frameRow) dest() []any {
	f := &r.f
	return []any{&f.ID, &r.station, &f.RecipeID, &f.BlobKey, &f.Format, &f.Bytes, &f.Width, &f.Height, &f.Orientation, &f.Serial, &f.Lot, &f.Source,
		&r.taken, &r.received, &r.readings, &r.key, &f.State, &f.Deaths, &f.Trouble, &r.label, &r.labelID, &f.Disagreed, &r.share, &r.removed, &r.origin, &r.quality, &f.LeftOut}
}

func (r *frameRow) frame() (Frame, error) {
	f := r.f
	f.StationID, f.LabelID = r.station.Int64, r.labelID.Int64
	f.TakenAt, f.ReceivedAt = fromMillis(r.taken), fromMillis(r.received)
	f.PictureRemovedAt = fromNullMillis(r.removed)
	f.IdempotencyKey, f.Label, f.Share = r.key.String, r.label.String, r.share.String
	if err := json.Unmarshal([]byte(r.origin), &f.Origin); err != nil {
		return f, err
	}
	var err error
	if f.Quality, err = readQuality(r.quality); err != nil {
		return f, err
	}
	return f, json.Unmarshal([]byte(r.readings), &f.Readings)
}

func scanFrame(s scanner) (Frame, error) {
	var r frameRow
	if err := s.Scan(r.dest()...); err != nil {
		return r.f, err
	}
	return r.frame()
}

// AddFrame stores the row of a frame whose blob is on disk already, Pending
// unless f.State is Kept. With an idempotency key that the station used before,
// it gives the earlier frame and false, or a Conflict where the picture differs.
// A station that is too far behind is refused as Behind, or its oldest frame is
// dropped, as the recipe's QueueRule says.
func (db *DB) AddFrame(ctx context.Context, f Frame) (Frame, bool, error) {
	if f.State != Kept {
		f.State = Pending
	}
	f.ReceivedAt = db.now()
	if f.TakenAt.IsZero() {
		f.TakenAt = f.ReceivedAt
	}
	if f.Readings == nil {
		f.Readings = map[string]any{}
	}
	added := false
	var dropped int64
	err := db.change(ctx, func(tx *sql.Tx) error {
		if f.StationID != 0 {
			if _, err := tx.Exec(`UPDATE stations SET last_seen_at = ? WHERE id = ?`, millis(f.ReceivedAt), f.StationID); err != nil {
				return err
			}
		}
		old, there, err := earlierFrame(ctx, tx, f)
		if err != nil {
			return err
		}
		if there {
			f = old
			return nil
		}
		if err := keepBlob(ctx, tx, f.BlobKey); err != nil {
			return err
		}
		if f.State == Pending {
			if dropped, err = db.makeRoom(ctx, tx, f); err != nil {
				return err
			}
		}
		added = true
		return insertFrame(tx, &f)
	})
	if err == nil && dropped != 0 {
		db.emit(Event{Kind: FrameDropped, ID: dropped, RecipeID: f.RecipeID, StationID: f.StationID})
	}
	if err == nil && added {
		copied := f
		db.emit(Event{Kind: FrameAdded, ID: f.ID, RecipeID: f.RecipeID, StationID: f.StationID, Frame: &copied})
	}
	return f, added, err
}

func earlierFrame(ctx context.Context, q querier, f Frame) (Frame, bool, error) {
	if f.IdempotencyKey == "" || f.StationID == 0 {
		return f, false, nil
	}
	old, err := one(ctx, q, "frame", scanFrame, `SELECT `+frameColumns+` FROM frames f WHERE f.station_id = ? AND f.idempotency_key = ?`, f.StationID, f.IdempotencyKey)
	if CodeOf(err) == NotFound {
		return f, false, nil
	}
	if err == nil && old.BlobKey != f.BlobKey {
		return f, false, fail(Conflict, "the idempotency key %q was used for another picture: use a new key for each frame", f.IdempotencyKey)
	}
	return old, true, err
}

func insertFrame(tx *sql.Tx, f *Frame) error {
	readings, err := json.Marshal(f.Readings)
	if err != nil {
		return fail(Invalid, "the readings must be a JSON object of numbers and strings")
	}
	attention := attentionUnlabelled
	res, err := tx.Exec(`INSERT INTO frames (station_id, recipe_id, blob_key, format, bytes, width, height, orientation, serial, lot, source, part_key,
		taken_at, received_at, readings_json, idempotency_key, state, attention, origin_json) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`,
		nullID(f.StationID), f.RecipeID, f.BlobKey, f.Format, f.Bytes, f.Width, f.Height, f.Orientation, f.Serial, f.Lot, f.Source, partKey(*f),
		millis(f.TakenAt), millis(f.ReceivedAt), string(readings), sql.NullString{String: f.IdempotencyKey, Valid: f.IdempotencyKey != ""}, f.State, attention, marshal(f.Origin))
	if err != nil {
		return fmt.Errorf("store the frame: %w", err)
	}
	f.ID, err = res.LastInsertId()
	return err
}

// Frame finds a frame by ID.
func (db *DB) Frame(ctx context.Context, id int64) (Frame, error) {
	return one(ctx, db.read, "frame", scanFrame, `SELECT `+frameColumns+` FROM frames f WHERE f.id = ?`, id)
}

// FrameByKey finds a station's frame by its idempotency key.
func (db *DB) FrameByKey(ctx context.Context, stationID int64, key string) (Frame, error) {
	return one(ctx, db.read, "frame", scanFrame, `SELECT `+frameColumns+` FROM frames f WHERE f.station_id = ? AND f.idempotency_key = ?`, stationID, key)
}

// RecordDeath notes that a worker died over a frame. The third death puts the
// frame in quarantine; the result says whether it is there now.
func (db *DB) RecordDeath(ctx context.Context, frameID int64, trouble string) (quarantined bool, err error) {
	err = db.change(ctx, func(tx *sql.Tx) error {
		var deaths int
		if err := tx.QueryRow(`UPDATE frames SET deaths = deaths + 1, trouble = ? WHERE id = ? AND state = 'pending' RETURNING deaths`, trouble, frameID).Scan(&deaths); err != nil {
			return err
		}
		if quarantined = deaths >= MaxDeaths; !quarantined {
			return nil
		}
		_, err := tx.Exec(`UPDATE frames SET state = 'quarantined' WHERE id = ?`, frameID)
		return err
	})
	if err == nil && quarantined {
		db.emit(Event{Kind: FrameTroubled, ID: frameID})
	}
	return quarantined, err
}

// Quarantine takes a pending frame that cannot be judged out of the queue.
func (db *DB) Quarantine(ctx context.Context, frameID int64, trouble string) error {
	return db.setState(ctx, "", frameID, Pending, Quarantined, trouble)
}

// Release puts a quarantined frame back into the queue, its deaths forgotten.
func (db *DB) Release(ctx context.Context, by string, frameID int64) error {
	return db.setState(ctx, by, frameID, Quarantined, Pending, "")
}

// Discard gives a quarantined frame up; its row and picture stay.
func (db *DB) Discard(ctx context.Context, by string, frameID int64) error {
	return db.setState(ctx, by, frameID, Quarantined, Discarded, "")
}

func (db *DB) setState(ctx context.Context, by string, id int64, from, to FrameState, trouble string) error {
	err := db.change(ctx, func(tx *sql.Tx) error {
		res, err := tx.Exec(`UPDATE frames SET state = ?, deaths = CASE ? WHEN 'pending' THEN 0 ELSE deaths END,
			trouble = CASE ? WHEN '' THEN trouble ELSE ? END WHERE id = ? AND state = ?`, to, to, trouble, trouble, id, from)
		if err != nil {
			return err
		}
		if n, _ := res.RowsAffected(); n == 0 {
			return fail(Conflict, "frame %d is not %s", id, from)
		}
		if by == "" {
			return nil
		}
		return db.audit(tx, by, "frame."+string(to), fmt.Sprintf("frame %d", id), from, to)
	})
	if err == nil {
		db.emit(Event{Kind: FrameTroubled, ID: id})
		if to == Pending {
			if f, err := db.Frame(ctx, id); err == nil {
				db.emit(Event{Kind: FrameAdded, ID: id, RecipeID: f.RecipeID, StationID: f.StationID, Frame: &f})
			}
		}
	}
	return err
}

// QuarantinedFrames lists frames that a person must decide about, newest first.
func (db *DB) QuarantinedFrames(ctx context.Context, limit int) ([]Frame, error) {
	return list(ctx, db.read, scanFrame, `SELECT `+frameColumns+` FROM frames f WHERE f.state = 'quarantined' ORDER BY f.id DESC LIMIT ?`, limit)
}

// TouchStation notes that a station was heard of without a frame.
func (db *DB) TouchStation(ctx context.Context, id int64) error {
	return db.change(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec(`UPDATE stations SET last_seen_at = ? WHERE id = ?`, millis(db.now()), id)
		return err
	})
}
