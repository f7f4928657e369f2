package exchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"loupe/storage"
)

// yoloData is data.yaml. Names is a list, or the names by their number; a split
// is a folder, a list of pictures in a .txt file, or several of them.
type yoloData struct {
	Path  string    `yaml:"path"`
	Train yaml.Node `yaml:"train"`
	Val   yaml.Node `yaml:"val"`
	Test  yaml.Node `yaml:"test"`
	Names yaml.Node `yaml:"names"`
}

// yaml is the description of a YOLO data set: the file that is named, or the only
// one; "" where there is none.
func (t *tree) yaml(list string) string {
	found := ""
	for _, name := range t.all {
		ending := strings.ToLower(path.Ext(name))
		if ending != ".yaml" && ending != ".yml" || strings.Count(name, "/") > 1 {
			continue
		}
		if name == list || path.Base(name) == "data.yaml" {
			return name
		}
		if found == "" && list == "" {
			if data, err := t.read(name, mostText); err == nil && bytes.Contains(data, []byte("names:")) {
				found = name
			}
		}
	}
	return found
}

// classList is the list of classes of a Darknet folder.
func (t *tree) classList() string {
	for _, name := range t.all {
		if base := path.Base(name); base == "classes.txt" || base == "obj.names" {
			return name
		}
	}
	return ""
}

func (s *Set) readYOLO(list string) error {
	description := s.files.yaml(list)
	names := s.files.classList()
	switch {
	case description != "":
		return s.readDescribed(description)
	case names != "":
		data, err := s.files.read(names, mostText)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(data)) {
			if name := strings.TrimSpace(line); name != "" {
				s.Names = append(s.Names, name)
			}
		}
		return s.readLabels(func(string) (string, bool) { return "", true })
	}
	s.readClassified()
	if len(s.Pictures) == 0 {
		return errors.New("there is no data.yaml, no classes.txt and no train/CLASS folder")
	}
	return nil
}

func (s *Set) readDescribed(description string) error {
	data, err := s.files.read(description, mostText)
	if err != nil {
		return err
	}
	d, names, err := parseYOLO(data)
	if err != nil {
		return fmt.Errorf("%s: %w", description, err)
	}
	s.Names = names
	where := map[string]string{} // the share of a folder or file
	var folders []string
	for _, split := range []struct {
		node  yaml.Node
		share string
	}{{d.Val, storage.TestShare}, {d.Test, storage.TestShare}, {d.Train, storage.TrainShare}} {
		for _, at := range texts(split.node) {
			places, err := s.splitPlaces(path.Dir(description), d.Path, at)
			if err == nil && len(places) == 0 && !s.ours {
				err = fmt.Errorf("there is no %.200q in the folder: correct the line, or remove it", at)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", description, err)
			}
			for _, place := range places {
				where[place] = split.share
				folders = append(folders, place)
			}
		}
	}
	return s.readLabels(func(file string) (string, bool) {
		for at := file; ; at = path.Dir(at) {
			if share, ok := where[at]; ok {
				return share, true
			}
			if at == "." {
				return "", len(folders) == 0
			}
		}
	})
}

// splitPlaces finds the folders and pictures of a split, none where there are
// none. What tools write as
// ../train/images or as an address of another machine is looked for in the folder.
func (s *Set) splitPlaces(folder, root, at string) ([]string, error) {
	tries := []string{path.Join("/", folder, root, at), path.Join("/", folder, at), path.Join("/", at)}
	for i := range tries {
		tries[i] = strings.TrimPrefix(tries[i], "/")
		if tries[i] == "" {
			tries[i] = "."
		}
		if !strings.HasSuffix(at, ".txt") && s.files.any(func(name string) bool { return tries[i] == "." || strings.HasPrefix(name, tries[i]+"/") }) {
			return tries[i : i+1], nil
		}
		if s.files.has[tries[i]] {
			data, err := s.files.read(tries[i], mostCSV)
			if err != nil {
				return nil, err
			}
			var all []string
			for line := range strings.Lines(string(data)) {
				if name := strings.TrimSpace(line); name != "" {
					file, err := s.files.find(path.Dir(tries[i]), name)
					if err != nil {
						return nil, err
					}
					all = append(all, file)
				}
			}
			return all, nil
		}
	}
	return nil, nil
}

// parseYOLO reads data.yaml with the names of the classes by their number.
func parseYOLO(data []byte) (yoloData, []string, error) {
	var d yoloData
	if err := yaml.Unmarshal(data, &d); err != nil {
		return d, nil, fmt.Errorf("it is no YAML: %w", err)
	}
	var list []string
	if d.Names.Kind == yaml.SequenceNode && d.Names.Decode(&list) == nil {
		return d, list, checkNames(list)
	}
	var numbered map[int]string
	if err := d.Names.Decode(&numbered); err != nil || len(numbered) == 0 {
		return d, nil, errors.New("it has no names of classes")
	}
	for i := range len(numbered) {
		list = append(list, numbered[i])
	}
	return d, list, checkNames(list)
}

func checkNames(names []string) error {
	if len(names) > 100_000 || slices.Contains(names, "") {
		return errors.New("the names of the classes must be numbered from 0 without a gap")
	}
	return nil
}

