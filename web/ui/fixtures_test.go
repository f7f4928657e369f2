package ui

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"loupe/models/evaluation"
	"loupe/models/head"
	"loupe/storage"
	"loupe/vision"
)

var now = time.Date(2026, 3, 9, 14, 12, 40, 0, time.UTC)

var plateClasses = []vision.Class{
	{Name: "good", Pass: true, Color: "#5b8f73", Key: "1"}, {Name: "scratch", Color: "#d1495b", Key: "2"}, {Name: "dent", Color: "#3a86a8", Key: "3"},
	{Name: "stain", Color: "#b5762a", Key: "4"}, {Name: "hole missing", Color: "#7b5ea7", Key: "5"},
}

var chineseClasses = []vision.Class{
	{Name: "良品", Pass: true, Color: "#5b8f73", Key: "1"}, {Name: "划痕", Color: "#d1495b", Key: "2"}, {Name: "凹坑", Color: "#3a86a8", Key: "3"},
	{Name: "表面污渍", Color: "#b5762a", Key: "4"}, {Name: "缺孔", Color: "#7b5ea7", Key: "5"},
}

func classesIn(lang string) []vision.Class {
	if lang == "zh" {
		return chineseClasses
	}
	return plateClasses
}

// kindOf says what is drawn in a frame: 0 good, 1 scratch, 2 dent, 3 stain.
func kindOf(frame int64) int {
	switch {
	case frame%11 == 3:
		return 1
	case frame%23 == 5:
		return 2
	case frame%17 == 9:
		return 3
	}
	return 0
}

func fixturePart(frame int64, verdict vision.Verdict, classes []vision.Class) Part {
	kind := kindOf(frame)
	if verdict == vision.NG && kind == 0 {
		kind = 1
	}
	p := Part{FrameID: frame, InspectionID: frame, Verdict: verdict, Class: classes[kind], Score: 0.964, Width: plateW, Height: plateH,
		Serial: fmt.Sprintf("PL-%06d", frame), Lot: "2026-117", At: now.Add(-time.Duration(5000-frame) * 3 * time.Second), Version: 7}
	second := classes[(kind+2)%len(classes)].Name
	first, rest := 0.964, 0.021
	if verdict == vision.Unsure {
		first, rest = 0.54, 0.41
	}
	p.Probabilities = []vision.Probability{{Class: p.Class.Name, P: first}, {Class: second, P: rest}}
	for _, c := range classes {
		if c.Name != p.Class.Name && c.Name != second {
			p.Probabilities = append(p.Probabilities, vision.Probability{Class: c.Name, P: (1 - first - rest) / float64(len(classes)-2)})
		}
	}
	if verdict != vision.OK {
		p.Findings = []vision.Finding{{Class: p.Class.Name, Score: first, Box: scratchBox}}
	}
	return p
}

func fixtureVerdict(frame int64) vision.Verdict {
	switch {
	case frame%29 == 8:
		return vision.Unsure
	case kindOf(frame) != 0:
		return vision.NG
	}
	return vision.OK
}

func fixtureStation(n int, lang string) StationView {
	classes := classesIn(lang)
	names := map[string][]string{"en": {"Press 4 outlet", "Washer", "Deburring", "Final check", "Coating", "Packing"}, "zh": {"四号冲压出口", "清洗机", "去毛刺", "终检", "涂装", "包装"}}[lang]
	recipe := NamedRecipe{ID: 1, Name: map[string]string{"en": "Plate 40-117", "zh": "面板 40-117"}[lang]}
	top := int64(5000 - n)
	s := StationView{ID: int64(n + 1), Name: names[n], Line: "L1", Recipe: recipe, State: StationRunning, Classes: classes, Now: now,
		Counts: Counts{OK: 1248 - 90*n, NG: 37 + n, Unsure: 9}}
	for i := range int64(50) {
		v := fixtureVerdict(top - i*7)
		if i == 0 {
			v = []vision.Verdict{vision.NG, vision.OK, vision.Unsure, vision.OK, vision.OK, vision.NG}[n]
		}
		part := fixturePart(top-i*7, v, classes)
		if i == 4 {
			part.Label, part.LabelID = classes[2], 99
		}
		s.Strip = append(s.Strip, part)
	}
	s.Last = &s.Strip[0]
	return s
}

