package commands

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"loupe/storage"
	"loupe/web/ui"
)

// Backup copies a data folder while it is in use.
type Backup struct {
	Folder    string `arg:"" help:"Where the backups go, best on another disk or machine." type:"path"`
	Data      string `help:"Data folder." default:"data" env:"LOUPE_DATA" type:"path"`
	Blobs     string `help:"gocloud.dev/blob URL of the picture store; in the data folder by default." env:"LOUPE_BLOBS" placeholder:"URL"`
	Keep      int    `help:"How many snapshots to keep; the oldest beyond them go, with the pictures that only they name." default:"14" env:"LOUPE_BACKUP_KEEP"`
	VerifyAll bool   `help:"Read every picture and snapshot in the folder and compare its digest; by default only what is new is read."`
}

// Help teaches the command.
func (Backup) Help() string {
	return `Writes a snapshot of the database, loupe-YYYYMMDD-HHMMSSZ.db, and copies every
picture and model that it names and that the folder does not have. Loupe may go on
meanwhile. What is written is read back and verified; what is there already is
checked by its size, and copied anew where it is damaged.

Pictures that the data folder itself has lost do not stop the backup: the rest is
saved, the frames are named, and the exit code is 1.

Examples:

  loupe backup /mnt/nas/loupe --data /srv/loupe
  loupe backup /mnt/nas/loupe --keep 30
  loupe backup /mnt/nas/loupe --verify-all     now and then`
}

// Run backs up.
func (b *Backup) Run() error {
	ctx, stop := interruptible()
	defer stop()
	db, err := openData(ctx, b.Data, b.Blobs)
	if err != nil {
		return err
	}
	defer db.Close()
	r, err := db.Backup(ctx, storage.BackupPlan{Folder: b.Folder, Keep: b.Keep, VerifyAll: b.VerifyAll, Progress: percentBar("backing up")})
	if storage.CodeOf(err) == storage.Invalid {
		return usage("%v", err)
	}
	if e := db.RecordBackup(context.WithoutCancel(ctx), r, err); e != nil {
		err = errors.Join(err, e)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s in %s is complete and checked: database %s, %d pictures and models copied (%s), %d checked by size, %d read and verified; %d snapshots kept, %d removed; %s.\n",
		r.Snapshot, b.Folder, ui.BytesSize(r.Database), r.Copied, ui.BytesSize(r.CopiedBytes), r.Sized, r.Verified, r.Snapshots, r.Removed, time.Duration(r.Seconds*1e9).Round(time.Millisecond))
	if r.Repaired > 0 {
		fmt.Fprintf(os.Stderr, "%d of the copied ones were damaged or missing in the backup: look at its disk.\n", r.Repaired)
	}
	if r.Whole() {
		return nil
	}
	return incomplete(r)
}

// incomplete says what a backup that ended could not save or found damaged.
func incomplete(r storage.BackupRecord) error {
	var parts []string
	if r.Any() {
		parts = append(parts, fmt.Sprintf("the data folder has lost %s; everything else is saved", lossesOf(r.Losses)))
		if r.Copied+r.Sized+r.Verified == 0 {
			parts = append(parts, "not one picture was found: is the picture store there, or does it need --blobs")
		}
	}
	if len(r.Damaged) > 0 {
		parts = append(parts, fmt.Sprintf("damaged in the backup folder and only of use to older snapshots: %s; look at its disk", some(r.Damaged)))
	}
	return errors.New(strings.Join(parts, "; "))
}

// lossesOf names frames and versions.
func lossesOf(l storage.Losses) string {
	var parts []string
	if len(l.Frames) > 0 {
		parts = append(parts, fmt.Sprintf("the pictures of %d frames (%s)", len(l.Frames), some(l.Frames)))
	}
	if len(l.Versions) > 0 {
		parts = append(parts, fmt.Sprintf("the models of %d versions (%s)", len(l.Versions), some(l.Versions)))
	}
	return strings.Join(parts, " and ")
}

// some lists the first of many.
func some[T any](all []T) string {
	const most = 20
	var parts []string
	for _, one := range all[:min(len(all), most)] {
		parts = append(parts, fmt.Sprint(one))
	}
	if len(all) > most {
		parts = append(parts, "…")
	}
	return strings.Join(parts, ", ")
}

// Restore makes a data folder of a backup.
type Restore struct {
	Folder string `arg:"" help:"The backup." type:"existingdir"`
	Data   string `help:"Data folder to make; it must be empty or missing." default:"data" env:"LOUPE_DATA" type:"path"`
	At     string `help:"Name of the snapshot, or a time: the newest snapshot that is not after it; the newest of all by default." placeholder:"TIME|NAME"`
}

// Help teaches the command.
func (Restore) Help() string {
	return `Makes a new data folder; it never writes over one. Every picture is verified, and
the database once more when it is there. A restore that is cut off goes on when the
same command is run again; until then nothing serves its folder. Times are those of
this machine's clock unless they end in Z or a zone.

Examples:

  loupe restore /mnt/nas/loupe --data /srv/loupe-restored
  loupe restore /mnt/nas/loupe --data /srv/loupe-restored --at 2026-11-25T02:00
  loupe restore /mnt/nas/loupe --data /srv/loupe-restored --at loupe-20261125-020007Z.db
  loupe serve --data /srv/loupe-restored`
}

// Run restores.
func (r *Restore) Run() error {
	ctx, stop := interruptible()
	defer stop()
	done, err := storage.Restore(ctx, storage.RestorePlan{Backup: r.Folder, Snapshot: r.At, Folder: r.Data, Progress: percentBar("restoring")})
	if storage.CodeOf(err) == storage.Invalid {
		return usage("%v", err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "Restored %s into %s: %d pictures and models. Start it with: loupe serve --data %s\n", done.Snapshot.Name, r.Data, done.Copied+done.Verified, r.Data)
	if done.Any() {
		return fmt.Errorf("the backup does not have %s; everything else is restored", lossesOf(done.Losses))
	}
	return nil
}

// openData opens a data folder that must be there, beside a server that may be
// using it.
func openData(ctx context.Context, folder, blobs string) (*storage.DB, error) {
	if _, err := os.Stat(filepath.Join(folder, "loupe.db")); err != nil {
		return nil, usage("there is no data folder at %s; name it with --data", folder)
	}
	return openStorage(ctx, storage.Settings{Folder: folder, BlobsURL: blobs, Beside: true})
}

// openStorage opens a data folder; that it is of another Loupe, or not whole, is
// bad input.
func openStorage(ctx context.Context, s storage.Settings) (*storage.DB, error) {
	db, err := storage.Open(ctx, s)
	if storage.CodeOf(err) == storage.Conflict {
		return nil, usage("%v", err)
	}
	return db, err
}
