package storage_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"loupe/storage"
	"loupe/vision"
)

const day = 24 * 60 * 60 // ticks of a folder's clock

// plant is a recipe with a picture of each fate.
type plant struct {
	*folder
	r       storage.Recipe
	s       storage.Station
	v       storage.Version
	byFate  map[string][]int64
	byFrame map[int64]string
}

// newPlant has n frames of each fate, received in turns.
func newPlant(t *testing.T, n int) *plant {
	f := open(t)
	p := &plant{folder: f, r: f.recipe("caps"), byFate: map[string][]int64{}, byFrame: map[int64]string{}}
	p.s = f.station(p.r, "press")
	p.v = f.champion(p.r)
	for k := range n {
		for _, fate := range []string{"ok", "ng", "unsure", "labelled", "taken back", "discarded", "quarantined", "pending"} {
			fr := p.add(fmt.Sprint(fate, k))
			p.byFate[fate] = append(p.byFate[fate], fr.ID)
			p.byFrame[fr.ID] = fate
			p.meet(fr, fate)
		}
	}
	return p
}

// add stores a frame of a gigabyte, as its row has it.
func (p *plant) add(serial string) storage.Frame {
	p.t.Helper()
	row := p.row(p.s, serial)
	row.Bytes = 1 << 30
	fr, _, err := p.AddFrame(p.t.Context(), row)
	p.must(err)
	return fr
}

func (p *plant) meet(fr storage.Frame, fate string) {
	p.t.Helper()
	switch fate {
	case "ok":
		p.judge(fr, p.v, vision.OK, "good")
	case "ng":
		p.judge(fr, p.v, vision.NG, "dent")
	case "unsure":
		p.judge(fr, p.v, vision.Unsure, "dent")
	case "labelled":
		p.judge(fr, p.v, vision.OK, "good")
		p.label(fr.ID, "good", "eve")
	case "taken back":
		p.judge(fr, p.v, vision.OK, "good")
		p.label(fr.ID, "dent", "eve")
		p.label(fr.ID, "", "eve")
	case "discarded", "quarantined":
		p.must(p.Quarantine(p.t.Context(), fr.ID, "torn"))
		if fate == "discarded" {
			p.must(p.Discard(p.t.Context(), "eve", fr.ID))
		}
	}
}

func (p *plant) rule(k storage.KeepRule) {
	p.t.Helper()
	p.r.Keep = k
	p.must(p.ChangeRecipe(p.t.Context(), "ada", p.r))
}

// run removes what the rule says and compares it with what the plan had said.
func (p *plant) run() []string {
	p.t.Helper()
	plan, err := p.PlanKeeping(p.t.Context(), p.r.ID, p.r.Keep)
	p.must(err)
	planned := map[storage.PictureKind]int{}
	for _, s := range plan.Sums {
		planned[s.Kind] = s.Go
	}
	for {
		done, err := p.RemovePictures(p.t.Context(), p.r.ID)
		p.must(err)
		if done.Pictures == 0 {
			break
		}
		planned[done.Kind] -= done.Pictures
	}
	for kind, left := range planned {
		if left != 0 {
			p.t.Errorf("%d %s pictures more were planned than went: %v", left, kind, plan.Sums)
		}
	}
	return p.gone()
}

// gone lists the fates of the frames without a picture.
func (p *plant) gone() []string {
	p.t.Helper()
	var all []string
	for id, fate := range p.byFrame {
		fr, err := p.Frame(p.t.Context(), id)
		p.must(err)
		if !fr.PictureRemovedAt.IsZero() {
			all = append(all, fate)
		}
	}
	slices.Sort(all)
	return all
}

func (p *plant) expect(got []string, want ...string) {
	p.t.Helper()
	slices.Sort(want)
	if !slices.Equal(got, want) {
		p.t.Errorf("without a picture are %v, want %v", got, want)
	}
}