func fixtureLine(stations int, lang string) LineView {
	v := LineView{Tray: TrayView{Now: now}, Learning: []LearningView{{Recipe: NamedRecipe{ID: 1, Name: "Plate 40-117"}, Version: 7, Corrections: 3,
		At: time.Now().Add(-12 * time.Second), JudgedSince: 18, Waiting: 4, After: 10, Now: time.Now()}}}
	for n := range stations {
		v.Stations = append(v.Stations, fixtureStation(n, lang))
	}
	for i := range int64(7) {
		v.Tray.Parts = append(v.Tray.Parts, TrayPart{Part: fixturePart(4003+i*13, vision.Unsure, classesIn(lang)), Station: v.Stations[0].Name, Classes: classesIn(lang)})
	}
	v.Tray.Total = 9
	return v
}

func fixtureInspection(frame int64, lang string) InspectionView {
	classes := classesIn(lang)
	v := InspectionView{Part: fixturePart(frame, vision.NG, classes), Judged: true, Thresholds: vision.DefaultThresholds, Station: "Press 4 outlet", Line: "L1", Recipe: NamedRecipe{ID: 1, Name: "Plate 40-117"},
		Classes: classes, Heat: []string{classes[1].Name, classes[3].Name}, TakenAt: now.Add(-time.Minute), Worker: "worker-1", Format: "jpeg", Bytes: 184320,
		Timings: vision.Timings{Queue: 3.2, Read: .4, Decode: 6.1, Prepare: 1.2, Forward: 17.4, Explain: 1.9, Total: 33.8}, Share: "train",
		Readings: []Reading{{"force_kN", "41.7"}, {"tool", "T-12"}, {"temperature_C", "38.2"}}, Newer: frame + 1, Older: frame - 1, Filter: "station=1&verdict=NG", FilterText: "Press 4 outlet, NG", Now: now}
	for i := range int64(5) {
		v.Similar = append(v.Similar, SimilarFrame{FrameID: 3 + 11*i, Label: classes[1], Similarity: .98 - .013*float64(i)})
	}
	v.History = []Said{{Person: "Li Na", Class: classes[3], Source: "page", At: now.Add(-40 * time.Minute), Note: "water mark?"}, {Person: "Jonas", Class: classes[1], Source: "page", At: now.Add(-12 * time.Minute)}}
	v.Part.Label, v.Part.LabelID = classes[1], 42
	return v
}

func fixtureCell(frame int64, classes []vision.Class) GridCell {
	c := GridCell{Frame: frame, Inspection: frame, Predicted: classes[kindOf(frame)].Name, Score: .93, Verdict: fixtureVerdict(frame)}
	if frame%3 != 0 {
		c.Label, c.Share = c.Predicted, "train"
	}
	return c
}

// fixtureLabel has total frames whose IDs count down from total.
func fixtureLabel(total int, lang string) LabelView {
	classes := classesIn(lang)
	v := LabelView{Recipes: []NamedRecipe{{ID: 1, Name: "Plate 40-117"}, {ID: 2, Name: "Cover 12"}}, Stations: []NamedStation{{1, "Press 4 outlet"}}, Filter: LabelFilter{Recipe: 1}, Total: total, Classes: classes}
	for i := range min(total, 120) {
		c := fixtureCell(int64(total-i), classes)
		if i < 6 {
			c.Disagreed, c.Label = true, classes[1+i%3].Name
		} else if i < 40 {
			c.Verdict, c.Label, c.Score = vision.Unsure, "", .54
		}
		v.Cells = append(v.Cells, c)
	}
	v.Progress = ProgressView{Recipe: 1, Frames: total, Labelled: total * 2 / 3}
	for i, c := range classes {
		v.Progress.Classes = append(v.Progress.Classes, ClassProgress{Class: c, Labelled: []int{6120, 312, 141, 18, 4}[i], Test: []int{1224, 62, 28, 4, 1}[i], Enough: 50})
	}
	return v
}

