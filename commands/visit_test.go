package commands

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"loupe/storage"
	"loupe/web/browsertest"
)

// settled is longer than a key may still have been meant for the part before.
const settled = 700 * time.Millisecond

// shows waits until the Line page shows the frame with a verdict.
func shows(b *browsertest.Tab, frame int64, verdict string) {
	b.Until(fmt.Sprintf("frame %d is shown as %s", frame, verdict), fmt.Sprintf(`!!document.querySelector('.station .part.%s[data-frame="%d"]')`, verdict, frame))
}

func TestOneKeyTeachesADefectThatTheModelHasNeverSeen(t *testing.T) {
	s := startTaught(t)
	first := s.champion(0)
	rng := rand.New(rand.NewPCG(5, 5))
	b := s.signIn("/", 1280, 800)
	good := s.post(rng, "good", "G-1")
	if good.Verdict != "OK" {
		t.Errorf("a good part is judged %s %s", good.Verdict, good.Class)
	}
	shows(b, good.FrameID, "ok")
	champion := first
	for n := range 2 {
		wrong := s.post(rng, "cut", fmt.Sprint("C-", n))
		if n == 0 && wrong.Class == "cut" {
			t.Fatal("the model knows a class that it was never shown")
		}
		b.Until("the cut is shown", fmt.Sprintf(`!!document.querySelector('.part[data-frame="%d"]')`, wrong.FrameID))
		time.Sleep(settled)
		b.Click(fmt.Sprintf(`.station .part[data-frame="%d"] button[data-key="3"]`, wrong.FrameID))
		b.Until("the label is confirmed", `document.querySelector('#toasts')?.innerText.includes('cut')`)
		champion = s.champion(champion)
	}
	right := 0
	var last int64
	for n := range 6 {
		i := s.post(rng, "cut", fmt.Sprint("D-", n))
		if i.Class == "cut" {
			right++
			last = i.FrameID
		}
	}
	if right < 4 {
		t.Fatalf("after two corrections %d of 6 cuts are judged right", right)
	}
	b.Until("a cut stands in the strip as NG", fmt.Sprintf(`!!document.querySelector('.strip li.ng[data-frame="%d"]')`, last))
	b.Calm()
	s.rollBack(b, champion)
}

// rollBack goes back to the version before on the Model page.
func (s *site) rollBack(b *browsertest.Tab, champion int64) {
	s.t.Helper()
	b.Go(s.URL + "/model")
	b.Click(`form[action$="/rollback"] button`)
	b.Until("the page asks", `!!document.querySelector('dialog[open]')`)
	b.Click(`dialog[open] button[value="yes"]`)
	back := s.champion(champion)
	versions, err := s.DB.Versions(s.t.Context(), s.recipe.ID, 10)
	if err != nil {
		s.t.Fatal(err)
	}
	if versions[1].ID != back || versions[0].State != storage.Retired {
		s.t.Errorf("rolled back to %d of %v", back, versions)
	}
	b.Calm()
}

func TestTheFirstRunOffersADemonstrationThatOneClickRemoves(t *testing.T) {
	s := startSite(t)
	ctx := t.Context()
	b := s.signIn("/", 1920, 1080)
	b.Click(`form[action="/demonstration/start"] button`)
	b.Until("parts move", `!!document.querySelector('.station .part[data-frame]')`)
	b.Calm()
	demo, err := s.DB.Recipes(ctx)
	if err != nil || len(demo) != 1 || !demo[0].Demo {
		t.Fatalf("recipes %v, %v", demo, err)
	}
	s.teach() // a recipe of the plant's own beside it
	kept := s.post(rand.New(rand.NewPCG(6, 6)), "stain", "K-1")
	b.Go(s.URL + "/setup/stations")
	b.Click(`form[action="/demonstration/remove"] button`)
	b.Until("the Line page is back", `location.pathname === '/' && document.querySelectorAll('[data-station]').length === 1`)
	left, err := s.DB.Recipes(ctx)
	if err != nil || len(left) != 1 || left[0].ID != s.recipe.ID {
		t.Errorf("recipes %v, %v", left, err)
	}
	frames, err := s.DB.GalleryCount(ctx, storage.GalleryFilter{RecipeID: demo[0].ID})
	if err != nil || frames != 0 {
		t.Errorf("%d frames of the demonstration are left, %v", frames, err)
	}
	if i, err := s.station.GetInspection(ctx, kept.ID); err != nil || i.FrameID != kept.FrameID {
		t.Errorf("the plant's own part is gone: %v", err)
	}
	b.Calm()
}

