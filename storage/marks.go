package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"
)

// Shapes of a Mark.
const (
	BoxShape     = "box"
	PolygonShape = "polygon"
	MaskShape    = "mask"
)

// Bounds of what one frame may be marked with.
const (
	MostMarks  = 10_000  // of a frame
	MostPoints = 200_000 // numbers in the outlines or runs of one mark
)

// Mark is one place of a frame that shows a class. Coordinates are shares of the
// upright picture's width and height; they may reach over its edge.
type Mark struct {
	Class    string                     `json:"class"`
	Shape    string                     `json:"shape"`              // BoxShape, PolygonShape or MaskShape
	Box      [4]float64                 `json:"box"`                // left, top, width, height; around the polygon or mask too
	Polygons [][]float64                `json:"polygons,omitempty"` // outlines x, y, x, y, … of a polygon, each of three points at least
	Mask     *Mask                      `json:"mask,omitempty"`
	Extra    map[string]json.RawMessage `json:"extra,omitempty"` // what else the file said that it came from
}

// Mask is a run-length encoded mask as COCO has it: runs of 0 and 1 in turn, down
// each column of the upright picture. One of Counts and Packed is set.
type Mask struct {
	Size   [2]int `json:"size"`             // height, width
	Counts []int  `json:"counts,omitempty"` // lengths of the runs
	Packed string `json:"packed,omitempty"` // the runs in COCO's compressed form
}

// Check says what is wrong with a mark; nil for a good one.
func (m Mark) Check() error {
	if m.Class == "" || len(m.Class) > 200 {
		return fail(Invalid, "a region needs a class of at most 200 bytes")
	}
	for _, v := range m.Box {
		if !within(v) {
			return fail(Invalid, "the region of %q is not in the picture", m.Class)
		}
	}
	b := m.Box
	if b[2] <= 0 || b[3] <= 0 || b[0] >= 1 || b[1] >= 1 || b[0]+b[2] <= 0 || b[1]+b[3] <= 0 {
		return fail(Invalid, "the region of %q covers nothing of the picture", m.Class)
	}
	points := 0
	for _, p := range m.Polygons {
		points += len(p)
		if len(p) < 6 || len(p)%2 != 0 || slices.ContainsFunc(p, func(v float64) bool { return !within(v) }) {
			return fail(Invalid, "an outline of %q needs three points or more, in the picture", m.Class)
		}
	}
	switch {
	case points > MostPoints:
		return fail(Invalid, "the outline of %q has more than %d numbers", m.Class, MostPoints)
	case m.Shape == PolygonShape && points == 0, m.Shape == MaskShape && m.Mask == nil:
		return fail(Invalid, "the %s of %q is empty", m.Shape, m.Class)
	case !slices.Contains([]string{BoxShape, PolygonShape, MaskShape}, m.Shape):
		return fail(Invalid, "a region cannot be a %q", m.Shape)
	case m.Mask != nil:
		return m.Mask.check()
	}
	return nil
}

// within bounds a coordinate: some tools draw a little over the edge.
func within(v float64) bool { return !math.IsNaN(v) && v >= -1 && v <= 2 }

func (m *Mask) check() error {
	counts, err := m.Runs()
	if err != nil {
		return err
	}
	area := 0
	for _, n := range counts {
		if n < 0 || n > math.MaxInt32 {
			return fail(Invalid, "a mask has a run of %d pixels", n)
		}
		area += n
	}
	if m.Size[0] <= 0 || m.Size[1] <= 0 || m.Size[0] > 1<<20 || m.Size[1] > 1<<20 || area != m.Size[0]*m.Size[1] {
		return fail(Invalid, "the runs of a mask cover %d pixels, not %d × %d", area, m.Size[1], m.Size[0])
	}
	return nil
}

// Runs gives the lengths of the runs; Invalid where the packed form is broken.
// The form is that of the COCO API (maskApi.c, rleFrString).
func (m *Mask) Runs() ([]int, error) {
	if m.Packed == "" {
		if len(m.Counts) > MostPoints {
			return nil, fail(Invalid, "a mask has more than %d runs", MostPoints)
		}
		return m.Counts, nil
	}
	if len(m.Packed) > 7*MostPoints {
		return nil, fail(Invalid, "a mask has more than %d runs", MostPoints)
	}
	var counts []int
	for at := 0; at < len(m.Packed); {
		x, bits := 0, 0
		for {
			if at == len(m.Packed) || bits > 35 {
				return nil, fail(Invalid, "the packed runs of a mask are broken")
			}
			c := int(m.Packed[at]) - 48
			at++
			if c < 0 || c > 63 {
				return nil, fail(Invalid, "the packed runs of a mask are broken")
			}
			x |= (c & 0x1f) << bits
			bits += 5
			if c&0x20 == 0 {
				if c&0x10 != 0 {
					x |= -1 << bits
				}
				break
			}
		}
		if n := len(counts); n > 2 {
			x += counts[n-2]
		}
		counts = append(counts, x)
	}
	return counts, nil
}

