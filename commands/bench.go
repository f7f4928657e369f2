package commands

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"loupe/vision/engine"
)

// Bench measures training and judging on labelled pictures.
type Bench struct {
	Data     string   `help:"CSV file with the columns path, class and split (train or test); paths are relative to it." required:"" type:"existingfile"`
	PerClass int      `help:"Train on so many pictures of each class only; 0 means all." placeholder:"N"`
	Size     int      `help:"Side of the network's input, a multiple of 32 from 224 to 896." default:"224"`
	Mirror   bool     `help:"Look at each training picture mirrored too; --no-mirror where classes differ by their direction only." default:"true" negatable:""`
	Masks    string   `help:"Folder of PNG masks, bright where the defect is: train on those of the train half too, and say how often the heat map peaks in the defect." placeholder:"FOLDER" type:"existingdir"`
	Seed     uint64   `help:"Seed of the training." default:"1"`
	Pass     []string `help:"Classes that pass; without it those named good, ok or pass."`
	EngineFlags
	Threads int `help:"Threads of the engine; 0 means one a core, or with --http one a worker." default:"0"`

	HTTP        bool    `help:"Instead measure a whole server: train, then post the test half over 8 connections." name:"http"`
	Workers     int     `help:"With --http: vision workers." default:"2"`
	Frames      int     `help:"With --http: post at least so many frames, the test half over and over." placeholder:"N"`
	Next        bool    `help:"Instead simulate labelling the train half, in random order and in the order that Loupe suggests."`
	Drift       bool    `help:"Instead dim, defocus and shift the test half, and count the frames until the drift is noticed."`
	Learn       bool    `help:"With --http: also time ten corrections until the new champion judges."`
	SVG         string  `help:"With --next: draw the curves into this file." name:"svg" placeholder:"FILE"`
	Flip        float64 `help:"Instead give so large a share of the train half wrong labels, and say how many are found in the first 8 % of the suspects." placeholder:"SHARE"`
	GoodOnly    bool    `help:"Instead learn from the good training pictures alone, and say how well that finds the bad test pictures."`
	Unseen      string  `help:"Leave this class out of the training, and say how often its test pictures are noticed as unlike anything seen." placeholder:"CLASS"`
	FalseAlarms float64 `help:"Share of known pictures that may be taken for unlike them, for --good-only and --unseen." default:"0.01"`
	Bank        int     `help:"Places of known pictures that a version keeps; 0 means as many as Loupe keeps." placeholder:"N"`
	Variants    bool    `help:"Instead compare the accuracy, size and speed of smaller and faster variants of a version."`
	Extract     bool    `help:"With --http: compare how fast one worker and --workers compute features for a training, in turns."`
	Engines     bool    `help:"With --http: compare both engines, each judging for a server of its own, in turns."`

	runs engine.Runtime
}

// Help teaches the command.
func (Bench) Help() string {
	return `Trains on the train half and judges the test half by the very ONNX file that a
version is, then prints one JSON object on standard output.

Examples:
  loupe bench --data parts.csv                  all training pictures
  loupe bench --data parts.csv --per-class 10   ten pictures a class
  loupe bench --data parts.csv --masks masks/   with what is marked in the pictures
  loupe bench --data parts.csv --http --frames 10000   frames a second and memory of a whole server
  loupe bench --data parts.csv --drift          frames until a drift is noticed, and false alarms
  loupe bench --data parts.csv --good-only      from good pictures alone
  loupe bench --data parts.csv --unseen crack   is a class noticed that was never shown?
  loupe bench --data parts.csv --variants       accuracy, size and speed of each variant
  loupe bench --data parts.csv --http --engines --frames 2000   ONNX Runtime beside OpenCV
  loupe bench --data parts.csv --http --extract   features by one worker and by two
  loupe bench --data parts.csv --next           labels needed, by chance and as Loupe suggests
  loupe bench --data parts.csv --flip 0.05      wrong labels that are found
  loupe bench --data parts.csv --http --learn   from a correction to the new champion

The CSV looks like this:
  path,class,split
  scratch/0001.jpg,scratch,train
  good/0002.jpg,good,test
A fourth column, part, may name the part in each picture: pictures of one part are
held out together when the probabilities are calibrated.`
}

// picture is one row of the CSV.
type picture struct {
	path  string
	class string
	test  bool
	part  string // the physical part in it; its own path where the file names none
}