func TestPicturesGoByAgeTheOrdinaryFirstAndTheLabelledNever(t *testing.T) {
	p := newPlant(t, 1)
	p.tick.Add(100 * day)
	p.expect(p.run()) // by default everything stays
	p.rule(storage.KeepRule{Days: 101, ProtectDays: 365})
	p.expect(p.run())
	p.tick.Add(2 * day)
	p.expect(p.run(), "ok", "discarded")
	p.tick.Add(264 * day)
	p.expect(p.run(), "ok", "discarded", "ng", "unsure", "quarantined")
	p.tick.Add(10000 * day)
	p.expect(p.run(), "ok", "discarded", "ng", "unsure", "quarantined")
	p.rule(storage.KeepRule{Days: 101, ProtectDays: 365, LabelledMayGo: true})
	p.expect(p.run(), "ok", "discarded", "ng", "unsure", "quarantined", "labelled", "taken back")
	for _, id := range p.byFate["quarantined"] {
		if fr, err := p.Frame(t.Context(), id); err != nil || fr.State != storage.Discarded {
			t.Errorf("nobody can try it again, and it is %s, %v", fr.State, err)
		}
	}
}

func TestPicturesGoBySizeTheOldestFirst(t *testing.T) {
	p := newPlant(t, 3) // 24 gigabytes, three of them ordinary OK, three discarded
	p.rule(storage.KeepRule{Gigabytes: 22, ProtectDays: 10})
	p.expect(p.run(), "ok", "discarded")
	if fr, err := p.Frame(t.Context(), p.byFate["ok"][0]); err != nil || fr.PictureRemovedAt.IsZero() {
		t.Errorf("the oldest is kept and a newer one went, %v", err)
	}
	p.rule(storage.KeepRule{Gigabytes: 5, ProtectDays: 10})
	p.expect(p.run(), "ok", "ok", "ok", "discarded", "discarded", "discarded") // what is protected stays, whatever its size
	plan, err := p.PlanKeeping(t.Context(), p.r.ID, p.r.Keep)
	if p.must(err); plan.Over != 13<<30 {
		t.Errorf("over by %d", plan.Over)
	}
	p.tick.Add(11 * day)
	p.expect(p.run(), "ok", "ok", "ok", "discarded", "discarded", "discarded", "ng", "ng", "ng", "unsure", "unsure", "unsure", "quarantined", "quarantined", "quarantined")
}

func TestARemovedPictureLeavesVerdictLabelsAndCountsBehind(t *testing.T) {
	p := newPlant(t, 1)
	ctx := t.Context()
	ok := p.byFate["ok"][0]
	before, err := p.Inspections(ctx, storage.InspectionFilter{}, 0, 100)
	p.must(err)
	p.rule(storage.KeepRule{Days: 1, ProtectDays: 1, LabelledMayGo: true})
	p.tick.Add(2 * day)
	p.run()
	after, err := p.Inspections(ctx, storage.InspectionFilter{}, 0, 100)
	if p.must(err); len(after) != len(before) || len(after) == 0 {
		t.Errorf("%d inspections of %d are left", len(after), len(before))
	}
	_, _, err = p.Correct(ctx, storage.Correction{FrameID: ok, Class: "dent", Person: "eve", Source: "page"}) // the customer sent it back
	p.must(err)
	ids, err := p.GalleryIDs(ctx, storage.GalleryFilter{RecipeID: p.r.ID})
	if p.must(err); !slices.Equal(ids, p.byFate["pending"]) {
		t.Errorf("the grid has %v, want those with a picture", ids)
	}
	if set, err := p.DataSet(ctx, p.r.ID); err != nil || len(set) != 0 {
		t.Errorf("trained on would be %v, %v", set, err)
	}
	if n, err := p.FrameCount(ctx, p.r.ID); err != nil || n != 1 {
		t.Errorf("%d frames to label, %v", n, err)
	}
}

