package commands

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"testing"
	"time"

	"loupe/storage"
	"loupe/web/client"
)

// setQueue changes the recipe's queue rule.
func (s *site) setQueue(rule storage.QueueRule) {
	s.t.Helper()
	r, err := s.DB.Recipe(s.t.Context(), s.recipe.ID)
	if err == nil {
		r.Queue = rule
		err = s.DB.ChangeRecipe(s.t.Context(), "test", r)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// postOnce posts a frame without trying again and gives the answer with its body read.
func postOnce(t testing.TB, url, token, serial string, picture []byte, wait time.Duration) (*http.Response, map[string]any) {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("image", "part.png")
	if err == nil {
		_, err = part.Write(picture)
	}
	if err != nil || form.Close() != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, fmt.Sprintf("%s/api/v1/frames?wait=%s", url, wait), &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Idempotency-Key", serial)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(data, &answer); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return resp, answer
}

func TestAStationFarBehindIsToldToWaitAndLosesNothing(t *testing.T) {
	folder := t.TempDir()
	s := startTaughtIn(t, folder)
	s.setQueue(storage.QueueRule{Limit: 3})
	token := s.token
	s.stop()

	blind, url := serve(t, folder, "--workers", "0")
	picture := encodePart(t, drawPart(rand.New(rand.NewPCG(3, 4)), "good"))
	for n := range 3 {
		if resp, answer := postOnce(t, url, token, fmt.Sprint(n), picture, 0); resp.StatusCode != http.StatusAccepted {
			t.Fatalf("frame %d: %d %v", n, resp.StatusCode, answer)
		}
	}
	resp, answer := postOnce(t, url, token, "late", picture, 0)
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") != "5" || answer["code"] != "behind" {
		t.Errorf("over the limit: %d, Retry-After %q, %v", resp.StatusCode, resp.Header.Get("Retry-After"), answer)
	}
	// What was accepted before may be sent again all the same.
	if resp, answer := postOnce(t, url, token, "1", picture, 0); resp.StatusCode != http.StatusAccepted {
		t.Errorf("a repeated frame: %d %v", resp.StatusCode, answer)
	}
	_ = blind.Process.Kill()
	_ = blind.Wait()

	_, url = serve(t, folder)
	for _, serial := range []string{"0", "1", "2", "late"} {
		p, err := client.New(url, token).PostFrame(t.Context(), client.Frame{Image: picture, IdempotencyKey: serial}, 30*time.Second)
		if err != nil || p.Inspection == nil {
			t.Errorf("frame %s: %+v, %v", serial, p, err)
		}
	}
}

// The station that waits for a dropped frame must hear of it at once, and it
// must not hear that the part is good.
func TestAStationHearsThatItsFrameWasDropped(t *testing.T) {
	folder := t.TempDir()
	s := startTaughtIn(t, folder)
	s.setQueue(storage.QueueRule{Limit: 2, NewestFirst: true})
	token := s.token
	s.stop()

	_, url := serve(t, folder, "--workers", "0")
	picture := encodePart(t, drawPart(rand.New(rand.NewPCG(3, 4)), "good"))
	began := time.Now()
	type outcome struct {
		status int
		answer map[string]any
		took   time.Duration
	}
	first := make(chan outcome, 1)
	go func() {
		resp, answer := postOnce(t, url, token, "0", picture, 25*time.Second)
		first <- outcome{resp.StatusCode, answer, time.Since(began)}
	}()
	time.Sleep(time.Second) // the first is stored by then
	for n := 1; n < 3; n++ {
		if resp, answer := postOnce(t, url, token, fmt.Sprint(n), picture, 0); resp.StatusCode != http.StatusAccepted {
			t.Fatalf("frame %d: %d %v", n, resp.StatusCode, answer)
		}
	}
	got := <-first
	if got.status != http.StatusAccepted || got.answer["state"] != "discarded" || got.answer["verdict"] != nil || got.took > 20*time.Second {
		t.Errorf("after %v: %d %v", got.took, got.status, got.answer)
	}
}
