package commands

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"loupe/storage"
)

// Backup copies a data folder while it is in use.
type Backup struct {
	Folder string `arg:"" help:"Where the backup goes; an earlier one there is brought up to date." type:"path"`
	Data   string `help:"Data folder." default:"data" env:"LOUPE_DATA" type:"path"`
	Blobs  string `help:"gocloud.dev/blob URL of the picture store; in the data folder by default." env:"LOUPE_BLOBS" placeholder:"URL"`
}

// Help teaches the command.
func (Backup) Help() string {
	return `Copies the database and every picture and model that it names. Loupe may go on
meanwhile. Pictures that the folder has already are checked and not copied again.
What was copied is verified before it replaces an earlier backup.

Example:

  loupe backup /mnt/nas/loupe --data /srv/loupe`
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
	bar := percentBar("backing up")
	err = db.Backup(ctx, b.Folder, bar)
	if e := db.RecordBackup(context.WithoutCancel(ctx), b.Folder, err); e != nil {
		err = errors.Join(err, e)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "The backup in %s is complete and checked.\n", b.Folder)
	return nil
}

// Restore makes a data folder of a backup.
type Restore struct {
	Folder string `arg:"" help:"The backup." type:"existingdir"`
	Data   string `help:"Data folder to make; it must be empty or missing." default:"data" env:"LOUPE_DATA" type:"path"`
}

// Help teaches the command.
func (Restore) Help() string {
	return `Makes a new data folder; it never writes over one.

Example:

  loupe restore /mnt/nas/loupe --data /srv/loupe-restored
  loupe serve --data /srv/loupe-restored`
}

// Run restores.
func (r *Restore) Run() error {
	ctx, stop := interruptible()
	defer stop()
	err := storage.Restore(ctx, r.Folder, r.Data, percentBar("restoring"))
	if storage.CodeOf(err) == storage.Invalid || storage.CodeOf(err) == storage.Conflict {
		return usage("%v", err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "Restored into %s. Start it with: loupe serve --data %s\n", r.Data, r.Data)
	return nil
}

// openData opens a data folder that must be there, beside a server that may be
// using it.
func openData(ctx context.Context, folder, blobs string) (*storage.DB, error) {
	if _, err := os.Stat(filepath.Join(folder, "loupe.db")); err != nil {
		return nil, usage("there is no data folder at %s; name it with --data", folder)
	}
	return storage.Open(ctx, storage.Settings{Folder: folder, BlobsURL: blobs})
}
