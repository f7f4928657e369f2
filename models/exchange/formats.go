package exchange

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"time"

	"loupe/storage"
)

// unmarked counts the pictures of failing classes that a tool which tells classes
// by regions would take for good ones.
func (e *exporter) unmarked() {
	for _, p := range e.written {
		if c, ok := e.Recipe.Class(p.Label); len(p.Marks) == 0 && !(ok && c.Pass) {
			e.sum.Unmarked++
		}
	}
}

// coco writes annotations/instances_train.json and instances_test.json. Boxes and
// outlines are in pixels of the upright picture; a category is numbered by its
// place among the recipe's classes, from 1.
func (e *exporter) coco() error {
	e.unmarked()
	number := map[string]int{}
	categories := []map[string]any{}
	for i, c := range e.classes {
		number[c.Name] = i + 1
		categories = append(categories, map[string]any{"id": i + 1, "name": c.Name, "supercategory": "part"})
	}
	for _, share := range shares {
		images, annotations := []map[string]any{}, []map[string]any{}
		for _, p := range e.written {
			if p.Share != share {
				continue
			}
			images = append(images, map[string]any{"id": len(images) + 1, "file_name": path.Base(p.file), "width": p.Width, "height": p.Height})
			for _, m := range p.Marks {
				a := cocoAnnotation(m, float64(p.Width), float64(p.Height))
				a["id"], a["image_id"], a["category_id"] = len(annotations)+1, len(images), number[m.Class]
				annotations = append(annotations, a)
			}
		}
		if len(images) == 0 {
			continue
		}
		var b bytes.Buffer
		lines := json.NewEncoder(&b)
		lines.SetEscapeHTML(false)
		lines.SetIndent("", " ")
		if err := lines.Encode(map[string]any{"info": map[string]string{"description": e.Recipe.Name}, "images": images, "annotations": annotations, "categories": categories}); err != nil {
			return err
		}
		if err := e.write("annotations/instances_"+share+".json", b.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// cocoAnnotation writes a mark in pixels, without its numbers.
func cocoAnnotation(m storage.Mark, w, h float64) map[string]any {
	a := map[string]any{"iscrowd": 0}
	for key, v := range m.Extra {
		a[key] = v
	}
	m.Box = [4]float64{m.Box[0] * w, m.Box[1] * h, m.Box[2] * w, m.Box[3] * h}
	a["bbox"] = rounded(m.Box[:])
	m.Polygons = scale(m.Polygons, 1/w, 1/h)
	switch m.Shape {
	case storage.PolygonShape:
		all := []rounded{}
		for i, p := range m.Polygons {
			for j, v := range p {
				m.Polygons[i][j] = pixel(v)
			}
			all = append(all, p)
		}
		a["segmentation"] = all
	case storage.MaskShape:
		counts := any(m.Mask.Counts)
		if m.Mask.Packed != "" {
			counts = m.Mask.Packed
		}
		a["segmentation"] = map[string]any{"size": m.Mask.Size, "counts": counts}
	}
	if a["area"] == nil {
		for i, v := range m.Box {
			m.Box[i] = pixel(v)
		}
		a["area"] = json.RawMessage(round(area(m), pixelDecimals))
	}
	return a
}

// voc writes Annotations/*.xml and ImageSets/Main.
func (e *exporter) voc() error {
	e.unmarked()
	sets := map[string][]byte{}
	for _, p := range e.written {
		if err := e.write("Annotations/"+bare(p.file)+".xml", vocXML(p.file, p.Width, p.Height, p.Marks)); err != nil {
			return err
		}
		sets[p.Share] = append(sets[p.Share], bare(p.file)+"\n"...)
	}
	for _, share := range shares {
		if len(sets[share]) > 0 {
			if err := e.write("ImageSets/Main/"+share+".txt", sets[share]); err != nil {
				return err
			}
		}
	}
	return nil
}

// yolo writes data.yaml and labels/SHARE/*.txt.
func (e *exporter) yolo() error {
	e.unmarked()
	for _, p := range e.written {
		if err := e.write(fmt.Sprintf("labels/%s/%s.txt", p.Share, bare(p.file)), yoloText(e.names, p.Marks)); err != nil {
			return err
		}
	}
	text, err := yoloYAML(e.names)
	if err != nil {
		return err
	}
	return e.write("data.yaml", text)
}

// csv writes pictures.csv.
func (e *exporter) csv() error {
	rows := [][]string{csvColumns}
	for _, p := range e.written {
		readings, labelled := "", ""
		if len(p.Readings) > 0 {
			text, err := json.Marshal(p.Readings)
			if err != nil {
				return err
			}
			readings = string(text)
		}
		if !p.Labelled.At.IsZero() {
			labelled = p.Labelled.At.Format(time.RFC3339Nano)
		}
		rows = append(rows, []string{p.file, p.Label, p.Share, p.Serial, p.Lot, p.Origin.Part, p.TakenAt.Format(time.RFC3339Nano), p.Station, p.Labelled.By, labelled, p.Labelled.Note, p.Source, readings})
	}
	return e.rows(csvName, rows)
}
