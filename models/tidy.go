package models

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"loupe/models/features"
	"loupe/vision"
)

// cacheName names the folder of a preparation's cache.
func cacheName(prep vision.Preparation) (string, error) {
	if prep.Region.Whole() {
		prep.Region = vision.Region{}
	}
	text, err := json.Marshal(prep.Region)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	name := fmt.Sprintf("%s-%d-%s", BackboneSHA256[:8], prep.Size, hex.EncodeToString(sum[:4]))
	if prep.View > 0 {
		name += fmt.Sprintf("-%d", prep.View)
	}
	return name, nil
}

// aCache is what cacheName gives, of any backbone.
var aCache = regexp.MustCompile(`^[0-9a-f]{8}-\d+-[0-9a-f]{8}(-\d)?$`)

// tidy removes the caches that no recipe uses, such as those of a removed
// demonstration or of a region that was changed.
func (e *Extractor) tidy(ctx context.Context) {
	used, err := e.used(ctx)
	if err == nil {
		err = e.keepOnly(used)
	}
	if err != nil && ctx.Err() == nil {
		e.log.Warn("cannot remove the feature caches that nothing uses", "error", err)
	}
}

// used names the caches that the recipes' next trainings and champions need.
func (e *Extractor) used(ctx context.Context) (map[string]bool, error) {
	preps, err := e.preparations(ctx)
	if err != nil {
		return nil, err
	}
	used := map[string]bool{}
	for _, prep := range preps {
		name, err := cacheName(prep)
		if err != nil {
			return nil, err
		}
		used[name] = true
	}
	return used, nil
}

// preparations are those of the recipes' next trainings and champions.
func (e *Extractor) preparations(ctx context.Context) ([]vision.Preparation, error) {
	recipes, err := e.db.Recipes(ctx)
	if err != nil {
		return nil, err
	}
	var all []vision.Preparation
	for _, r := range recipes {
		for view := range views(r) {
			all = append(all, vision.Preparation{Region: r.Region, Size: r.Size, View: view})
		}
		if r.ChampionID == 0 {
			continue
		}
		v, err := e.db.Version(ctx, r.ChampionID)
		if err != nil {
			return nil, err
		}
		all = append(all, vision.Preparation{Region: v.Region, Size: v.Size})
	}
	return all, nil
}

// caches opens those that the recipes' next trainings and champions need.
func (e *Extractor) caches(ctx context.Context) ([]*features.Store, error) {
	preps, err := e.preparations(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]*features.Store, len(preps))
	for i, prep := range preps {
		if all[i], err = e.store(prep); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// keepOnly removes all other caches.
func (e *Extractor) keepOnly(used map[string]bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	folders, err := os.ReadDir(e.folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, f := range folders {
		name := f.Name()
		if used[name] || !aCache.MatchString(name) {
			continue
		}
		if s, open := e.stores[name]; open {
			err = errors.Join(err, s.Close())
			delete(e.stores, name)
		}
		err = errors.Join(err, os.RemoveAll(filepath.Join(e.folder, name)))
	}
	return err
}
