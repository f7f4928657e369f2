package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"loupe/vision"
)

// Opinion is what one version says about a frame.
type Opinion struct {
	VersionID int64
	Verdict   vision.Verdict
	Class     string
	Score     float64 // of the class
	Fail      float64 // summed probability of the failing classes
}

// ShadowInspection is a frame that a challenger judged in shadow after the
// champion had judged it.
type ShadowInspection struct {
	ID         int64
	ShadowID   int64
	FrameID    int64
	Challenger Opinion
	Champion   Opinion

	Probabilities []vision.Probability // of the challenger
	Findings      []vision.Finding     // of the challenger
	Worker        string
	JudgedAt      time.Time
	Label         string // class of the frame's correction in force, "" for none
	Part          string // what names the part in the frame
}

// Difference is by how much the two differ about the part being bad.
func (i ShadowInspection) Difference() float64 {
	return max(i.Challenger.Fail-i.Champion.Fail, i.Champion.Fail-i.Challenger.Fail)
}

// Differs says that the two give another verdict or another class.
func (i ShadowInspection) Differs() bool {
	return i.Challenger.Verdict != i.Champion.Verdict || i.Challenger.Class != i.Champion.Class
}

// AddShadowInspection stores what a challenger in shadow said. It is a Conflict
// where it judges no more or has judged the frame: each frame once. With the
// last of its frames its judging ends, which ended tells.
func (db *DB) AddShadowInspection(ctx context.Context, i ShadowInspection) (ended bool, err error) {
	var s Shadow
	i.JudgedAt = db.now()
	err = db.change(ctx, func(tx *sql.Tx) error {
		ended = false
		var err error
		if s, err = readShadow(ctx, tx, i.ShadowID); err != nil {
			return err
		}
		if s.State != ShadowJudging {
			return fail(Conflict, "the challenger judges no more")
		}
		if err := insertShadowInspection(ctx, tx, i); err != nil {
			return err
		}
		s.Judged++
		if i.Differs() {
			s.Differing++
		}
		if _, err := tx.Exec(`UPDATE shadows SET judged = ?, differing = ? WHERE id = ?`, s.Judged, s.Differing, s.ID); err != nil {
			return err
		}
		if ended = s.Judged >= s.MostFrames; !ended {
			return nil
		}
		reason := fmt.Sprintf("it judged the %d frames that it was asked to", s.Judged)
		if _, err := tx.Exec(`UPDATE shadows SET state = 'settling', ended_at = ?, reason = ? WHERE id = ?`, millis(db.now()), reason, s.ID); err != nil {
			return err
		}
		return db.audit(tx, keepingRule, "shadow.end", versionSubject(s.VersionID), nil, shadowSums(s, reason))
	})
	if ended {
		db.shadowMoved(err, s)
	}
	return ended && err == nil, err
}