// Validate refuses settings that cannot work.
func (b *Bench) Validate() error {
	switch {
	case b.Size < 224 || b.Size > 896 || b.Size%32 != 0:
		return usage("--size must be a multiple of 32 from 224 to 896")
	case b.PerClass < 0 || b.Threads < 0 || b.Frames < 0 || b.Workers < 1:
		return usage("--per-class, --threads and --frames take 0 or more, --workers 1 or more")
	case b.Flip < 0 || b.Flip > 0.5:
		return usage("--flip takes a share from 0 to 0.5")
	case b.SVG != "" && !b.Next:
		return usage("--svg draws the curves of --next")
	case !(b.FalseAlarms > 0 && b.FalseAlarms < 0.5) || b.Bank < 0 || b.Bank > 0 && b.Bank < 10:
		return usage("--false-alarms is more than 0 and less than 0.5, --bank 10 or more")
	}
	return nil
}

// Run measures.
func (b *Bench) Run() error {
	pictures, classes, err := readPictures(b.Data)
	if err != nil {
		return err
	}
	if b.runs, err = chooseEngine(b.choice(), b.Threads); err != nil {
		return err
	}
	var result any
	switch {
	case b.HTTP && b.Extract:
		result, err = b.extraction(pictures, classes)
	case b.HTTP && b.Engines:
		result, err = b.engines(pictures, classes)
	case b.HTTP:
		result, err = b.server(pictures, classes)
	case b.Drift:
		result, err = b.drift(pictures)
	case b.Flip > 0:
		result, err = b.flip(pictures, classes)
	case b.GoodOnly:
		result, err = b.goodOnly(pictures)
	case b.Variants:
		result, err = b.variants(pictures, classes)
	case b.Next:
		result, err = b.next(pictures, classes)
	default:
		result, err = b.inProcess(pictures, classes)
	}
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	return out.Encode(result)
}

// readPictures reads the CSV and checks that no picture stands on both sides.
func readPictures(path string) ([]picture, []string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, usage("%v", err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	header, err := r.Read()
	if err != nil || len(header) < 3 || strings.TrimPrefix(header[0], "\ufeff") != "path" || header[1] != "class" || header[2] != "split" {
		return nil, nil, usage("%s: the first line must be path,class,split", path)
	}
	var all []picture
	side := map[string]string{}
	seen := map[string]bool{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, usage("%s: %v", path, err)
		}
		if row[2] != "train" && row[2] != "test" {
			return nil, nil, usage("%s: the split of %s must be train or test, not %q", path, row[0], row[2])
		}
		file := filepath.Join(filepath.Dir(path), row[0])
		if s, ok := side[file]; ok && s != row[2] {
			return nil, nil, usage("%s: %s is in both halves of the split", path, row[0])
		}
		side[file] = row[2]
		seen[row[1]] = true
		part := file
		if len(header) > 3 && header[3] == "part" && row[3] != "" {
			part = "part " + row[3]
		}
		all = append(all, picture{file, row[1], row[2] == "test", part})
	}
	classes := make([]string, 0, len(seen))
	for c := range seen {
		classes = append(classes, c)
	}
	sort.Strings(classes)
	if len(classes) < 2 {
		return nil, nil, usage("%s: at least two classes are needed", path)
	}
	return all, classes, nil
}

// choose takes the training pictures, at most perClass of each class, in an
// order drawn from the seed.
func choose(pictures []picture, perClass int, seed uint64) (train, test []picture) {
	for _, p := range pictures {
		if p.test {
			test = append(test, p)
		} else {
			train = append(train, p)
		}
	}
	if perClass <= 0 {
		return train, test
	}
	rng := rand.New(rand.NewPCG(seed, 3))
	rng.Shuffle(len(train), func(i, j int) { train[i], train[j] = train[j], train[i] })
	taken := map[string]int{}
	few := train[:0]
	for _, p := range train {
		if taken[p.class]++; taken[p.class] <= perClass {
			few = append(few, p)
		}
	}
	return few, test
}

func (b *Bench) passes(class string) bool {
	if len(b.Pass) > 0 {
		return slices.Contains(b.Pass, class)
	}
	return slices.Contains([]string{"good", "ok", "pass"}, strings.ToLower(class))
}
