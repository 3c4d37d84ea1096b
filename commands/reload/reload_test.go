package reload

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestLatest: what changed before somebody asks counts at once.
func TestLatest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	must(t, os.WriteFile(file, []byte("1"), 0o600))
	read := func() (string, error) {
		b, err := os.ReadFile(file)
		if string(b) == "bad" {
			err = errors.New("bad")
		}
		return string(b), err
	}
	failures := 0
	v, err := Watch(&Watcher{}, []string{file}, read, func(error) { failures++ })
	must(t, err)
	for _, step := range []struct{ text, want string }{{"22", "22"}, {"bad", "22"}, {"4444", "4444"}} {
		must(t, os.WriteFile(file, []byte(step.text), 0o600))
		for range 3 {
			if got := v.Latest(); got != step.want {
				t.Errorf("%q in place of %q", got, step.want)
			}
		}
	}
	if failures != 1 {
		t.Errorf("%d failures were told, want 1", failures)
	}
}
