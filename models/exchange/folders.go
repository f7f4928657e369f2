package exchange

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"loupe/storage"
)

// readFolders takes the first folder of each file as its class.
func (s *Set) readFolders() {
	for _, name := range s.files.all {
		if class, _, ok := strings.Cut(name, "/"); ok {
			s.Pictures = append(s.Pictures, Picture{File: name, Class: className(class), Source: name})
		}
	}
}

// folderName is the name of a class as a folder; what no folder can be called is
// written as in an address.
func folderName(class string) string {
	var b strings.Builder
	for i, c := range class {
		if strings.ContainsRune(`/\:*?"<>|%`, c) || c < ' ' || i == 0 && (c == '.' || c == '_') {
			for _, octet := range []byte(string(c)) {
				b.WriteString("%" + strings.ToUpper(string([]byte{"0123456789abcdef"[octet>>4], "0123456789abcdef"[octet&15]})))
			}
			continue
		}
		b.WriteRune(c)
	}
	return b.String()
}

// className is the way back.
func className(folder string) string {
	if name, err := url.PathUnescape(folder); err == nil && folderName(name) == folder {
		return name
	}
	return folder
}

// splits are the folders of the classification layout of YOLO: train/CLASS/… and
// at least one class in it. None where the folder is laid out otherwise.
func (t *tree) splits() []string {
	var found []string
	for _, name := range t.all {
		split, rest, ok := strings.Cut(name, "/")
		if !ok {
			continue
		}
		if !slices.Contains([]string{"train", "val", "valid", "validation", "test"}, strings.ToLower(split)) || !strings.Contains(rest, "/") {
			return nil
		}
		if !slices.Contains(found, split) {
			found = append(found, split)
		}
	}
	return found
}

// readClassified reads the classification layout of YOLO.
func (s *Set) readClassified() {
	for _, name := range s.files.all {
		parts := strings.SplitN(name, "/", 3)
		if len(parts) == 3 {
			s.Pictures = append(s.Pictures, Picture{File: name, Class: className(parts[1]), Share: shareOf(parts[0]), Source: name})
		}
	}
}

// bare is a file's name without folders and ending.
func bare(name string) string { return strings.TrimSuffix(path.Base(name), path.Ext(name)) }

// shares are the sides of the split in the order in which they are written.
var shares = []string{storage.TrainShare, storage.TestShare}
