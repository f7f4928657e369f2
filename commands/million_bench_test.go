package commands

import (
	"database/sql"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"loupe/storage"
	"loupe/vision"
)

// million fills a data folder with a million judged frames of twelve stations
// and three recipes over a year, every fiftieth labelled.
func million(b *testing.B, folder string) {
	b.Helper()
	db, err := storage.Open(b.Context(), storage.Settings{Folder: folder})
	if err != nil {
		b.Fatal(err)
	}
	for r := range 3 {
		recipe, err := db.AddRecipe(b.Context(), "test", storage.NewRecipe(fmt.Sprint("Part ", r+1), []vision.Class{
			{Name: "good", Pass: true, Color: "#5b8c5a", Key: "1"}, {Name: "stain", Color: "#b9770e", Key: "2"}, {Name: "cut", Color: "#1f618d", Key: "3"}}))
		if err != nil {
			b.Fatal(err)
		}
		v, err := db.AddVersion(b.Context(), storage.Version{RecipeID: recipe.ID, Size: 224, Classes: recipe.ClassNames(), Statement: []byte("{}"), Report: []byte("{}"), CreatedBy: "test"}, nil)
		if err == nil {
			_, err = db.Promote(b.Context(), "test", v.ID, "")
		}
		for n := range 4 {
			if err == nil {
				_, _, err = db.AddStation(b.Context(), "test", storage.Station{Name: fmt.Sprint("station ", r+1, "-", n+1), Line: fmt.Sprint("L", r+1), RecipeID: recipe.ID})
			}
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	raw, err := sql.Open("sqlite3", "file:"+folder+"/loupe.db?_synchronous=OFF&_foreign_keys=on")
	if err != nil {
		b.Fatal(err)
	}
	defer raw.Close()
	raw.SetMaxOpenConns(1)
	year := time.Now().Add(-365 * 24 * time.Hour).UnixMilli()
	for _, q := range []string{
		fmt.Sprintf(`INSERT INTO frames (id, station_id, recipe_id, blob_key, format, bytes, width, height, orientation, serial, lot, part_key, taken_at, received_at, readings_json, state, attention)
			WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
			SELECT i, 1 + i %% 12, 1 + (i %% 12) / 4, 'frames/00/' || i, 'jpeg', 200000, 2048, 1536, 1, 'S' || i, 'L' || (i / 500), 'S' || i, %d + i * 31536, %d + i * 31536,
				'{"press_kN":118.4,"tool":"T4"}', 'judged', CASE WHEN i %% 97 = 0 THEN 2 ELSE 1 END FROM n`, year, year),
		`INSERT INTO inspections (id, frame_id, station_id, recipe_id, version_id, verdict, class, score, probabilities_json, findings_json, timings_json, heat, worker, judged_at)
			SELECT id, id, station_id, recipe_id, recipe_id, CASE WHEN id % 97 = 0 THEN 'Unsure' WHEN id % 25 = 0 THEN 'NG' ELSE 'OK' END,
				CASE WHEN id % 25 = 0 THEN 'stain' WHEN id % 97 = 0 THEN 'cut' ELSE 'good' END, 0.97,
				'[{"class":"good","p":0.97},{"class":"stain","p":0.02},{"class":"cut","p":0.01}]', '[]', '{"queue":3,"read":0.4,"decode":4,"prepare":1,"forward":21,"explain":1.4,"total":35}',
				zeroblob(300), 'worker-1', received_at + 35 FROM frames`,
		`UPDATE frames SET (verdict, class) = (SELECT verdict, class FROM inspections i WHERE i.frame_id = frames.id)`,
		`INSERT INTO corrections (id, frame_id, recipe_id, class, person, source, at) SELECT id, id, recipe_id, 'good', 'ada', 'page', received_at + 60000 FROM frames WHERE id % 50 = 0`,
		`UPDATE frames SET label = 'good', label_id = id, share = CASE WHEN id % 250 = 0 THEN 'test' ELSE 'train' END, attention = 0 WHERE id % 50 = 0`,
		`UPDATE inspections SET label = 'good' WHERE id % 50 = 0`,
		`INSERT INTO audit (at, person, action, subject, before_json, after_json) SELECT at, 'ada', 'frame.label', 'frame ' || frame_id, '""', '"good"' FROM corrections`,
	} {
		if _, err := raw.Exec(q); err != nil {
			b.Fatal(err)
		}
	}
}

// addresses are every page and list, with their filters and far down.
var addresses = []string{
	"/", "/?line=L2", "/label?recipe=1", "/label?recipe=2&verdict=NG", "/label?recipe=1&class=stain", "/label/ids?recipe=1", "/recipes/1/model", "/inspections/500000", "/inspections/500000?station=9", "/frames/999999", "/setup/recipes", "/setup/recipes/1",
	"/setup/stations", "/setup/people", "/setup/jobs", "/setup/quarantine", "/setup/audit", "/setup/audit?before=10000", "/setup/audit?subject=frame+500", "/health", "/account", "/metrics", "/readyz",
	"/api/v1/inspections", "/api/v1/inspections?limit=500", "/api/v1/inspections?station=5&verdict=NG", "/api/v1/inspections?recipe=2&class=stain", "/api/v1/inspections?label=good", "/api/v1/inspections?lot=L1000", "/api/v1/inspections?serial=S777777",
	"/api/v1/inspections?verdict=Unsure&station=3", "/api/v1/inspections?version=2&verdict=NG", "/api/v1/inspections?from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z", "/api/v1/inspections?station=7&class=cut&label=good",
	"/api/v1/inspections/400000", "/api/v1/frames/400000", "/api/v1/stations", "/api/v1/recipes", "/api/v1/versions/1",
}

// BenchmarkMillion opens every page and list of a server with a million
// inspections, twenty times each, and prints them by their 95th percentile: go
// test -run '^$' -bench Million -benchtime 1x -v ./commands
func BenchmarkMillion(b *testing.B) {
	folder := b.TempDir()
	million(b, folder)
	s := startSiteIn(b, folder)
	c := s.signInAs(storage.Admin)
	type row struct {
		address string
		quantiles
	}
	var rows []row
	b.ResetTimer()
	for _, address := range addresses {
		accept := "text/html"
		if strings.HasPrefix(address, "/api/") {
			accept = "application/json"
		}
		var ms []float64
		for n := range 21 {
			began := time.Now()
			status, text := c.call("GET", address, "", accept)
			if status != http.StatusOK && status != http.StatusSeeOther {
				b.Fatalf("%s: %d %.200s", address, status, text)
			}
			if n > 0 { // the first fills the caches
				ms = append(ms, since(began))
			}
		}
		rows = append(rows, row{address, quantilesOf(ms)})
	}
	slices.SortFunc(rows, func(x, y row) int { return int(1000 * (y.P95 - x.P95)) })
	for _, r := range rows {
		b.Logf("%8.1f ms p50 %8.1f ms p95  %s", r.P50, r.P95, r.address)
	}
	b.ReportMetric(rows[0].P95, "worst-p95-ms")
}