func metric(v, half float64) Metric {
	return Metric{Value: v, Low: max(0, v-half), High: min(1, v+half*.6), Known: true}
}

func fixtureVersion(number int, state string, worse float64, classes []vision.Class) *VersionView {
	v := &VersionView{VersionRow: VersionRow{ID: int64(number), Number: number, ParentID: int64(number - 1), State: state, CreatedAt: now.Add(-time.Duration(9-number) * 50 * time.Minute), CreatedBy: "rule", Headline: metric(.971-worse, .02)},
		Size: 224, ModelSHA: "5f1a0c3b9e7d2f4a6c8b0d1e3f5a7c9b1d3e5f7a9c0b2d4e6f8a1c3b5d7e9f0a", Accuracy: metric(.981-worse, .012), Balanced: metric(.971-worse, .02),
		Escapes: metric(.009+worse, .007), FalseAlarms: metric(.012, .006), UnsureShare: metric(.03+worse, .01), AUROC: .993, TestFrames: 312, JudgedLive: 1842}
	for i, c := range classes {
		v.Classes = append(v.Classes, ClassReport{Class: c, Precision: metric(.98-.02*float64(i)-worse, .03+.02*float64(i)), Recall: metric(.99-.03*float64(i)-worse, .02+.03*float64(i)), F1: metric(.985-.025*float64(i)-worse, .03+.02*float64(i)), Frames: []int{210, 48, 31, 19, 4}[i]})
		v.Confusion.Classes = append(v.Confusion.Classes, c.Name)
		v.Statement.PerClass = append(v.Statement.PerClass, ClassCount{c.Name, []int{840, 190, 120, 74, 15}[i], []int{210, 48, 31, 19, 4}[i]})
	}
	v.Confusion.Counts = [][]int{{208, 1, 0, 1, 0}, {0, 47, 1, 0, 0}, {0, 1, 29, 1, 0}, {2, 0, 0, 17, 0}, {0, 0, 2, 0, 2}}
	v.Calibration = fixtureCalibration(.02 + worse)
	v.Uncalibrated = fixtureCalibration(.09)
	v.Statement.Calibration = &head.Calibration{Temperature: .82, Low: .63, High: 1.07, Frames: 1239, Folds: 2, Passes: 8}
	v.Statement.Loss, v.Statement.Optimiser = "class-weighted cross-entropy", "Adam, 3e-3 local and 1e-3 pooled, decay 1e-4, batch 32"
	v.Statement.Seed, v.Statement.Passes, v.Statement.Backbone, v.Statement.Train, v.Statement.Test, v.Statement.Seconds, v.Statement.FinalLoss = 1, 25, "efficientnet_lite0", 1239, 312, 3.4, .0212
	for i := range 25 {
		v.Statement.Losses = append(v.Statement.Losses, 1.4/(1+float64(i)*.55)+.012)
	}
	return v
}

// fixtureCalibration is that of a version that is too sure by so much.
func fixtureCalibration(over float64) *evaluation.Calibration {
	c := &evaluation.Calibration{N: 312, ECE: over, Bins: make([]evaluation.CalibrationBin, 15)}
	for i := 5; i < 15; i++ {
		sure := (float64(i) + .5) / 15
		c.Bins[i] = evaluation.CalibrationBin{N: 8 + 4*(i-5)*(i-5)/3, Confidence: sure, Accuracy: max(0, sure-over)}
	}
	return c
}