func TestLettingGoOfTrainingPicturesIsSaid(t *testing.T) {
	p := newPlant(t, 2)
	ctx := t.Context()
	v := storage.Version{RecipeID: p.r.ID, Size: 224, Classes: p.r.ClassNames(), Statement: []byte("{}"), Report: []byte("{}"), CreatedBy: "ada", TrainedOn: p.byFate["labelled"]}
	v, err := p.AddVersion(ctx, v, nil)
	p.must(err)
	if on, err := p.TrainedOn(ctx, v.ID); err != nil || !slices.Equal(on, p.byFate["labelled"]) {
		t.Errorf("trained on %v, %v", on, err)
	}
	p.rule(storage.KeepRule{Days: 1, ProtectDays: 1, LabelledMayGo: true})
	p.tick.Add(2 * day)
	p.run()
	gone, err := p.TrainingGone(ctx, v.ID)
	if p.must(err); !gone.Known || gone.All != 2 || gone.Removed != 2 || gone.Last.IsZero() {
		t.Errorf("%+v", gone)
	}
	if gone, err := p.TrainingGone(ctx, p.v.ID); err != nil || gone.Known {
		t.Errorf("of a version that did not say: %+v, %v", gone, err)
	}
	log, err := p.Audit(ctx, fmt.Sprint("recipe ", p.r.ID), 0, 20)
	p.must(err)
	said := 0
	for _, e := range log {
		if e.Action == "pictures.remove" {
			said++
			if labelled := strings.Contains(e.After, `"kind":"labelled"`); labelled != strings.Contains(e.After, fmt.Sprintf(`"trained_on":[{"version":%d,"pictures":2}]`, v.Number)) {
				t.Errorf("the audit log says %s", e.After)
			}
		}
	}
	if said != 3 {
		t.Errorf("%d entries, want one a kind", said)
	}
}

func TestBlobsGoADayAfterTheirPicturesUnlessUsedAgain(t *testing.T) {
	p := newPlant(t, 2)
	ctx := t.Context()
	first, second := p.byFate["ok"][0], p.byFate["ok"][1]
	p.rule(storage.KeepRule{Days: 1, ProtectDays: 1})
	p.tick.Add(2 * day)
	p.run()
	p.there(first, true) // a backup may still want it
	forgotten := map[string][]int64{}
	each := func(key string, frames []int64) error { forgotten[key] = frames; return nil }
	if n, err := p.DeleteBlobs(ctx, each); err != nil || n != 0 {
		t.Errorf("%d blobs went at once, %v", n, err)
	}
	again, err := p.Frame(ctx, second)
	p.must(err)
	data, err := p.Blobs.Get(ctx, again.BlobKey)
	p.must(err)
	_, added, err := p.StoreFrame(ctx, storage.Frame{StationID: p.s.ID, RecipeID: p.r.ID, Format: "png", Bytes: 10, Width: 64, Height: 48, Orientation: 1}, data)
	if p.must(err); !added {
		t.Error("the same picture was sent again as another frame, and is none")
	}
	p.tick.Add(2 * day)
	n, err := p.DeleteBlobs(ctx, each)
	if p.must(err); n != 2*5-1 {
		t.Errorf("%d blobs went, want all that nothing uses", n)
	}
	p.there(first, false)
	p.there(second, true)
	fr, err := p.Frame(ctx, first)
	if p.must(err); !slices.Equal(forgotten[fr.BlobKey], []int64{first}) {
		t.Errorf("%v", forgotten)
	}
}

// there compares whether the blob of a frame is there.
func (p *plant) there(frame int64, want bool) {
	p.t.Helper()
	fr, err := p.Frame(p.t.Context(), frame)
	p.must(err)
	if there, err := p.Blobs.Exists(p.t.Context(), fr.BlobKey); err != nil || there != want {
		p.t.Errorf("the blob of frame %d is there: %v, %v", frame, there, err)
	}
}