func insertShadowInspection(ctx context.Context, tx *sql.Tx, i ShadowInspection) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO shadow_inspections (shadow_id, frame_id, verdict, class, score, fail, probabilities_json, findings_json, worker, judged_at,
		champion_id, champion_verdict, champion_class, champion_score, champion_fail, difference, differs, label)
		VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,(SELECT label FROM inspections WHERE frame_id = ?))`,
		i.ShadowID, i.FrameID, i.Challenger.Verdict, i.Challenger.Class, i.Challenger.Score, i.Challenger.Fail, marshal(i.Probabilities), marshal(i.Findings), i.Worker, millis(i.JudgedAt),
		i.Champion.VersionID, i.Champion.Verdict, i.Champion.Class, i.Champion.Score, i.Champion.Fail, i.Difference(), i.Differs(), i.FrameID)
	if unique(err) {
		return fail(Conflict, "frame %d is judged in shadow already", i.FrameID)
	}
	if err != nil {
		return fmt.Errorf("store what the challenger said: %w", err)
	}
	return nil
}

// ShadowFailed counts a frame that a challenger in shadow could not judge, and
// gives how many those are.
func (db *DB) ShadowFailed(ctx context.Context, shadowID int64) (failed int, err error) {
	err = db.change(ctx, func(tx *sql.Tx) error {
		return tx.QueryRow(`UPDATE shadows SET failed = failed + 1 WHERE id = ? RETURNING failed`, shadowID).Scan(&failed)
	})
	return failed, err
}

const shadowInspectionColumns = `s.id, s.shadow_id, s.frame_id, s.verdict, s.class, s.score, s.fail, s.probabilities_json, s.findings_json, s.worker, s.judged_at,
	s.champion_id, s.champion_verdict, s.champion_class, s.champion_score, s.champion_fail, s.label, h.version_id, (SELECT part_key FROM frames WHERE id = s.frame_id)`

const shadowInspectionTables = ` FROM shadow_inspections s JOIN shadows h ON h.id = s.shadow_id`

func scanShadowInspection(s scanner) (ShadowInspection, error) {
	var i ShadowInspection
	var probabilities, findings string
	var at int64
	var label sql.NullString
	c, m := &i.Challenger, &i.Champion
	err := s.Scan(&i.ID, &i.ShadowID, &i.FrameID, &c.Verdict, &c.Class, &c.Score, &c.Fail, &probabilities, &findings, &i.Worker, &at,
		&m.VersionID, &m.Verdict, &m.Class, &m.Score, &m.Fail, &label, &c.VersionID, &i.Part)
	if err != nil {
		return i, err
	}
	i.Label, i.JudgedAt = label.String, fromMillis(at)
	if err := json.Unmarshal([]byte(probabilities), &i.Probabilities); err != nil {
		return i, err
	}
	return i, json.Unmarshal([]byte(findings), &i.Findings)
}

// Disagreements is a page of the frames on which a challenger and the champion
// differ.
type Disagreements struct {
	ShadowID int64
	Settled  bool  // those that people said the truth about, rather than those they did not
	After    int64 // the last shadow inspection of the page before; 0 for the first page
	Limit    int
}

// query reads it by the index of its kind: the biggest difference first.
func (d Disagreements) query() (string, []any) {
	label := "s.label IS NULL"
	if d.Settled {
		label = "s.label IS NOT NULL"
	}
	text := `SELECT ` + shadowInspectionColumns + shadowInspectionTables + ` JOIN frames f ON f.id = s.frame_id
		WHERE s.shadow_id = ? AND s.differs = 1 AND ` + label + ` AND f.picture_removed_at IS NULL`
	args := []any{d.ShadowID}
	if d.After != 0 {
		text += ` AND (s.difference, s.id) < (SELECT difference, id FROM shadow_inspections WHERE id = ?)`
		args = append(args, d.After)
	}
	return text + ` ORDER BY s.difference DESC, s.id DESC LIMIT ?`, append(args, d.Limit)
}

// Disagreements lists frames whose pictures are there, the biggest difference of
// the probability of a bad part first.
func (db *DB) Disagreements(ctx context.Context, d Disagreements) ([]ShadowInspection, error) {
	text, args := d.query()
	return list(ctx, db.read, scanShadowInspection, text, args...)
}

// mostSettled bounds what a running paired test reads.
const mostSettled = 20000

const settledShadowQuery = `SELECT ` + shadowInspectionColumns + shadowInspectionTables + ` WHERE s.shadow_id = ? AND s.champion_id = ? AND s.label IS NOT NULL ORDER BY s.differs DESC, s.id DESC LIMIT ?`

// SettledShadow lists what a challenger said about frames that one champion
// judged and that people said the truth about, those on which they differ first;
// at most 20,000.
func (db *DB) SettledShadow(ctx context.Context, shadowID, championID int64) ([]ShadowInspection, error) {
	return list(ctx, db.read, scanShadowInspection, settledShadowQuery, shadowID, championID, mostSettled)
}

const settledDisagreementsQuery = `SELECT count(*) FROM shadow_inspections INDEXED BY shadow_inspections_settled WHERE shadow_id = ? AND differs = 1 AND label IS NOT NULL`

// SettledDisagreements counts the disagreements that people said the truth about.
func (db *DB) SettledDisagreements(ctx context.Context, shadowID int64) (n int, err error) {
	err = db.read.QueryRowContext(ctx, settledDisagreementsQuery, shadowID).Scan(&n)
	return n, explain(err)
}