// texts are the texts of a node that is one, or a list of them.
func texts(n yaml.Node) []string {
	var one string
	var all []string
	if n.Kind == yaml.ScalarNode && n.Decode(&one) == nil && one != "" {
		return []string{one}
	}
	if n.Kind == yaml.SequenceNode && n.Decode(&all) == nil {
		return all
	}
	return nil
}

// readLabels reads the labels of all pictures that of wants.
func (s *Set) readLabels(of func(file string) (share string, ok bool)) error {
	for _, name := range s.files.all {
		share, ok := of(name)
		if !ok || !isPicture(name) {
			continue
		}
		if share == "" {
			share = shareIn(name)
		}
		p := Picture{File: name, Share: share, Source: name}
		if at := s.labels(name); at != "" {
			data, err := s.files.read(at, mostText)
			if err == nil {
				p.Marks, p.Notes, err = parseLabels(data, s.Names)
			}
			if err != nil {
				s.Refused = append(s.Refused, fmt.Sprintf("%s: %v", name, err))
				continue
			}
			p.said = data
		}
		s.Pictures = append(s.Pictures, p)
	}
	return nil
}

// labels is the file of a picture's labels, "" where it has none.
func (s *Set) labels(name string) string {
	stem := strings.TrimSuffix(name, path.Ext(name)) + ".txt"
	if i := strings.LastIndex("/"+stem, "/images/"); i >= 0 {
		if at := stem[:i] + "labels/" + stem[i+len("images/"):]; s.files.has[at] {
			return at
		}
	}
	if s.files.has[stem] {
		return stem
	}
	return ""
}

// parseLabels reads lines of "CLASS x y w h", the middle and extent of a box, with
// a confidence or not, and "CLASS x y x y x y …", an outline; all in shares.
func parseLabels(data []byte, names []string) (marks []storage.Mark, notes []string, err error) {
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(marks) == storage.MostMarks {
			return nil, nil, fmt.Errorf("it has more than %d regions", storage.MostMarks)
		}
		m, err := parseLabel(fields, names)
		if err != nil {
			notes = append(notes, fmt.Sprintf("line %d of its labels: %v", n, err))
			continue
		}
		marks = append(marks, m)
	}
	return marks, notes, nil
}

func parseLabel(fields, names []string) (storage.Mark, error) {
	var m storage.Mark
	class, err := strconv.Atoi(fields[0])
	if err != nil || class < 0 || class >= len(names) {
		return m, fmt.Errorf("there is no class %.20q", fields[0])
	}
	m.Class = names[class]
	v := make([]float64, 0, len(fields)-1)
	for _, field := range fields[1:] {
		x, err := strconv.ParseFloat(field, 64)
		if err != nil {
			return m, fmt.Errorf("%.20q is no number", field)
		}
		v = append(v, x)
	}
	switch {
	case len(v) == 4 || len(v) == 5:
		m.Shape, m.Box = storage.BoxShape, [4]float64{v[0] - v[2]/2, v[1] - v[3]/2, v[2], v[3]}
		if len(v) == 5 {
			confidence, _ := json.Marshal(v[4]) // a number that was read is JSON unless it is none
			m.Extra = map[string]json.RawMessage{"confidence": confidence}
			if confidence == nil {
				return m, errors.New("its confidence is no number")
			}
		}
	case len(v) >= 6 && len(v)%2 == 0:
		m.Shape, m.Polygons = storage.PolygonShape, [][]float64{v}
		m.Box = around(m.Polygons)
	default:
		return m, fmt.Errorf("%d numbers are neither a box nor an outline", len(v))
	}
	return m, nil
}

// yoloDecimals is how exactly shares are written.
const yoloDecimals = 9

// yoloText writes the labels of a picture: a single outline as one, everything
// else as its box.
func yoloText(names []string, marks []storage.Mark) []byte {
	var b bytes.Buffer
	for _, m := range marks {
		v := []float64{m.Box[0] + m.Box[2]/2, m.Box[1] + m.Box[3]/2, m.Box[2], m.Box[3]}
		if len(m.Polygons) == 1 {
			v = m.Polygons[0]
		}
		b.WriteString(strconv.Itoa(slices.Index(names, m.Class)))
		for _, x := range v {
			b.WriteString(" " + round(x, yoloDecimals))
		}
		var confidence float64
		if len(m.Polygons) != 1 && m.Extra["confidence"] != nil && json.Unmarshal(m.Extra["confidence"], &confidence) == nil {
			b.WriteString(" " + string(m.Extra["confidence"]))
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// yoloYAML writes data.yaml for the detection layout.
func yoloYAML(names []string) ([]byte, error) {
	numbered := map[int]string{}
	for i, name := range names {
		numbered[i] = name
	}
	return yaml.Marshal(struct {
		Path  string         `yaml:"path"`
		Train string         `yaml:"train"`
		Val   string         `yaml:"val"`
		Test  string         `yaml:"test"`
		Names map[int]string `yaml:"names"`
	}{".", "images/" + storage.TrainShare, "images/" + storage.TestShare, "images/" + storage.TestShare, numbered})
}