func TestDeletingGoesOnWhereItStopped(t *testing.T) {
	p := newPlant(t, 3)
	p.rule(storage.KeepRule{Days: 1, ProtectDays: 1})
	p.tick.Add(2 * day)
	p.run()
	p.tick.Add(2 * day)
	stop := errors.New("the power failed")
	n := 0
	_, err := p.DeleteBlobs(t.Context(), func(string, []int64) error {
		if n++; n == 4 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if _, err := p.raw().Exec(`UPDATE blobs_to_delete SET taken = 1`); err != nil { // as a crash leaves it
		t.Fatal(err)
	}
	p.reopen()
	_, err = p.DeleteBlobs(t.Context(), func(string, []int64) error { return nil })
	p.must(err)
	for id := range p.byFrame {
		fr, err := p.Frame(t.Context(), id)
		p.must(err)
		p.there(id, fr.PictureRemovedAt.IsZero())
	}
	var left int
	p.must(p.raw().QueryRow(`SELECT count(*) FROM blobs_to_delete`).Scan(&left))
	if left != 0 {
		t.Errorf("%d are still on the list", left)
	}
}

// A picture that comes again while its blob is being deleted is refused for the
// moment, and stored anew afterwards.
func TestAPictureThatComesWhileItIsDeletedIsNotLost(t *testing.T) {
	p := newPlant(t, 1)
	ctx := t.Context()
	p.rule(storage.KeepRule{Days: 1, ProtectDays: 1})
	p.tick.Add(2 * day)
	p.run()
	p.tick.Add(2 * day)
	ok, err := p.Frame(ctx, p.byFate["ok"][0])
	p.must(err)
	data, err := p.Blobs.Get(ctx, ok.BlobKey)
	p.must(err)
	send := func() error {
		_, _, err := p.StoreFrame(ctx, storage.Frame{StationID: p.s.ID, RecipeID: p.r.ID, Format: "png", Bytes: 10, Width: 64, Height: 48, Orientation: 1, IdempotencyKey: "again"}, data)
		return err
	}
	var during error
	_, err = p.DeleteBlobs(ctx, func(key string, _ []int64) error {
		if key == ok.BlobKey {
			during = send()
		}
		return nil
	})
	p.must(err)
	p.refused(during, storage.Busy)
	p.there(ok.ID, false)
	p.must(send())
	p.there(ok.ID, true)
}

func TestARuleThatMakesNoSenseIsRefused(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	for _, k := range []storage.KeepRule{{Days: -1}, {Days: 40000}, {Gigabytes: -1}, {ProtectDays: -5}, {Days: 30, ProtectDays: 10}} {
		r.Keep = k
		f.refused(f.ChangeRecipe(t.Context(), "ada", r), storage.Invalid)
		_, err := f.PlanKeeping(t.Context(), r.ID, k)
		f.refused(err, storage.Invalid)
	}
}

func TestAVersionKnowsItsFramesHoweverTheyLie(t *testing.T) {
	f := open(t)
	r := f.recipe("caps")
	for _, on := range [][]int64{{1}, {1, 2, 3}, {5, 100, 1 << 40}} {
		v, err := f.AddVersion(t.Context(), storage.Version{RecipeID: r.ID, Size: 224, Classes: r.ClassNames(), Statement: []byte("{}"), Report: []byte("{}"), CreatedBy: "ada", TrainedOn: on}, nil)
		f.must(err)
		if got, err := f.TrainedOn(t.Context(), v.ID); err != nil || !slices.Equal(got, on) {
			t.Errorf("%v, want %v, %v", got, on, err)
		}
	}
	_, err := f.AddVersion(t.Context(), storage.Version{RecipeID: r.ID, Size: 224, TrainedOn: []int64{3, 2}}, nil)
	if err == nil {
		t.Error("frames in disorder are taken")
	}
}

// What the rules remove is room that the plant gets back: the disk is full later.
func TestGrowthCountsWhatTheRulesRemove(t *testing.T) {
	p := newPlant(t, 4)
	p.tick.Add(day)
	before, err := p.Growth(t.Context(), 1000)
	p.must(err)
	p.rule(storage.KeepRule{Days: 1, ProtectDays: 1})
	p.run()
	after, err := p.Growth(t.Context(), 1000)
	if p.must(err); after >= before || after <= 0 {
		t.Errorf("grew by %v bytes a second, then by %v", before, after)
	}
}
