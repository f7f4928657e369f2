package storage

import (
	"context"
	"database/sql"
	"regexp"
	"strings"
	"unicode/utf8"

	"loupe/vision"
)

var colorForm = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

func loadClasses(ctx context.Context, q querier, r *Recipe) error {
	type row struct {
		vision.Class
		archived sql.NullInt64
	}
	all, err := list(ctx, q, func(s scanner) (row, error) {
		var c row
		err := s.Scan(&c.Name, &c.Pass, &c.Color, &c.Key, &c.archived)
		return c, err
	}, `SELECT name, pass, color, key, archived_at FROM classes WHERE recipe_id = ? ORDER BY position, name`, r.ID)
	if err != nil {
		return err
	}
	r.Classes, r.Archived = nil, nil
	for _, c := range all {
		if c.archived.Valid {
			r.Archived = append(r.Archived, c.Class)
		} else {
			r.Classes = append(r.Classes, c.Class)
		}
	}
	return nil
}

func checkClass(c vision.Class) error {
	switch {
	case strings.EqualFold(strings.TrimSpace(c.Name), vision.Unseen):
		return fail(Invalid, "%q is what no class stands for: name the class otherwise", vision.Unseen)
	case strings.TrimSpace(c.Name) != c.Name || c.Name == "" || len(c.Name) > 60:
		return fail(Invalid, "a class needs a name of 1 to 60 characters without spaces at its ends")
	case !colorForm.MatchString(c.Color):
		return fail(Invalid, "the colour of %q must be like #c0392b", c.Name)
	case c.Key != "" && utf8.RuneCountInString(c.Key) != 1:
		return fail(Invalid, "the key of %q must be a single character", c.Name)
	}
	return nil
}

func checkClasses(classes []vision.Class) error {
	names, keys := map[string]bool{}, map[string]bool{}
	for _, c := range classes {
		if err := checkClass(c); err != nil {
			return err
		}
		if names[c.Name] {
			return fail(Conflict, "the class %q is there twice", c.Name)
		}
		if c.Key != "" && keys[c.Key] {
			return fail(Conflict, "two classes share the key %q", c.Key)
		}
		names[c.Name], keys[c.Key] = true, true
	}
	return nil
}

func storeClasses(tx *sql.Tx, recipeID int64, classes []vision.Class) error {
	for i, c := range classes {
		if _, err := tx.Exec(`INSERT INTO classes (recipe_id, name, pass, color, key, position) VALUES (?,?,?,?,?,?)
			ON CONFLICT (recipe_id, name) DO UPDATE SET pass=excluded.pass, color=excluded.color, key=excluded.key, position=excluded.position, archived_at=NULL`,
			recipeID, c.Name, c.Pass, c.Color, c.Key, i); err != nil {
			return err
		}
	}
	return nil
}

// ReplaceClasses stores the classes in use in their order: changes those that
// are there, adds new ones, takes archived ones back into use, and renames some
// (old name to new): the frames of a renamed class are corrected to the new
// name. It removes none.
func (db *DB) ReplaceClasses(ctx context.Context, by string, recipeID int64, classes []vision.Class, renames map[string]string) error {
	if err := checkClasses(classes); err != nil {
		return err
	}
	var moved []Correction
	err := db.change(ctx, func(tx *sql.Tx) error {
		moved = nil
		old, err := readRecipe(ctx, tx, recipeID)
		if err != nil {
			return err
		}
		kept := map[string]bool{}
		for _, c := range classes {
			kept[c.Name] = true
		}
		for _, c := range old.Classes {
			if !kept[c.Name] && renames[c.Name] == "" {
				return fail(Conflict, "the class %q is missing from the list: archive it first if it is no longer used", c.Name)
			}
		}
		if err := storeClasses(tx, recipeID, classes); err != nil {
			return err
		}
		for was, name := range renames {
			if kept[was] {
				return fail(Invalid, "the class %q cannot be renamed and used at the same time", was)
			}
			if !kept[name] {
				return fail(Invalid, "the class %q is missing from the list: %q cannot be renamed to it", name, was)
			}
			more, err := db.moveFrames(ctx, tx, by, recipeID, was, name, "class "+was+" renamed")
			if err != nil {
				return err
			}
			moved = append(moved, more...)
			if _, err := tx.Exec(`UPDATE classes SET archived_at = ?, key = '' WHERE recipe_id = ? AND name = ?`, millis(db.now()), recipeID, was); err != nil {
				return err
			}
		}
		return db.audit(tx, by, "recipe.classes", recipeSubject(recipeID), old.Classes, classes)
	})
	if err == nil {
		db.emitMoved(recipeID, moved)
	}
	return err
}

