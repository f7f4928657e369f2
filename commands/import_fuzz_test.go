package commands

import (
	"os"
	"path/filepath"
	"testing"

	"loupe/storage"
)

// FuzzImportCSV reads foreign bytes as an import's list: rows with a share that
// there is, or one line that says what is wrong.
func FuzzImportCSV(f *testing.F) {
	for _, text := range []string{"path,class,split\na.png,good,train\n", "\ufeffpath,class\na,b\n", "class,path\n\"a\nb\",c\n", "path\n", "", "path,class\na\n"} {
		f.Add([]byte(text))
	}
	path := filepath.Join(f.TempDir(), "list.csv")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		all, err := readImportCSV(path)
		if err != nil {
			return
		}
		for _, one := range all {
			if one.share != "" && one.share != storage.TrainShare && one.share != storage.TestShare {
				t.Fatalf("%+v", one)
			}
		}
	})
}
