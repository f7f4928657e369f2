package commands

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math/rand/v2"
	"testing"
	"time"

	"loupe/storage"
	"loupe/web/browsertest"
)

// watch notes when the pixels of each part are on the screen: after its picture
// is there and the next frame of the browser was drawn.
const watch = `(() => {
	window.painted = {};
	const look = () => {
		const part = document.querySelector('.station .part[data-frame]');
		if (!part || part.dataset.frame in window.painted) return;
		const frame = part.dataset.frame;
		window.painted[frame] = 0;
		const img = part.querySelector('img');
		const mark = () => requestAnimationFrame(() => {
			const after = new MessageChannel();
			after.port1.onmessage = () => { window.painted[frame] = performance.timeOrigin + performance.now(); };
			after.port2.postMessage(0);
		});
		if (img.complete) mark(); else img.addEventListener('load', mark);
	};
	new MutationObserver(look).observe(document.querySelector('.stations'), { subtree: true, childList: true });
	return true;
})()`

// BenchmarkVerdictToPixels measures how long after a worker's verdict the Line
// page shows it, with a station that posts four parts a second. Run it with
// -benchtime 200x.
func BenchmarkVerdictToPixels(b *testing.B) {
	s := startTaught(b)
	page := s.signIn("/", 1920, 1080)
	rng := rand.New(rand.NewPCG(7, 7))
	first := s.post(rng, "good", "W-0")
	shows(page, first.FrameID, "ok")
	browsertest.Eval[bool](page, watch)
	beat := time.NewTicker(250 * time.Millisecond)
	defer beat.Stop()
	var judged []storage.Inspection
	b.ResetTimer()
	for n := range b.N {
		<-beat.C
		answer := s.post(rng, []string{"good", "stain"}[n%2], fmt.Sprint("W-", n+1))
		i, err := s.DB.Inspection(b.Context(), answer.ID)
		if err != nil {
			b.Fatal(err)
		}
		judged = append(judged, i)
	}
	last := judged[len(judged)-1].FrameID
	page.Until("the last part is painted", fmt.Sprintf("window.painted[%d] > 0", last))
	painted := browsertest.Eval[map[string]float64](page, "window.painted")
	var ms []float64
	for _, i := range judged {
		at := painted[fmt.Sprint(i.FrameID)]
		if at == 0 {
			b.Errorf("frame %d was never painted", i.FrameID)
			continue
		}
		ms = append(ms, at-float64(i.JudgedAt.UnixMilli()))
	}
	reportQuantiles(b, ms)
}

// BenchmarkGridFirstPaint measures the first contentful paint of the labelling
// grid with 10,000 frames. Run it with -benchtime 20x.
func BenchmarkGridFirstPaint(b *testing.B) {
	s := startSite(b)
	r, err := s.DB.AddRecipe(b.Context(), "test", storage.NewRecipe("Caps", newClasses([]string{"good", "stain"}, nil)))
	if err != nil {
		b.Fatal(err)
	}
	for at := 0; at < 10000; at += 500 {
		var some []storage.Import
		for n := at; n < at+500; n++ {
			some = append(some, storage.Import{Frame: s.small(b, n), Class: []string{"good", "stain"}[n%2]})
		}
		if _, err := s.DB.Import(b.Context(), r.ID, some); err != nil {
			b.Fatal(err)
		}
	}
	page := s.signIn("/label", 1920, 1080)
	var ms []float64
	b.ResetTimer()
	for range b.N {
		page.Go(s.URL + "/label")
		page.Until("it is painted", `performance.getEntriesByName('first-contentful-paint').length > 0 && document.querySelectorAll('.cell img').length > 50`)
		ms = append(ms, browsertest.Eval[float64](page, `performance.getEntriesByName('first-contentful-paint')[0].startTime`))
	}
	reportQuantiles(b, ms)
}

func reportQuantiles(b *testing.B, ms []float64) {
	q := quantilesOf(ms)
	b.ReportMetric(q.P50, "p50-ms")
	b.ReportMetric(q.P95, "p95-ms")
}

// small stores a picture like no other.
func (s *site) small(b *testing.B, n int) storage.Frame {
	img := image.NewGray(image.Rect(0, 0, 48, 48))
	for i := range img.Pix {
		img.Pix[i] = uint8(i*(n%251+1)/97 + n)
	}
	img.SetGray(0, 0, color.Gray{Y: uint8(n)})
	img.SetGray(1, 0, color.Gray{Y: uint8(n >> 8)})
	var data bytes.Buffer
	if err := png.Encode(&data, img); err != nil {
		b.Fatal(err)
	}
	key, err := s.DB.Blobs.PutContent(b.Context(), "frames", data.Bytes())
	if err != nil {
		b.Fatal(err)
	}
	return storage.Frame{BlobKey: key, Format: "png", Bytes: int64(data.Len()), Width: 48, Height: 48, Orientation: 1, Source: fmt.Sprint(n)}
}
