package exchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"reflect"
	"slices"
	"strings"

	"loupe/storage"
)

type cocoImage struct {
	ID     json.RawMessage `json:"id"`
	File   string          `json:"file_name"`
	Width  int             `json:"width"`
	Height int             `json:"height"`
}

type cocoCategory struct {
	ID   json.RawMessage `json:"id"`
	Name string          `json:"name"`
}

type cocoMask struct {
	Size   [2]int          `json:"size"`
	Counts json.RawMessage `json:"counts"`
}

// coco is one file of annotations while it is read.
type coco struct {
	images      []cocoImage
	classes     map[string]string // by the ID of the category
	order       []string
	annotations map[string][]map[string]json.RawMessage // by the ID of the image
	count       int
}

// cocoFiles are the files of annotations, of a folder or the one that is named.
func cocoFiles(files *tree, list string) []string {
	var found []string
	for _, name := range files.all {
		if list != "" && name != list || !strings.EqualFold(path.Ext(name), ".json") {
			continue
		}
		f, err := files.open(name)
		if err != nil {
			continue
		}
		images := false
		err = eachKey(json.NewDecoder(io.LimitReader(f, mostJSON)), func(key string, d *json.Decoder) error {
			if images = key == "images"; images {
				return errFound
			}
			return skip(d)
		})
		if f.Close(); errors.Is(err, errFound) && images {
			found = append(found, name)
		}
	}
	return found
}

var errFound = errors.New("found")

