package exchange

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"

	"loupe/storage"
)

// fit checks what becomes of pictures that foreign bytes describe: each region
// lies in the picture, and can be written in every format and read again.
func fit(t *testing.T, names []string, pictures ...Picture) {
	for _, p := range pictures {
		if err := p.Fit(64, 48); err != nil {
			continue
		}
		for _, m := range p.Marks {
			if err := m.Check(); err != nil {
				t.Fatalf("%+v: %v", m, err)
			}
			cocoAnnotation(m, 64, 48)
		}
		if _, err := parseVOC(vocXML("x.png", 64, 48, p.Marks)); err != nil {
			t.Fatalf("%+v written as XML cannot be read: %v", p.Marks, err)
		}
		yoloText(names, p.Marks)
	}
}

func FuzzCOCO(f *testing.F) {
	for _, text := range []string{
		`{"images":[{"id":1,"file_name":"a.png","width":64,"height":48}],"categories":[{"id":3,"name":"dent"}],"annotations":[{"id":1,"image_id":1,"category_id":3,"bbox":[1,2,3,4],"area":12,"iscrowd":0}]}`,
		`{"annotations":[{"image_id":"x","category_id":1,"segmentation":[[1,2,3,4,5,6]]}],"images":[{"id":"x","file_name":"b"}],"categories":[{"id":1,"name":"c"}]}`,
		`{"images":[{"id":1,"file_name":"a"}],"annotations":[{"image_id":1,"category_id":1,"bbox":[0,0,1,1],"segmentation":{"size":[48,64],"counts":"` + "PPYo1" + `"}}],"categories":[{"id":1,"name":"c"}]}`,
		`{"images":[{"id":1,"file_name":"../../etc/passwd"}]}`, `{"images":{}}`, `[]`, ``, `{"images":[`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Read(fstest.MapFS{"annotations/a.json": {Data: data}, "a.png": {Data: []byte("x")}}, "", COCO)
		if err != nil {
			return
		}
		for _, p := range s.Pictures {
			if strings.HasPrefix(p.File, "/") || strings.Contains("/"+p.File+"/", "/../") {
				t.Fatalf("the picture lies in %s", p.File)
			}
		}
		fit(t, s.Names, s.Pictures...)
	})
}

func FuzzVOC(f *testing.F) {
	f.Add([]byte(`<annotation><filename>a.png</filename><size><width>64</width><height>48</height></size><object><name>dent</name><pose>Left</pose><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>2</ymin><xmax>5</xmax><ymax>9</ymax></bndbox></object></annotation>`))
	f.Add([]byte(`<!DOCTYPE x [<!ENTITY a "b">]><annotation><filename>&a;</filename></annotation>`))
	f.Add([]byte(`<annotation><object><name>&lt;</name><part><name>x</name></part></object></annotation>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := parseVOC(data)
		if err != nil {
			return
		}
		p.width, p.height = 0, 0
		fit(t, nil, p)
	})
}

func FuzzYOLOLabels(f *testing.F) {
	for _, text := range []string{"0 0.5 0.5 0.2 0.2\n", "1 0.1 0.1 0.2 0.2 0.3 0.3", "0 NaN 0 1 1", "0 0.5 0.5 1e308 1 0.3\n", "7 1 1 1 1", "a", "0 0.5 0.5 0.2 0.2 Inf"} {
		f.Add([]byte(text))
	}
	names := []string{"dent", "scratch"}
	f.Fuzz(func(t *testing.T, data []byte) {
		marks, _, err := parseLabels(data, names)
		if err != nil {
			return
		}
		fit(t, names, Picture{Marks: marks})
	})
}

func FuzzYOLOData(f *testing.F) {
	for _, text := range []string{"names: [a, b]\ntrain: images/train\n", "path: ../x\nnames:\n  0: a\n  1: b\nval: [../images]\n", "names: {1: a}", "a: &a [*a]", "train: ../../../etc\nnames: [a]", "names: [a]\ntrain: list.txt"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Read(fstest.MapFS{"data.yaml": {Data: data}, "images/train/a.png": {Data: []byte("x")}, "list.txt": {Data: []byte("../a.png\n")}}, "", YOLO)
		if err == nil && (len(s.Pictures) == 0 || len(s.Names) == 0) {
			t.Fatalf("%+v", s)
		}
	})
}

// FuzzCSV reads foreign bytes as an import's list: pictures in the folder, each
// with a class and a share that there is, or one line that says what is wrong.
func FuzzCSV(f *testing.F) {
	for _, text := range []string{
		"path,class,split\na.png,good,train\n", "\ufeffpath,class\na,b\n", "class,path\n\"a\nb\",c\n", "path\n", "", "path,class\na\n", "path,class\n../a,b\n", "path,class\n/a,b\n",
		"path,class,taken_at,readings\na,b,2026-11-25T14:03:00Z,\"{\"\"x\"\":1}\"\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &Set{}
		if s.rows(bytes.NewReader(data)) != nil {
			return
		}
		for _, p := range s.Pictures {
			if p.Share != "" && p.Share != storage.TrainShare && p.Share != storage.TestShare || p.Class == "" || strings.HasPrefix(p.File, "/") || strings.HasPrefix(p.File, "../") {
				t.Fatalf("%+v", p)
			}
		}
	})
}

func FuzzSide(f *testing.F) {
	f.Add([]byte(`{"loupe":1,"format":"csv","recipe":"Caps","classes":[{"name":"good","pass":true}]}` + "\n" + `{"file":"a.png","class":"good","regions":[{"class":"x","shape":"box","box":[0,0,1,1]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseSide(bytes.NewReader(data))
		if err != nil {
			return
		}
		set := &Set{Format: CSV}
		for file := range s.of {
			set.Pictures = append(set.Pictures, Picture{File: file})
		}
		s.join(set)
		fit(t, nil, set.Pictures...)
	})
}
