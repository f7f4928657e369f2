package storage_test

import "testing"

func TestSettingsAreKept(t *testing.T) {
	f := open(t)
	ctx := t.Context()
	if v, err := f.Setting(ctx, "language"); err != nil || v != "" {
		t.Errorf("never set, but %q, %v", v, err)
	}
	f.must(f.SetSetting(ctx, "language", "en"))
	f.must(f.SetSetting(ctx, "language", "de"))
	f.reopen()
	if v, err := f.Setting(ctx, "language"); err != nil || v != "de" {
		t.Errorf("%q, %v", v, err)
	}
}