// fixtureCosts are of a champion whose good and bad test frames overlap a little.
func fixtureCosts(now vision.Thresholds) CostsView {
	v := CostsView{Rule: storage.CostRule{Escape: 100, FalseReject: 2, UnsureShare: .06, BadShare: .02}}
	var samples []evaluation.Sample
	for i := range 240 {
		fail := .8 * float64(i%60) / 60 * float64(i%7) / 6
		samples = append(samples, evaluation.Sample{Pass: true, TopPasses: fail < .5, Fail: fail})
		if i%3 == 0 {
			fail = 1 - .9*float64(i%50)/50*float64(i%11)/10
			samples = append(samples, evaluation.Sample{Fail: fail, TopPasses: fail < .5})
		}
	}
	v.Suggestion, v.Known = evaluation.Suggest(samples, evaluation.Costs{Escape: 100, FalseReject: 2, UnsureShare: .06, BadShare: .02}, now)
	return v
}

func fixtureModel(lang string) ModelView {
	classes := classesIn(lang)
	better := false
	v := ModelView{Recipes: []NamedRecipe{{ID: 1, Name: "Plate 40-117"}, {ID: 2, Name: "Cover 12"}}, Recipe: NamedRecipe{ID: 1, Name: "Plate 40-117"}, CanRoll: 6, UploadMB: 128, Formats: []string{"coco", "voc", "yolo", "folders", "csv"}, Now: now,
		Rules: RulesView{Recipe: 1, After: 10, QuietSeconds: 20, Auto: true, Metric: "balanced_accuracy", MarginPercent: 1}}
	v.Shown, v.Champion = fixtureVersion(8, "candidate", .024, classes), fixtureVersion(7, "champion", 0, classes)
	v.Shown.Waits, v.Shown.Better = true, &better
	v.Shown.Dataset = &fixtureDataset(lang).DatasetRow
	v.Shown.Paired, v.Shown.PairedWith, v.Shadow = fixtureComparison(), 7, fixtureShadow()
	v.Shown.Decision = map[string]string{"en": "Version 8 waits: its balanced accuracy is 94.7%, the champion's 97.1% on the same 312 frames. It may be at most 1.0% worse.", "zh": "版本 8 等待决定:在同样的 312 张图像上,均衡准确率为 94.7%,现役版本为 97.1%,超出允许的 1.0%。"}[lang]
	for i, n := range []int{8, 7, 6, 5, 4, 3} {
		row := fixtureVersion(n, []string{"candidate", "champion", "retired", "retired", "retired", "retired"}[i], .01*float64(i), classes).VersionRow
		if n == 5 {
			row.CreatedBy = "Jonas"
		}
		if n == 6 {
			row.ParentID = 4
		}
		v.Versions = append(v.Versions, row)
	}
	v.Training = TrainingView{Recipe: 1, Job: 12, State: "running", Progress: .56, Pass: 14, Passes: 25, Left: 2 * time.Second, LeftKnown: true, MayTrain: true, Losses: v.Shown.Statement.Losses[:14]}
	v.Data = DataView{Train: 1239, Test: 312, New: 4}
	for i, c := range classes {
		v.Data.Classes = append(v.Data.Classes, ClassData{Class: c, Train: []int{840, 190, 120, 74, 15}[i], Test: 4, Advised: []int{0, 0, 0, 0, 31}[i]})
	}
	return v
}

