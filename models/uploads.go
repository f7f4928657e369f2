package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"loupe/models/onnx"
	"loupe/storage"
	"loupe/vision"
	"loupe/vision/trial"
)

// MostModelBytes is the largest model file that is taken; Loupe's own have 13 MB.
const MostModelBytes = 128 << 20

// longestNote bounds what a person says about an upload, in bytes.
const longestNote = 1000

// Contract says what a file must have to be a version, for refusals and pages.
const Contract = "A version has one input named image (float32, 1×3×S×S with S a multiple of 32 from 224 to 896; RGB, each value as (v − 127) / 128), " +
	"the outputs probabilities (1×K, after Softmax), heat (1×K×H×W, what speaks for each class at each place) and pooled (1×N), " +
	"and in its metadata loupe.classes, a JSON list of the K classes in the order of the outputs; its weights are in the file."

// Upload says where an uploaded version comes from.
type Upload struct {
	Note      string   `json:"note,omitempty"` // of the person
	Bytes     int      `json:"bytes"`
	Producer  string   `json:"producer,omitempty"` // the program that wrote the file
	Opset     int64    `json:"opset,omitempty"`
	Engine    string   `json:"engine,omitempty"`  // that tried it, with its version
	OpenCV    string   `json:"opencv,omitempty"`  // the same of files tried when there was one engine only
	ForwardMS float64  `json:"forward_ms"`        // of one pass on one thread, when it was tried
	Missing   []string `json:"missing,omitempty"` // classes of the recipe that it does not tell
}

// Refusal says why a file cannot be a version, and what to do. Code is stable,
// for programs.
type Refusal struct {
	Code   string
	Detail string
}

func (r *Refusal) Error() string { return r.Detail }

// ErrBusy says that another file is being tried at the moment.
var ErrBusy = errors.New("another model file is being tried at the moment: try again in a minute")

// Uploads makes versions of foreign files, one at a time: each may take a lot of
// memory.
type Uploads struct {
	db       *storage.DB
	registry *Registry
	bench    *trial.Bench
	turn     chan struct{}
}

// NewUploads makes uploads that are tried on the bench.
func NewUploads(db *storage.DB, registry *Registry, bench *trial.Bench) *Uploads {
	return &Uploads{db, registry, bench, make(chan struct{}, 1)}
}

// turnTime is how long somebody waits for a turn.
const turnTime = 10 * time.Second

// Enter waits for the turn, before the file is read; leave gives it back. ErrBusy
// where others keep it for too long.
func (u *Uploads) Enter(ctx context.Context) (leave func(), err error) {
	select {
	case u.turn <- struct{}{}:
		return func() { <-u.turn }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(turnTime):
		return nil, ErrBusy
	}
}

// Add checks a file, has it tried in a process of its own and stores it as a
// candidate of the recipe, with the job that evaluates it. The error is a
// *Refusal or a *trial.Failure where the file is at fault.
func (u *Uploads) Add(ctx context.Context, by string, recipeID int64, note string, file []byte) (storage.Version, storage.Job, error) {
	var none storage.Version
	r, err := u.db.Recipe(ctx, recipeID)
	if err != nil {
		return none, storage.Job{}, err
	}
	if note = strings.TrimSpace(note); len(note) > longestNote {
		return none, storage.Job{}, &Refusal{"note", fmt.Sprintf("The note has more than %d bytes: shorten it.", longestNote)}
	}
	f, err := readForeign(file)
	if err != nil {
		return none, storage.Job{}, err
	}
	size, err := inputSize(f)
	if err == nil {
		err = checkClasses(f, r)
	}
	if err == nil {
		err = checkOutputs(f)
	}
	if err != nil {
		return none, storage.Job{}, err
	}
	answer, err := u.bench.Try(ctx, file, size, f.Classes)
	if err != nil {
		return none, storage.Job{}, err
	}
	about := Upload{Note: note, Bytes: len(file), Producer: plain(f.Producer), Opset: f.Opset, Engine: answer.Engine, ForwardMS: answer.ForwardMS}
	for _, name := range r.ClassNames() {
		if !slices.Contains(f.Classes, name) {
			about.Missing = append(about.Missing, name)
		}
	}
	v := storage.Version{RecipeID: r.ID, ParentID: r.ChampionID, Size: size, Region: r.Region, Classes: f.Classes, ModelSHA: storage.Digest(file), CreatedBy: by, Report: json.RawMessage("{}")}
	if v.Statement, err = json.Marshal(map[string]Upload{"upload": about}); err != nil {
		return none, storage.Job{}, err
	}
	// It passed: that the person closes the page now must not leave half of it.
	return u.registry.addUpload(context.WithoutCancel(ctx), v, about, file)
}

