package models

import (
	"context"
	"fmt"
	"sync"
	"time"

	"loupe/models/head"
	"loupe/models/onnx"
	"loupe/storage"
	"loupe/vision/pool"
)

// Registry keeps the versions: their heads for ever, their model files while
// they are needed, and which of them is a recipe's champion.
type Registry struct {
	db    *storage.DB
	crew  *pool.Pool
	files sync.Mutex // held while an upload is stored and while old files are cleared: both may mean the same file
}

// NewRegistry makes a registry.
func NewRegistry(db *storage.DB, crew *pool.Pool) *Registry { return &Registry{db: db, crew: crew} }

// addUpload stores the file of an upload and then its row.
func (r *Registry) addUpload(ctx context.Context, v storage.Version, about Upload, file []byte) (storage.Version, storage.Job, error) {
	r.files.Lock()
	defer r.files.Unlock()
	var err error
	if v.ModelKey, err = r.db.Blobs.PutContent(ctx, "models", file); err != nil {
		return v, storage.Job{}, err
	}
	v, j, err := r.db.AddUpload(ctx, v, EvaluateJob, about)
	if err == nil { // it may have been deleted between the look and the row; from the row on it stays
		err = r.db.Blobs.PutOnce(ctx, v.ModelKey, file)
	}
	return v, j, err
}

// build writes a head as an ONNX file. The same head always gives the same bytes.
func build(h *head.Head, size int) ([]byte, error) {
	backbone, err := Backbone()
	if err != nil {
		return nil, err
	}
	if h.NormalOnly() {
		return onnx.WriteNormal(backbone, size, h.Bank, h.Classes)
	}
	return onnx.WriteVersion(backbone, size, h.Weights(), h.Classes)
}

// head reads the trained head of a version.
func (r *Registry) head(ctx context.Context, v storage.Version) (*head.Head, error) {
	data, err := r.db.Blobs.Get(ctx, v.HeadKey)
	if err != nil {
		return nil, fmt.Errorf("read the head of version %d: %w", v.Number, err)
	}
	h, err := head.Read(data)
	if err != nil {
		return nil, fmt.Errorf("read the head of version %d: %w", v.Number, err)
	}
	return h, nil
}

// ModelFile gives the ONNX file of a version, rebuilt from its head where the
// file was cleared away, and checked against the digest that was stored with it.
func (r *Registry) ModelFile(ctx context.Context, versionID int64) ([]byte, error) {
	v, err := r.db.Version(ctx, versionID)
	if err != nil {
		return nil, err
	}
	data, err := r.db.Blobs.Get(ctx, v.ModelKey)
	if err == nil && storage.Digest(data) == v.ModelSHA {
		return data, nil
	}
	if err != nil && storage.CodeOf(err) != storage.NotFound {
		return nil, err
	}
	if v.Uploaded() {
		return nil, &storage.Error{Code: storage.Conflict, Message: fmt.Sprintf("the file of version %d, which was uploaded, is lost or damaged: restore it from a backup or upload it again", v.Number)}
	}
	h, err := r.head(ctx, v)
	if err != nil {
		return nil, err
	}
	if data, err = build(h, v.Size); err != nil {
		return nil, fmt.Errorf("rebuild version %d: %w", v.Number, err)
	}
	if storage.Digest(data) != v.ModelSHA {
		return nil, &storage.Error{Code: storage.Conflict, Message: fmt.Sprintf("version %d cannot be rebuilt by this Loupe: restore its model file from a backup", v.Number)}
	}
	return data, r.db.Blobs.Put(ctx, v.ModelKey, data)
}

// Promote makes a version the champion. The workers load it first, so that they
// change over between two frames.
func (r *Registry) Promote(ctx context.Context, by string, versionID int64, reason string) (storage.Version, error) {
	if _, err := r.ModelFile(ctx, versionID); err != nil {
		return storage.Version{}, err
	}
	v, err := r.db.Version(ctx, versionID)
	if err != nil {
		return v, err
	}
	if err := r.warm(ctx, v); err != nil {
		return v, err
	}
	if v, err = r.db.Promote(ctx, by, versionID, reason); err != nil {
		return v, err
	}
	if err := r.clear(ctx, v.RecipeID); err != nil {
		return v, err
	}
	return r.db.Version(ctx, v.ID)
}

// Rollback makes the champion before the present one champion again.
func (r *Registry) Rollback(ctx context.Context, by string, recipeID int64) (storage.Version, error) {
	v, err := r.db.PreviousChampion(ctx, recipeID)
	if err != nil {
		return v, err
	}
	if _, err := r.ModelFile(ctx, v.ID); err != nil {
		return v, err
	}
	if err := r.warm(ctx, v); err != nil {
		return v, err
	}
	if v, err = r.db.Rollback(ctx, by, recipeID); err != nil {
		return v, err
	}
	return r.db.Version(ctx, v.ID)
}

// warm has the workers load a version ahead of its first frame. One that cannot
// do so in time loads it with that frame. An uploaded file must be loaded by each:
// a worker with another OpenCV than the trial's may die over it, and would do so
// over each frame.
func (r *Registry) warm(ctx context.Context, v storage.Version) error {
	limit := 5 * time.Second
	if v.Uploaded() {
		limit = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := r.crew.Load(ctx, v.Model())
	if err == nil || !v.Uploaded() {
		return nil
	}
	return &storage.Error{Code: storage.Conflict, Message: fmt.Sprintf("version %d is not made champion: %v. Run the same engine on all workers, or wait until they are less busy, then try again", v.Number, err)}
}

// keptFiles is how many model files of a recipe stay beside the champion's;
// older ones are rebuilt from their heads when they are asked for.
const keptFiles = 5

// clear removes the model files of old versions; each takes 13 MB, its head some
// hundred kB. A file that was uploaded, to whichever recipe, stays.
func (r *Registry) clear(ctx context.Context, recipeID int64) error {
	r.files.Lock()
	defer r.files.Unlock()
	all, err := r.db.Versions(ctx, recipeID, keptFiles+20)
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for i, v := range all {
		if i < keptFiles || v.State == storage.Champion || v.State == storage.Challenger {
			kept[v.ModelKey] = true
		}
	}
	for _, v := range all {
		if kept[v.ModelKey] {
			continue
		}
		uploaded, err := r.db.UploadedFile(ctx, v.ModelKey)
		if err == nil && !uploaded {
			err = r.db.Blobs.Delete(ctx, v.ModelKey)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
