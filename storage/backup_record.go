package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// BackupRecord says what a backup did; of the last one it is remembered.
type BackupRecord struct {
	At           time.Time `json:"at"` // of its end
	Folder       string    `json:"folder"`
	Snapshot     string    `json:"snapshot"` // name of its file
	Seconds      float64   `json:"seconds"`
	Database     int64     `json:"database"` // bytes of the snapshot
	Snapshots    int       `json:"snapshots"`
	Removed      int       `json:"removed"`       // snapshots
	RemovedBlobs int       `json:"removed_blobs"` // that no snapshot named any more
	Tally
	Losses              // pictures and models that the data folder has lost
	LostCount int       `json:"lost"`
	Damaged   []string  `json:"damaged,omitempty"` // older snapshots, or files that only they name
	Error     string    `json:"error,omitempty"`   // "" when it is complete and checked
	SoundAt   time.Time `json:"sound_at"`          // of the last one without an error
}

// Bytes is what was written, the database and the blobs.
func (r BackupRecord) Bytes() int64 { return r.Database + r.CopiedBytes }

// Whole reports whether everything was saved and everything kept is sound.
func (r BackupRecord) Whole() bool { return r.Error == "" && r.LostCount == 0 && len(r.Damaged) == 0 }

const backupKey = "backup.last"

// rememberedLosses is how many lost frames and damaged files a record lists.
const rememberedLosses = 20

// RecordBackup remembers how a backup ended, with the time of the last one that
// was sound.
func (db *DB) RecordBackup(ctx context.Context, r BackupRecord, trouble error) error {
	if r.At.IsZero() {
		r.At = db.now()
	}
	r.SoundAt = r.At
	if trouble != nil {
		r.Error = trouble.Error()
		last, err := db.LastBackup(ctx)
		if err != nil {
			return err
		}
		r.SoundAt = last.SoundAt
	}
	r.Frames, r.Versions = r.Frames[:min(len(r.Frames), rememberedLosses)], r.Versions[:min(len(r.Versions), rememberedLosses)]
	r.Damaged = r.Damaged[:min(len(r.Damaged), rememberedLosses)]
	return db.SetSetting(ctx, backupKey, marshal(r))
}

// LastBackup is the last one; its time is zero where there was none.
func (db *DB) LastBackup(ctx context.Context) (r BackupRecord, err error) {
	text, err := db.Setting(ctx, backupKey)
	if err != nil || text == "" {
		return r, err
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return r, fmt.Errorf("read the record of the last backup: %w", err)
	}
	if r.SoundAt.IsZero() && r.Error == "" {
		r.SoundAt = r.At // from before the two were told apart
	}
	return r, nil
}
