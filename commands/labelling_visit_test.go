package commands

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"loupe/storage"
)

func TestAGroupIsLabelledByOneKeyAndASuspectKeptByAnother(t *testing.T) {
	s := startTaught(t)
	rng := rand.New(rand.NewPCG(12, 12))
	const each = 3
	for n := range each {
		s.post(rng, "good", fmt.Sprint("A-", n))
		s.post(rng, "cut", fmt.Sprint("B-", n))
	}
	r := s.recipe.ID
	labelled := func() (n int) {
		s.t.Helper()
		counts, err := s.DB.ClassCounts(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range counts {
			n += c.Train + c.Test
		}
		return n
	}
	before := labelled()
	b := s.signIn(fmt.Sprintf("/label/groups?recipe=%d", r), 1280, 800)
	b.Click(`#work-group button[hx-post]`)
	b.Until("a group is shown and all of it is chosen", `document.querySelectorAll('[data-group]').length > 0 && Number(document.querySelector('[data-chosen]').textContent) > 0`)
	b.Keys("3")
	b.Until("the label is confirmed", `document.querySelector('#toasts').innerText.includes('cut')`)
	after := labelled()
	if after <= before {
		t.Errorf("%d labels after a group, %d before", after, before)
	}
	b.Keys("z")
	// Another group of the same size may be shown until the undo is answered.
	eventually(t, "the labels are taken back", func() bool { return labelled() == before })
	b.Until("the whole group is back", fmt.Sprintf(`document.querySelector('[data-chosen]').textContent === '%d'`, after-before))
	b.Calm()

	frames, err := s.DB.FramesWithLabel(t.Context(), r, 2)
	if err != nil {
		t.Fatal(err)
	}
	err = s.DB.SetSuspects(t.Context(), r, []storage.Suspect{
		{FrameID: frames[0].FrameID, Label: frames[0].Class, Said: "cut", Probability: 0.9, Own: 0.1, Doubt: 2},
		{FrameID: frames[1].FrameID, Label: frames[1].Class, Said: "cut", Probability: 0.8, Own: 0.2, Doubt: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Go(s.URL + fmt.Sprintf("/label/suspects?recipe=%d", r))
	b.Until("the first is shown", `document.querySelector('[data-said]').textContent === 'cut' && document.querySelector('[data-shown]').naturalWidth > 0`)
	b.Keys("\r")
	b.Until("it was kept", `document.querySelector('#toasts').innerText.length > 0 && !!document.querySelector('[data-suspect="0"][data-done]')`)
	b.Keys("3")
	b.Until("all are settled", `!document.querySelector('[data-finished]').hidden && document.querySelector('#toasts').innerText.includes('cut')`)
	if f, err := s.DB.Frame(t.Context(), frames[1].FrameID); err != nil || f.Label != "cut" {
		t.Errorf("the second is labelled %q, %v", f.Label, err)
	}
	if kept, err := s.DB.Confirmed(t.Context(), r); err != nil || len(kept) != 1 || kept[0] != frames[0].FrameID {
		t.Errorf("kept are %v, %v", kept, err)
	}
	b.Keys("z")
	b.Until("the second waits again", `!document.querySelector('[data-suspect="1"][data-done]') && document.querySelector('[data-finished]').hidden`)
	if n, err := s.DB.SuspectCount(t.Context(), r); err != nil || n != 1 {
		t.Errorf("%d suspects, %v", n, err)
	}
	b.Calm()
}