func (s *Set) readCOCO(list string) error {
	lists := cocoFiles(s.files, list)
	if len(lists) == 0 {
		return errors.New("no JSON file has COCO's images and annotations")
	}
	for _, name := range lists {
		if err := s.readAnnotations(name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (s *Set) readAnnotations(name string) error {
	f, err := s.files.open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	c, err := parseCOCO(io.LimitReader(f, mostJSON))
	if err != nil {
		return err
	}
	for _, class := range c.order {
		if !slices.Contains(s.Names, class) {
			s.Names = append(s.Names, class)
		}
	}
	share := shareOf(path.Base(name))
	if share == "" {
		share = shareIn(name)
	}
	folder := path.Dir(name)
	split := strings.TrimPrefix(bare(name), "instances_")
	for _, i := range c.images {
		file, err := s.files.find(folder, i.File, ".", "images", split, "images/"+split, path.Join(path.Dir(folder), "images"), path.Join(path.Dir(folder), split))
		if err != nil {
			return err
		}
		p := Picture{File: file, Share: share, Source: file, pixels: true, width: i.Width, height: i.Height}
		if p.Share == "" {
			p.Share = shareIn(file)
		}
		for _, a := range c.annotations[string(i.ID)] {
			m, err := c.mark(a)
			if err != nil {
				p.Notes = append(p.Notes, err.Error())
				continue
			}
			p.Marks = append(p.Marks, m)
		}
		s.Pictures = append(s.Pictures, p)
	}
	return nil
}

// parseCOCO reads a file of annotations one object at a time.
func parseCOCO(from io.Reader) (*coco, error) {
	c := &coco{classes: map[string]string{}, annotations: map[string][]map[string]json.RawMessage{}}
	err := eachKey(json.NewDecoder(from), func(key string, d *json.Decoder) error {
		switch key {
		case "images":
			return eachItem(d, c.image)
		case "categories":
			return eachItem(d, c.category)
		case "annotations":
			return eachItem(d, c.annotation)
		}
		return skip(d)
	})
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the JSON ends too early")
	}
	return c, err
}

func (c *coco) image(i cocoImage) error {
	if len(i.ID) == 0 || i.File == "" {
		return errors.New("an image has no id or no file_name")
	}
	if len(c.images) == mostPictures {
		return fmt.Errorf("there are more than %d images", mostPictures)
	}
	c.images = append(c.images, i)
	return nil
}

func (c *coco) category(k cocoCategory) error {
	if len(k.ID) == 0 || k.Name == "" || len(c.order) == 100_000 {
		return errors.New("a category has no id or no name")
	}
	c.classes[string(k.ID)] = k.Name
	c.order = append(c.order, k.Name)
	return nil
}

func (c *coco) annotation(a map[string]json.RawMessage) error {
	if c.count++; c.count > mostMarks {
		return fmt.Errorf("there are more than %d annotations", mostMarks)
	}
	of := string(a["image_id"])
	if of == "" {
		return errors.New("an annotation has no image_id")
	}
	c.annotations[of] = append(c.annotations[of], a)
	return nil
}

// mark makes a mark of an annotation, in pixels.
func (c *coco) mark(a map[string]json.RawMessage) (storage.Mark, error) {
	var m storage.Mark
	class, ok := c.classes[string(a["category_id"])]
	if !ok {
		return m, fmt.Errorf("an annotation has the category %.40s, which there is not", a["category_id"])
	}
	m.Class, m.Shape = class, storage.BoxShape
	if s := a["segmentation"]; len(s) > 0 && string(s) != "null" && string(s) != "[]" {
		if err := readSegmentation(&m, s); err != nil {
			return m, err
		}
	}
	var box []float64
	if err := json.Unmarshal(a["bbox"], &box); err == nil && len(box) == 4 {
		m.Box = [4]float64(box)
	} else if len(m.Polygons) > 0 {
		m.Box = around(m.Polygons)
	} else {
		return m, fmt.Errorf("an annotation of %q has no bbox of four numbers", class)
	}
	for key, v := range a {
		if slices.Contains([]string{"id", "image_id", "category_id", "bbox", "segmentation"}, key) || key == "iscrowd" && string(v) == "0" || key == "area" && string(v) == round(area(m), 4) {
			continue
		}
		if m.Extra == nil {
			m.Extra = map[string]json.RawMessage{}
		}
		m.Extra[key] = compact(v)
	}
	return m, nil
}

func readSegmentation(m *storage.Mark, s json.RawMessage) error {
	if s[0] == '[' {
		m.Shape = storage.PolygonShape
		if err := json.Unmarshal(s, &m.Polygons); err != nil {
			return fmt.Errorf("the segmentation of %q is no list of outlines", m.Class)
		}
		for _, p := range m.Polygons {
			if len(p) < 6 || len(p)%2 != 0 {
				return fmt.Errorf("an outline of %q has fewer than three points", m.Class)
			}
		}
		return nil
	}
	var k cocoMask
	err := json.Unmarshal(s, &k)
	m.Shape, m.Mask = storage.MaskShape, &storage.Mask{Size: k.Size}
	if err == nil && len(k.Counts) > 0 && k.Counts[0] == '"' {
		err = json.Unmarshal(k.Counts, &m.Mask.Packed)
	} else if err == nil {
		err = json.Unmarshal(k.Counts, &m.Mask.Counts)
	}
	if err != nil {
		return fmt.Errorf("the segmentation of %q is no mask", m.Class)
	}
	return nil
}

// around is the box around outlines.
func around(polygons [][]float64) [4]float64 {
	x0, y0, x1, y1 := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, p := range polygons {
		for i := 0; i+1 < len(p); i += 2 {
			x0, y0, x1, y1 = min(x0, p[i]), min(y0, p[i+1]), max(x1, p[i]), max(y1, p[i+1])
		}
	}
	return [4]float64{x0, y0, x1 - x0, y1 - y0}
}

// area is what a mark covers, in square pixels for a mark in pixels.
func area(m storage.Mark) float64 {
	switch m.Shape {
	case storage.PolygonShape:
		sum := 0.0
		for _, p := range m.Polygons {
			one := 0.0
			for i := 0; i+1 < len(p); i += 2 {
				j := (i + 2) % len(p)
				one += p[i]*p[j+1] - p[j]*p[i+1]
			}
			sum += math.Abs(one) / 2
		}
		return sum
	case storage.MaskShape:
		runs, err := m.Mask.Runs()
		sum := 0
		for i, n := range runs {
			if i%2 == 1 && err == nil {
				sum += n
			}
		}
		return float64(sum)
	}
	return m.Box[2] * m.Box[3]
}

// cocoSays tells whether the marks that a file says, in pixels, are those that
// the regions of a picture are written as.
func cocoSays(said, regions []storage.Mark, width, height int) bool {
	if len(said) != len(regions) {
		return false
	}
	for i, m := range regions {
		text, err := json.Marshal(cocoAnnotation(m, float64(width), float64(height)))
		var a map[string]json.RawMessage
		if err == nil {
			err = json.Unmarshal(text, &a)
		}
		if err != nil {
			return false
		}
		a["category_id"] = json.RawMessage("1")
		c := coco{classes: map[string]string{"1": m.Class}}
		if read, err := c.mark(a); err != nil || !reflect.DeepEqual(read, said[i]) {
			return false
		}
	}
	return true
}
