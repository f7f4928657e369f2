package exchange

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"loupe/storage"
)

type vocFile struct {
	XMLName xml.Name `xml:"annotation"`
	File    string   `xml:"filename"`
	Size    struct {
		Width  float64 `xml:"width"`
		Height float64 `xml:"height"`
	} `xml:"size"`
	Objects []vocObject `xml:"object"`
}

type vocObject struct {
	Name string  `xml:"name"`
	Box  *vocBox `xml:"bndbox"`
	Rest []struct {
		XMLName xml.Name
		Text    string `xml:",chardata"`
		Inner   string `xml:",innerxml"`
	} `xml:",any"`
}

type vocBox struct {
	Left   float64 `xml:"xmin"`
	Top    float64 `xml:"ymin"`
	Right  float64 `xml:"xmax"`
	Bottom float64 `xml:"ymax"`
}

// readVOC reads one file of annotations for each picture, and the split of
// ImageSets/Main.
func (s *Set) readVOC() error {
	sets, err := s.imageSets()
	if err != nil {
		return err
	}
	for _, name := range s.files.all {
		if !isXML(name) {
			continue
		}
		data, err := s.files.read(name, mostText)
		var p Picture
		if err == nil {
			p, err = parseVOC(data)
		}
		if err != nil {
			s.Refused = append(s.Refused, fmt.Sprintf("%s: %v", name, err))
			continue
		}
		if p.File, err = s.picture(name, p.File); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		p.Source = p.File
		if p.Share = sets[bare(name)]; p.Share == "" {
			p.Share = shareIn(name)
		}
		for _, m := range p.Marks {
			if !slices.Contains(s.Names, m.Class) && len(s.Names) < 100_000 {
				s.Names = append(s.Names, m.Class)
			}
		}
		s.Pictures = append(s.Pictures, p)
	}
	slices.Sort(s.Names)
	return nil
}

// picture finds the picture of a file of annotations: the one that it names, or
// one that is called like it.
func (s *Set) picture(list, named string) (string, error) {
	if named == "" {
		named = bare(list)
	}
	folder := path.Dir(list)
	file, err := s.files.find(folder, named, path.Join(path.Dir(folder), "JPEGImages"), path.Join(path.Dir(folder), "images"), ".", "JPEGImages", "images")
	if err != nil || s.files.has[file] {
		return file, err
	}
	for _, ending := range pictureEndings {
		if at := s.files.based[bare(list)+ending]; at != "" {
			return at, nil
		}
	}
	return file, nil
}

// imageSets gives the share of each name in ImageSets/Main.
func (s *Set) imageSets() (map[string]string, error) {
	sets := map[string]string{}
	for _, set := range []string{"trainval", "train", "val", "test"} { // the later one counts
		for _, name := range s.files.all {
			if path.Base(name) != set+".txt" || path.Base(path.Dir(name)) != "Main" {
				continue
			}
			data, err := s.files.read(name, mostCSV)
			if err != nil {
				return nil, err
			}
			for line := range strings.Lines(string(data)) {
				if fields := strings.Fields(line); len(fields) > 0 && (len(fields) == 1 || fields[1] != "-1") {
					sets[fields[0]] = shareOf(set)
				}
			}
		}
	}
	return sets, nil
}

var entity = regexp.MustCompile(`<!(DOCTYPE|ENTITY)`)

// parseVOC reads the annotations of one picture; File is as they name it. The
// boxes of VOC count pixels from 1 and include the last.
func parseVOC(data []byte) (Picture, error) {
	if entity.Match(data) {
		return Picture{}, errors.New("the XML declares a document type, which annotations do not need: remove it")
	}
	var v vocFile
	if err := xml.Unmarshal(data, &v); err != nil {
		return Picture{}, fmt.Errorf("this is no Pascal VOC: %w", err)
	}
	p := Picture{File: v.File, said: data, pixels: true, width: int(v.Size.Width), height: int(v.Size.Height)}
	for _, o := range v.Objects {
		if o.Box == nil {
			p.Notes = append(p.Notes, fmt.Sprintf("an object %.100q has no bndbox", o.Name))
			continue
		}
		m := storage.Mark{Class: o.Name, Shape: storage.BoxShape, Box: [4]float64{o.Box.Left - 1, o.Box.Top - 1, o.Box.Right - o.Box.Left + 1, o.Box.Bottom - o.Box.Top + 1}}
		for _, e := range o.Rest {
			name := e.XMLName.Local
			if strings.Contains(e.Inner, "<") {
				p.Notes = append(p.Notes, fmt.Sprintf("%.50s of %.100q is not kept", name, o.Name))
				continue
			}
			if m.Extra == nil {
				m.Extra = map[string]json.RawMessage{}
			}
			m.Extra[name], _ = json.Marshal(strings.TrimSpace(e.Text)) // a string is always JSON
		}
		p.Marks = append(p.Marks, m)
	}
	return p, nil
}

var elementName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// vocXML writes the annotations of a picture. Boxes are in pixels, counted from
// 1, with decimals only where they have some.
func vocXML(file string, width, height int, marks []storage.Mark) []byte {
	var b bytes.Buffer
	element := func(indent, name, text string) {
		b.WriteString(indent + "<" + name + ">")
		_ = xml.EscapeText(&b, []byte(text)) // a buffer takes everything
		b.WriteString("</" + name + ">\n")
	}
	b.WriteString("<annotation>\n")
	element("  ", "folder", "JPEGImages")
	element("  ", "filename", path.Base(file))
	b.WriteString("  <size>\n")
	element("    ", "width", strconv.Itoa(width))
	element("    ", "height", strconv.Itoa(height))
	b.WriteString("  </size>\n")
	for _, m := range marks {
		b.WriteString("  <object>\n")
		element("    ", "name", m.Class)
		for _, key := range slices.Sorted(maps.Keys(m.Extra)) {
			var text string
			value := m.Extra[key]
			if json.Unmarshal(value, &text) != nil {
				text = string(value)
			}
			if elementName.MatchString(key) && !slices.Contains([]string{"name", "bndbox"}, key) {
				element("    ", key, text)
			}
		}
		x, y, w, h := m.Box[0]*float64(width), m.Box[1]*float64(height), m.Box[2]*float64(width), m.Box[3]*float64(height)
		b.WriteString("    <bndbox>\n")
		element("      ", "xmin", round(x+1, pixelDecimals))
		element("      ", "ymin", round(y+1, pixelDecimals))
		element("      ", "xmax", round(x+w, pixelDecimals))
		element("      ", "ymax", round(y+h, pixelDecimals))
		b.WriteString("    </bndbox>\n  </object>\n")
	}
	b.WriteString("</annotation>\n")
	return b.Bytes()
}