// fixtureDataset is a data set beside the one before it.
func fixtureDataset(lang string) *DatasetView {
	classes := classesIn(lang)
	row := DatasetRow{ID: 12, Number: 12, Train: 869, Test: 217, Digest: strings.Repeat("3fa9c1d07be2", 6)[:64], CreatedAt: now}
	v := &DatasetView{DatasetRow: row, Recipe: NamedRecipe{ID: 1, Name: "Plate 40-117"}, Formats: []string{"coco", "voc", "yolo", "folders", "csv"}, Now: now}
	row.ID, row.Number, row.Train = 11, 11, 866
	v.Others, v.From = []DatasetRow{row}, &row
	v.Versions = []VersionRow{{ID: 7, Number: 7}, {ID: 8, Number: 8}}
	for i, c := range classes {
		v.Counts = append(v.Counts, ClassCount{Class: c.Name, Train: 800 / (i + 1), Test: 200 / (i + 1)})
	}
	v.Added = DiffView{All: 103, Frames: []DiffFrame{{FrameID: 4003, Class: classes[1].Name}, {FrameID: 4004, Class: classes[2].Name}, {FrameID: 4005, Class: classes[0].Name}}}
	v.Changed = DiffView{All: 2, Frames: []DiffFrame{{FrameID: 17, Was: classes[0].Name, Class: classes[3].Name, Share: "test"}, {FrameID: 19, Class: classes[1].Name, Marks: true}}}
	return v
}

// fixtureUpload is a recipe with an uploaded version that no test frame speaks for.
func fixtureUpload(lang string) ModelView {
	v := fixtureModel(lang)
	v.Training = TrainingView{Recipe: 1, Job: 13, State: "running", Progress: .3, Message: "version 8 judged 94 of 312 test pictures", Evaluation: true}
	v.Shown = &VersionView{VersionRow: v.Shown.VersionRow, Size: 224, ModelSHA: v.Shown.ModelSHA, Waits: true,
		Upload: &UploadView{Note: "From the plant in Graz", Producer: "pytorch", Engine: "OpenCV 4.6.0", ForwardMS: 38.2, Missing: []string{v.Data.Classes[4].Class.Name}}}
	return v
}

func fixtureRecipe(lang string) RecipeView {
	classes := classesIn(lang)
	v := RecipeView{Recipe: NamedRecipe{ID: 1, Name: "Plate 40-117"}, Classes: classes, Archived: []vision.Class{{Name: "burr", Color: "#888888"}}, Use: map[string]int{"burr": 12}, Thresholds: vision.Thresholds{OK: .8, NG: .7},
		Region: vision.Region{X: .1, Y: .1, W: .8, H: .75}, Size: 224, Sizes: []SizeChoice{{224, 1}, {320, 2}, {448, 4}}, Sample: 4003, SampleW: plateW, SampleH: plateH,
		Rules: RulesView{Recipe: 1, After: 10, QuietSeconds: 20, Auto: true, Metric: "balanced_accuracy", MarginPercent: 1}, QueueLimit: 1000}
	v.Costs = fixtureCosts(v.Thresholds)
	for i, c := range classes {
		v.Use[c.Name] = []int{6120, 312, 141, 18, 4}[i]
	}
	for i := range 20 {
		v.Histogram = append(v.Histogram, HistogramBin{Good: max(0, (i-13)*(i-13)*3), Bad: max(0, (7-i)*(7-i))})
	}
	return v
}

func fixtureStations() StationsView {
	return StationsView{Now: now, Server: "http://10.0.0.5:8080", Recipes: []NamedRecipe{{ID: 1, Name: "Plate 40-117"}, {ID: 2, Name: "Cover 12"}}, Stations: []StationRow{
		{ID: 1, Name: "Press 4 outlet", Line: "L1", Recipe: NamedRecipe{ID: 1, Name: "Plate 40-117"}, TokenHint: "k7qa", LastSeen: now.Add(-2 * time.Second), State: StationRunning},
		{ID: 2, Name: "Washer", Line: "L1", Recipe: NamedRecipe{ID: 1, Name: "Plate 40-117"}, TokenHint: "p3zd", LastSeen: now.Add(-11 * time.Minute), State: StationLost},
		{ID: 3, Name: "Final check", Line: "L2", Recipe: NamedRecipe{ID: 2, Name: "Cover 12"}, TokenHint: "m2xx", State: StationNew},
		{ID: 4, Name: "Demonstration", Line: "Demo", Recipe: NamedRecipe{ID: 3, Name: "Demonstration"}, TokenHint: "aaaa", LastSeen: now.Add(-time.Second), State: StationRunning, Demo: true}}}
}

