package commands

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"loupe/models"
	"loupe/models/onnx/onnxtest"
	"loupe/storage"
)

func TestTheModelPageTakesAFileAndSaysWhatIsWrongWithAnother(t *testing.T) {
	s := startTaught(t)
	first := s.champion(0)
	file := func(name string, data []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	own, err := s.Registry.ModelFile(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	unknown := onnxtest.Before(onnxtest.Classifier(224, []string{"good", "stain"}), onnxtest.Node("Einsum", "/attention/einsum", "x", []string{"image", "image"}))
	b := s.signIn(fmt.Sprintf("/recipes/%d/model", s.recipe.ID), 1280, 800)
	b.Run(chromedp.SetUploadFiles(`input[name="model"]`, []string{file("plant2.onnx", own)}, chromedp.ByQuery), chromedp.SendKeys(`input[name="note"]`, "from plant 2", chromedp.ByQuery))
	b.Click(`.upload button`)
	b.Until("the new version is shown", `location.search.includes('version=') && document.querySelector('.decision h2')?.innerText.includes('2')`)
	b.Until("it judges after its evaluation", `document.querySelector('.decision .state')?.classList.contains('champion')`)
	b.Until("it says where it comes from", `document.querySelector('#versions').innerText.includes('from plant 2')`)
	b.Calm()
	v, err := s.DB.Version(t.Context(), s.champion(first))
	if err != nil || v.State != storage.Champion || v.CreatedBy != s.Admin {
		t.Errorf("%+v, %v", v, err)
	}
	b.Run(chromedp.SetUploadFiles(`input[name="model"]`, []string{file("foreign.onnx", onnxtest.Bytes(unknown))}, chromedp.ByQuery))
	b.Click(`.upload button`)
	b.Until("the form says which operator", `document.querySelector('#upload-answer')?.innerText.includes('cannot read the operator Einsum (node /attention/einsum)')`)
	b.Until("another file can be chosen", `!document.querySelector('.upload button').disabled`)
	huge := file("huge.onnx", nil)
	if err := os.Truncate(huge, models.MostModelBytes+1); err != nil {
		t.Fatal(err)
	}
	b.Run(chromedp.SetUploadFiles(`input[name="model"]`, []string{huge}, chromedp.ByQuery))
	b.Until("a file that is too large is refused before it is sent", `document.querySelector('input[name="model"]').validationMessage.includes('too large')`)
	if all, err := s.DB.Versions(t.Context(), s.recipe.ID, 5); err != nil || len(all) != 2 {
		t.Errorf("%d versions, %v", len(all), err)
	}
}