// Marking is what a person or an import marked in a frame at a time. It is never
// changed, only followed by another; the last one is in force.
type Marking struct {
	ID      int64
	FrameID int64
	Marks   []Mark // none takes back what was marked before
	Person  string
	Source  string // "import", "page" or "api"
	At      time.Time
}

func (db *DB) mark(ctx context.Context, tx *sql.Tx, recipeID int64, m Marking) (int64, error) {
	if len(m.Marks) > MostMarks {
		return 0, fail(Invalid, "a frame can have at most %d regions", MostMarks)
	}
	for _, one := range m.Marks {
		if err := one.Check(); err != nil {
			return 0, err
		}
	}
	if m.Marks == nil {
		m.Marks = []Mark{}
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO markings (frame_id, recipe_id, marks_json, person, source, at) VALUES (?,?,?,?,?,?)`,
		m.FrameID, recipeID, marshal(m.Marks), m.Person, m.Source, millis(db.now()))
	if err != nil {
		return 0, fmt.Errorf("store the regions: %w", err)
	}
	id, err := res.LastInsertId()
	if err != nil {
		return 0, err
	}
	return id, db.audit(tx, m.Person, "regions."+m.Source, fmt.Sprintf("frame %d", m.FrameID), nil, map[string]int{"regions": len(m.Marks)})
}

const markingColumns = `id, frame_id, marks_json, person, source, at`

func scanMarking(s scanner) (Marking, error) {
	var m Marking
	var marks string
	var at int64
	if err := s.Scan(&m.ID, &m.FrameID, &marks, &m.Person, &m.Source, &at); err != nil {
		return m, err
	}
	m.At = fromMillis(at)
	return m, json.Unmarshal([]byte(marks), &m.Marks)
}

// Markings lists what was marked in a frame, oldest first: the last is in force.
func (db *DB) Markings(ctx context.Context, frameID int64) ([]Marking, error) {
	return list(ctx, db.read, scanMarking, `SELECT `+markingColumns+` FROM markings WHERE frame_id = ? ORDER BY id`, frameID)
}

// MarksInForce gives what is marked in the frames of a data set, by frame ID; none
// for a frame without marks.
func (db *DB) MarksInForce(ctx context.Context, frames []LabelledFrame) (map[int64][]Mark, error) {
	var ids []int64
	for _, f := range frames {
		if f.MarkingID > 0 {
			ids = append(ids, f.MarkingID)
		}
	}
	all := make(map[int64][]Mark, len(ids))
	for some := range slices.Chunk(ids, exportBatch) {
		markings, err := list(ctx, db.read, scanMarking, `SELECT m.id, m.frame_id, m.marks_json, m.person, m.source, m.at
			FROM json_each(?) j CROSS JOIN markings m ON m.id = j.value`, marshal(some))
		if err != nil {
			return nil, err
		}
		for _, m := range markings {
			all[m.FrameID] = m.Marks
		}
	}
	return all, nil
}

// SetMarks stores what a person marked in a frame, in place of what was marked
// before; no marks take it back. Invalid for a class that the recipe does not have
// in use.
func (db *DB) SetMarks(ctx context.Context, m Marking) (Marking, error) {
	err := db.change(ctx, func(tx *sql.Tx) error {
		var recipe int64
		err := tx.QueryRowContext(ctx, `SELECT recipe_id FROM frames WHERE id = ?`, m.FrameID).Scan(&recipe)
		if err == sql.ErrNoRows {
			return fail(NotFound, "there is no frame %d", m.FrameID)
		}
		if err != nil {
			return err
		}
		for _, one := range m.Marks {
			var known bool
			if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM classes WHERE recipe_id = ? AND name = ? AND archived_at IS NULL)`, recipe, one.Class).Scan(&known); err != nil {
				return err
			}
			if !known {
				return fail(Invalid, "the recipe has no class %q", one.Class)
			}
		}
		m.At = db.now()
		m.ID, err = db.mark(ctx, tx, recipe, m)
		return err
	})
	return m, err
}