func fixtureJobs() JobsView {
	recipe := NamedRecipe{ID: 1, Name: "Plate 40-117"}
	return JobsView{Now: now, Jobs: []JobView{
		{ID: 14, Kind: "train", Recipe: recipe, State: "running", Progress: .56, Message: "Pass 14 of 25", CreatedBy: "rule", CreatedAt: now.Add(-3 * time.Second), MayCancel: true, Now: now},
		{ID: 13, Kind: "import", Recipe: recipe, State: "done", CreatedBy: "admin", CreatedAt: now.Add(-2 * time.Hour), Took: 94 * time.Second, Result: "9 988 frames imported, 12 were there already.", Link: "/label?recipe=1", Now: now},
		{ID: 12, Kind: "train", Recipe: recipe, State: "failed", Message: "The disk is full: free space and train again.", CreatedBy: "Jonas", CreatedAt: now.Add(-26 * time.Hour), Took: 2 * time.Second, Now: now}}}
}

func fixtureAudit() AuditView {
	v := AuditView{Older: 70, First: true}
	for i, e := range [][4]string{{"Jonas", "label.page", `"stain"`, `"scratch"`}, {"admin", "recipe.thresholds", `{"ok":0.7,"ng":0.7}`, `{"ok":0.8,"ng":0.7}`}, {"rule", "version.promote", `6`, `7`},
		{"admin", "station.add", `null`, `{"name":"Washer","line":"L1","recipe":1}`}, {"admin", "person.add", `null`, `{"name":"Li Na","role":"operator","active":true}`}} {
		v.Entries = append(v.Entries, AuditRow{ID: int64(90 - i), At: now.Add(-time.Duration(i) * 17 * time.Minute), Person: e[0], Action: e[1], Subject: "frame " + strconv.Itoa(4003+i), Before: e[2], After: e[3]})
	}
	return v
}

func fixtureHealth(empty bool) HealthView {
	v := HealthView{Now: now, StartedAt: now.Add(-9 * 24 * time.Hour), Free: 412 << 30, Total: 900 << 30, Database: 3 << 30, WAL: 4 << 20, DaysLeft: -1, Version: "1.4.0"}
	if empty {
		v.Trouble = "no_worker"
		return v
	}
	v.Accepted, v.Judged, v.Pending, v.Quarantined, v.Oldest, v.Frames = 14.2, 14.1, 37, 2, 3*time.Second, 2000
	v.GrowthDay, v.DaysLeft = 31e9, 14.2
	v.Backup = HealthBackup{At: now.Add(-7 * time.Hour), SoundAt: now.Add(-7 * time.Hour), Folder: "/mnt/nas/plant-4/loupe", Snapshot: "loupe-20261125-021000Z.db", Took: 9 * time.Minute, Bytes: 34e9,
		Copied: 86_400, Sized: 1_412_030, Snapshots: 14, Lost: 2, Frames: []int64{4003, 90117}}
	for i := range 60 {
		v.AcceptedMin, v.JudgedMin = append(v.AcceptedMin, 800+float64(i*37%90)), append(v.JudgedMin, 800+float64(i*53%80))
	}
	for i, name := range []string{"press-4.plant.example-23087", "press-4.plant.example-23100", "helper-2"} {
		v.Workers = append(v.Workers, HealthWorker{Name: name, Host: "press-4.plant.example", Version: "1.4.0", Engine: "ONNX Runtime 1.32.0", Frames: 1_284_119, PerSecond: 4.7, Since: now.Add(-9 * 24 * time.Hour)})
		if i == 2 {
			v.Workers[i].Refused = "it speaks protocol 2, this server 1: run the same Loupe version on both"
		}
	}
	for i, name := range []string{"queue", "read", "decode", "prepare", "forward", "explain", "total"} {
		v.Stages = append(v.Stages, HealthStage{name, 3.1 * float64(i), 4.4 * float64(i), 9.7 * float64(i)})
	}
	return v
}