// readForeign reads what the file says about itself.
func readForeign(file []byte) (onnx.File, error) {
	if len(file) > MostModelBytes {
		return onnx.File{}, &Refusal{"model_large", fmt.Sprintf("The file has more than %d MB: use a smaller network.", MostModelBytes>>20)}
	}
	f, err := onnx.Read(file)
	switch {
	case err == nil:
		return f, nil
	case errors.Is(err, onnx.ErrExternal):
		return f, &Refusal{"model_external", sentence(err) + " Export the model with all weights in one file, as onnx.save(model, path, save_as_external_data=False) does."}
	case errors.Is(err, onnx.ErrTensor):
		return f, &Refusal{"model_weights", sentence(err) + " Export the model again."}
	case errors.Is(err, onnx.ErrMetadata):
		return f, &Refusal{"model_metadata", sentence(err) + " " + Contract}
	}
	return f, &Refusal{"model_not_onnx", sentence(err) + " Choose the .onnx file that Loupe or another program exported, whole."}
}

// inputSize gives the side of the input of a file that has the right one.
func inputSize(f onnx.File) (int, error) {
	in, ok := f.Input("image")
	refuse := func(format string, args ...any) (int, error) {
		return 0, &Refusal{"model_input", fmt.Sprintf(format, args...) + " " + Contract}
	}
	switch {
	case !ok || len(f.Inputs) != 1:
		return refuse("The file has the inputs %s, not one that is named image.", names(f.Inputs))
	case !in.Float || len(in.Dims) != 4 || in.Dims[0] != 1 || in.Dims[1] != 3 || in.Dims[2] != in.Dims[3]:
		return refuse("The input image is %s, not float32 1×3×S×S with a fixed S.", shape(in))
	case in.Dims[2] > 1<<20 || vision.CheckSize(int(in.Dims[2])) != nil:
		return refuse("The input image is %d pixels wide, not a multiple of 32 from 224 to 896.", in.Dims[2])
	case f.Size != 0 && int64(f.Size) != in.Dims[2]:
		return refuse("loupe.size says %d pixels and the input image is %d wide: one of them is wrong.", f.Size, in.Dims[2])
	}
	return int(in.Dims[2]), nil
}

// checkClasses refuses classes that the recipe does not have: they would count
// as bad, and nobody could label them.
func checkClasses(f onnx.File, r storage.Recipe) error {
	if len(f.Classes) < 2 {
		return &Refusal{"model_classes", "The file does not name its classes, two at least. " + Contract}
	}
	var foreign []string
	for i, name := range f.Classes {
		if name == vision.Unseen && len(f.Classes) == 2 {
			continue // of a version of good parts only
		}
		if slices.Contains(f.Classes[:i], name) {
			return &Refusal{"model_classes", fmt.Sprintf("loupe.classes names %s twice: each output needs a class of its own.", short(name))}
		}
		if !slices.Contains(r.ClassNames(), name) {
			foreign = append(foreign, short(name))
		}
	}
	if len(foreign) > 0 {
		return &Refusal{"model_classes", fmt.Sprintf("The recipe %s has no class %s: add or rename classes under Set-up, Recipes so that they are called as in the file, or upload it to the recipe it was made for.",
			r.Name, strings.Join(foreign[:min(len(foreign), 10)], ", "))}
	}
	return nil
}

// checkOutputs refuses outputs whose stated shapes cannot be right; what is not
// stated, the trial finds out.
func checkOutputs(f onnx.File) error {
	k := int64(len(f.Classes))
	for _, need := range []struct {
		name string
		dims []int64
	}{{onnx.Probabilities, []int64{1, k}}, {onnx.Heat, []int64{1, k, -1, -1}}, {onnx.Pooled, []int64{1, -1}}} {
		out, ok := f.Output(need.name)
		if !ok {
			return &Refusal{"model_outputs", fmt.Sprintf("The file has no output named %s; it has %s. %s", need.name, names(f.Outputs), Contract)}
		}
		fits := out.Float && (len(out.Dims) == 0 || len(out.Dims) == len(need.dims))
		for i := 0; fits && i < len(out.Dims); i++ {
			fits = need.dims[i] < 0 || out.Dims[i] < 0 || out.Dims[i] == need.dims[i]
		}
		if !fits {
			return &Refusal{"model_outputs", fmt.Sprintf("The output %s is %s, which does not fit the %d classes that the file names. %s", need.name, shape(out), k, Contract)}
		}
	}
	return nil
}

// names lists the names of values for a person.
func names(all []onnx.Value) string {
	if len(all) == 0 {
		return "none"
	}
	var words []string
	for _, v := range all[:min(len(all), 6)] {
		words = append(words, short(v.Name))
	}
	return strings.Join(words, ", ")
}

// shape says what a value is, such as "float32 1×3×224×224".
func shape(v onnx.Value) string {
	kind := "float32"
	if !v.Float {
		kind = "not float32"
	}
	var sides []string
	for _, d := range v.Dims {
		if d < 0 {
			sides = append(sides, "?")
		} else {
			sides = append(sides, fmt.Sprint(d))
		}
	}
	return strings.TrimSpace(kind + " " + strings.Join(sides, "×"))
}

// short quotes a foreign text.
func short(text string) string { return fmt.Sprintf("%q", plain(text)) }

// plain makes a foreign text one short line.
func plain(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if len(text) > 60 {
		text = strings.ToValidUTF8(text[:60], "") + "…"
	}
	return text
}

// sentence makes an error the beginning of an answer.
func sentence(err error) string {
	text := strings.ToValidUTF8(err.Error(), "?")
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
