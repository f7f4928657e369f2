package exchange

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"loupe/storage"
)

// csvName is the list that an export writes.
const csvName = "pictures.csv"

// csvColumns are those that an export writes, in this order. Only path and class
// must be there; group is the part, where it is not the serial.
var csvColumns = []string{"path", "class", "split", "serial", "lot", "group", "taken_at", "station", "labelled_by", "labelled_at", "note", "source", "readings"}

// list is the CSV file of a folder: pictures.csv, or the only one at its top.
func (t *tree) list() string {
	var found []string
	for _, name := range t.all {
		if !strings.Contains(name, "/") && strings.EqualFold(path.Ext(name), ".csv") && name != missingName {
			found = append(found, name)
		}
	}
	if t.has[csvName] {
		return csvName
	}
	if len(found) == 1 {
		return found[0]
	}
	return ""
}

func (s *Set) readCSV(list string) error {
	if list == "" {
		if list = s.files.list(); list == "" {
			return errors.New("there is no CSV file at the top of the folder, or more than one: name it")
		}
	}
	f, err := s.files.open(list)
	if err != nil {
		return err
	}
	defer f.Close()
	err = s.rows(io.LimitReader(f, mostCSV))
	if err != nil {
		return fmt.Errorf("%s: %w", list, err)
	}
	return nil
}

func (s *Set) rows(from io.Reader) error {
	r := csv.NewReader(from)
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return err
	}
	column := map[string]int{}
	for i, name := range header {
		column[strings.TrimPrefix(name, "\ufeff")] = i
	}
	for _, name := range []string{"path", "class"} {
		if _, ok := column[name]; !ok {
			return errors.New("the first line must name the columns path and class")
		}
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		p, err := csvPicture(func(name string) string {
			if i, ok := column[name]; ok {
				return row[i]
			}
			return ""
		})
		if err != nil {
			line, _ := r.FieldPos(0)
			return fmt.Errorf("line %d: %w", line, err)
		}
		if len(s.Pictures) == mostPictures {
			return fmt.Errorf("there are more than %d pictures: import them in parts", mostPictures)
		}
		if !slices.Contains(s.Names, p.Class) && len(s.Names) < 1000 {
			s.Names = append(s.Names, p.Class)
		}
		s.Pictures = append(s.Pictures, p)
	}
}

func csvPicture(of func(string) string) (Picture, error) {
	file, err := inside(".", of("path"))
	if err != nil {
		return Picture{}, err
	}
	p := Picture{File: file, Source: of("path"), Class: strings.Clone(of("class")), Serial: of("serial"), Lot: of("lot"), Origin: storage.Origin{
		Part: of("group"), Station: of("station"), LabelledBy: of("labelled_by"), Note: of("note"),
	}}
	if p.Class == "" {
		return p, fmt.Errorf("the picture %.200q has no class", p.File)
	}
	switch split := of("split"); split {
	case "", storage.TrainShare, storage.TestShare:
		p.Share = split
	case "val", "valid", "validation":
		p.Share = storage.TestShare
	default:
		return p, fmt.Errorf("the split of %.200q must be train, val or test, not %.50q", p.File, split)
	}
	if source := of("source"); source != "" {
		p.Source = source
	}
	if p.TakenAt, err = csvTime(of("taken_at")); err != nil {
		return p, err
	}
	at, err := csvTime(of("labelled_at"))
	if err != nil {
		return p, err
	}
	if !at.IsZero() {
		p.Origin.LabelledAt = &at
	}
	if text := of("readings"); text != "" {
		if err := json.Unmarshal([]byte(text), &p.Readings); err != nil {
			return p, fmt.Errorf("the readings of %.200q must be a JSON object: %w", p.File, err)
		}
	}
	return p, nil
}

func csvTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return at, fmt.Errorf("%.50q is no time such as 2026-11-25T14:03:00Z", text)
	}
	return at.UTC(), nil
}