// moveFrames corrects all frames of one class to another.
func (db *DB) moveFrames(ctx context.Context, tx *sql.Tx, by string, recipeID int64, from, to, note string) ([]Correction, error) {
	frames, err := list(ctx, tx, scanID, `SELECT id FROM frames WHERE recipe_id = ? AND label = ?`, recipeID, from)
	if err != nil {
		return nil, err
	}
	var moved []Correction
	for _, id := range frames {
		c, err := db.correct(ctx, tx, Correction{FrameID: id, Class: to, Person: by, Source: "archive", Note: note})
		if err != nil {
			return nil, err
		}
		moved = append(moved, c)
	}
	return moved, nil
}

func (db *DB) emitMoved(recipeID int64, moved []Correction) {
	for _, c := range moved {
		db.emit(Event{Kind: FrameCorrected, ID: c.ID, RecipeID: recipeID, StationID: c.StationID, Correction: &c})
	}
	db.emit(Event{Kind: RecipeChanged, ID: recipeID, RecipeID: recipeID})
}

// ClassUse counts the frames labelled with each class of a recipe.
func (db *DB) ClassUse(ctx context.Context, recipeID int64) (map[string]int, error) {
	use := map[string]int{}
	_, err := list(ctx, db.read, func(s scanner) (struct{}, error) {
		var name string
		var n int
		err := s.Scan(&name, &n)
		use[name] = n
		return struct{}{}, err
	}, `SELECT label, count(*) FROM frames WHERE recipe_id = ? AND label IS NOT NULL GROUP BY label`, recipeID)
	return use, err
}

// ArchiveClass takes a class out of use. While frames carry it, the caller must
// say what happens to them: keep leaves them labelled but out of training until
// the class is used again; moveTo corrects each to another class. With neither,
// and frames that carry it, it is a Conflict that names their number.
func (db *DB) ArchiveClass(ctx context.Context, by string, recipeID int64, name string, keep bool, moveTo string) error {
	var moved []Correction
	err := db.change(ctx, func(tx *sql.Tx) error {
		r, err := readRecipe(ctx, tx, recipeID)
		if err != nil {
			return err
		}
		if _, ok := r.Class(name); !ok {
			return fail(NotFound, "there is no class %q in use", name)
		}
		var frames int
		if err := tx.QueryRow(`SELECT count(*) FROM frames WHERE recipe_id = ? AND label = ?`, recipeID, name).Scan(&frames); err != nil {
			return err
		}
		switch _, ok := r.Class(moveTo); {
		case moveTo != "" && (!ok || moveTo == name):
			return fail(Invalid, "there is no other class %q to move the frames to", moveTo)
		case moveTo == "" && !keep && frames > 0:
			return fail(Conflict, "%d frames carry %q: move them to another class, or keep them out of training", frames, name)
		}
		if moveTo != "" {
			if moved, err = db.moveFrames(ctx, tx, by, recipeID, name, moveTo, "class "+name+" archived"); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(`UPDATE classes SET archived_at = ?, key = '' WHERE recipe_id = ? AND name = ?`, millis(db.now()), recipeID, name); err != nil {
			return err
		}
		return db.audit(tx, by, "recipe.class.archive", recipeSubject(recipeID), name, map[string]any{"frames": frames, "move_to": moveTo, "keep": keep})
	})
	if err == nil {
		db.emitMoved(recipeID, moved)
	}
	return err
}

func scanID(s scanner) (int64, error) {
	var id int64
	err := s.Scan(&id)
	return id, err
}
