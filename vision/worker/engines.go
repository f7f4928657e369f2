package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"

	"loupe/vision"
	"loupe/vision/engine"
	"loupe/vision/wire"
)

// keptEngines is how many networks stay loaded, each some 30 to 60 MB.
const keptEngines = 3

// engines are the loaded networks, the last used first. Only the worker's loop
// loads and runs them; the digests may be read by anyone.
type engines struct {
	mu  sync.Mutex
	all []loaded
}

type loaded struct {
	sha    string
	engine *engine.Engine
}

func (e *engines) digests() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]string, len(e.all))
	for i, l := range e.all {
		out[i] = l.sha
	}
	return out
}

func (e *engines) find(sha string) *engine.Engine {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.IndexFunc(e.all, func(l loaded) bool { return l.sha == sha })
	if i < 0 {
		return nil
	}
	l := e.all[i]
	e.all = slices.Insert(slices.Delete(e.all, i, i+1), 0, l)
	return l.engine
}

func (e *engines) add(sha string, one *engine.Engine) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = slices.Insert(e.all, 0, loaded{sha, one})
	for len(e.all) > keptEngines {
		e.all[len(e.all)-1].engine.Close()
		e.all = e.all[:len(e.all)-1]
	}
}

func (e *engines) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, l := range e.all {
		l.engine.Close()
	}
	e.all = nil
}

// engine gives the network of a model, fetched and checked by its SHA-256 where
// it is not loaded yet.
func (w *Worker) engine(m vision.ModelRef) (*engine.Engine, *wire.Trouble) {
	if e := w.engines.find(m.SHA256); e != nil {
		return e, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTime)
	defer cancel()
	data, err := w.blobs.ReadAll(ctx, m.Key)
	if err != nil {
		return nil, &wire.Trouble{Fault: wire.FaultModel, Detail: fmt.Sprintf("the model %s cannot be read: %v", m.Key, err)}
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != m.SHA256 {
		return nil, &wire.Trouble{Fault: wire.FaultModel, Detail: fmt.Sprintf("the model %s is not the one that was asked for: its SHA-256 differs", m.Key)}
	}
	e, err := openEngine(w.runtime, data, m.Classes)
	if err != nil {
		return nil, &wire.Trouble{Fault: wire.FaultModel, Detail: err.Error()}
	}
	w.engines.add(m.SHA256, e)
	return e, nil
}

// engineFor gives a model's network that a picture so prepared can go into;
// with an input of another size OpenCV would end the process.
func (w *Worker) engineFor(m vision.ModelRef, prep vision.Preparation) (*engine.Engine, *wire.Trouble) {
	if prep.Size != m.Size {
		return nil, &wire.Trouble{Fault: wire.FaultModel, Detail: fmt.Sprintf("the model %s takes inputs of %d pixels, not %d", m.Key, m.Size, prep.Size)}
	}
	return w.engine(m)
}

func openEngine(r engine.Runtime, data []byte, classes []string) (*engine.Engine, error) {
	if len(classes) == 0 {
		return r.OpenExtractor(data)
	}
	return r.OpenVersion(data, classes)
}