func TestLabellingManyAtOnceAndBack(t *testing.T) {
	s := startTaught(t)
	b := s.signIn("/label", 1280, 800)
	b.Until("cells are there", `document.querySelectorAll('.cell[data-frame]').length >= 24 || document.querySelectorAll('.cell').length >= 24`)
	before, err := s.DB.ClassCounts(t.Context(), s.recipe.ID)
	if err != nil {
		t.Fatal(err)
	}
	b.Keys("a", chromedp.KeyModifiers(input.ModifierCtrl))
	b.Until("all are selected", `document.querySelector('[data-chosen]').textContent === '24'`)
	b.Keys("3")
	b.Until("all are cuts", `document.querySelector('.rail').innerText.includes('24 of 24') && [...document.querySelectorAll('.cell .name')].every((e) => e.textContent === 'cut')`)
	counts, err := s.DB.ClassCounts(t.Context(), s.recipe.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range counts {
		if want := map[bool]int{true: 24, false: 0}[c.Class == "cut"]; c.Train+c.Test != want {
			t.Errorf("%d of %s, want %d", c.Train+c.Test, c.Class, want)
		}
	}
	b.Keys("z")
	b.Until("the labels are back", `[...document.querySelectorAll('.cell .name')].every((e) => e.textContent !== 'cut')`)
	after, err := s.DB.ClassCounts(t.Context(), s.recipe.ID)
	if err != nil || fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("after the undo %v, before %v, %v", after, before, err)
	}
	b.Calm()
}

func TestTheLanguageIsTheBrowsersAndCanBeChanged(t *testing.T) {
	s := startTaught(t)
	b := s.signIn("/", 1280, 800)
	if lang := browsertest.Eval[string](b, `document.documentElement.lang`); lang != "en" {
		t.Errorf("the browser speaks English, the page %s", lang)
	}
	b.Click(`details[data-menu] summary`)
	b.Click(`button[name="lang"][value="zh"]`)
	b.Until("the page speaks Chinese", `document.documentElement.lang.startsWith('zh')`)
	b.Until("the words are Chinese", `/[\u4e00-\u9fff]/.test(document.querySelector('nav').innerText)`)
	b.Calm()
}

func TestALostStationIsUnmistakable(t *testing.T) {
	s := startTaught(t)
	b := s.signIn("/", 1280, 800)
	last := s.post(rand.New(rand.NewPCG(8, 8)), "good", "L-1")
	shows(b, last.FrameID, "ok")
	// It has posted one part only, so the shortest silence counts.
	b.Until("the station is shown as lost", `!!document.querySelector('.station .lost[role="alert"]') && !document.querySelector('.station .part.ok')`)
	if high := browsertest.Eval[float64](b, `document.querySelector('.station .shot img').getBoundingClientRect().height`); high < 200 {
		t.Errorf("its last part is %.0f pixels high", high)
	}
	b.Until("a banner says so", `document.body.innerText.includes('press 4 is lost')`)
	back := s.post(rand.New(rand.NewPCG(9, 9)), "good", "L-2")
	shows(b, back.FrameID, "ok")
	b.Until("it is lost no longer", `!document.querySelector('.station .lost')`)
	b.Calm()
}
