package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"
)

// ExportFrame is a labelled frame with everything that is known of it.
type ExportFrame struct {
	Frame           // with the label and share that are asked for, which may not be those in force
	Station  string // that sent it, here or elsewhere; "" for none
	Labelled Labelled
	Marks    []Mark
}

// Labelled says who gave a frame its label. At is zero where nobody knows.
type Labelled struct {
	By   string
	At   time.Time
	Note string
}

// exportBatch is how many frames are read at a time.
const exportBatch = 1000

// ExportFrames reads all that is known of frames, labelled as the list says, in
// the order of the list.
func (db *DB) ExportFrames(ctx context.Context, frames []LabelledFrame) ([]ExportFrame, error) {
	all := make([]ExportFrame, 0, len(frames))
	for len(frames) > 0 {
		n := min(len(frames), exportBatch)
		some, err := db.exportFrames(ctx, frames[:n])
		if err != nil {
			return nil, err
		}
		all, frames = append(all, some...), frames[n:]
	}
	return all, nil
}

func (db *DB) exportFrames(ctx context.Context, frames []LabelledFrame) ([]ExportFrame, error) {
	triples := make([][3]int64, len(frames))
	for i, f := range frames {
		triples[i] = [3]int64{f.FrameID, f.LabelID, f.MarkingID}
	}
	all, err := list(ctx, db.read, scanExport, `SELECT `+frameColumns+`, ifnull(s.name, ''), c.person, c.at, c.note, c.source, m.marks_json
		FROM json_each(?) j CROSS JOIN frames f ON f.id = j.value ->> 0 JOIN corrections c ON c.id = j.value ->> 1
		LEFT JOIN stations s ON s.id = f.station_id LEFT JOIN markings m ON m.id = j.value ->> 2 ORDER BY j.key`, marshal(triples))
	if err != nil {
		return nil, err
	}
	if len(all) != len(frames) {
		return nil, fail(NotFound, "%d of the frames or their labels are not there", len(frames)-len(all))
	}
	for i, f := range frames {
		all[i].Label, all[i].LabelID, all[i].Share = f.Class, f.LabelID, f.Share
	}
	return all, nil
}

func scanExport(s scanner) (ExportFrame, error) {
	var row frameRow
	var e ExportFrame
	var at int64
	var source string
	var marks sql.NullString
	if err := s.Scan(append(row.dest(), &e.Station, &e.Labelled.By, &at, &e.Labelled.Note, &source, &marks)...); err != nil {
		return e, err
	}
	f, err := row.frame()
	if err != nil {
		return e, err
	}
	e.Frame, e.Labelled.At = f, fromMillis(at)
	if e.Station == "" {
		e.Station = f.Origin.Station
	}
	if source == "import" && f.Origin.LabelledBy != "" {
		e.Labelled = Labelled{By: f.Origin.LabelledBy, Note: f.Origin.Note}
		if f.Origin.LabelledAt != nil {
			e.Labelled.At = *f.Origin.LabelledAt
		}
	}
	if marks.Valid {
		err = json.Unmarshal([]byte(marks.String), &e.Marks)
	}
	return e, err
}
