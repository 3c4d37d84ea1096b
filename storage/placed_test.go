package storage

import (
	"errors"
	"testing"
)

// TestPlaced: a file is checked by the rules for all names and by those of its store, has its
// whole name, and no ID if it is only looked for.
func TestPlaced(t *testing.T) {
	odd := errors.New("odd")
	check := func(name string) error {
		if name == "folder/odd" {
			return odd
		}
		return nil
	}
	for _, f := range []File{{Name: "../a"}, {Name: "a", Folder: ".."}, {Name: Hidden + "/a"}} {
		var bad *NameError
		if _, err := f.Placed(Native, check); !errors.As(err, &bad) {
			t.Errorf("%+v: error %v", f, err)
		}
	}
	if _, err := (File{Name: "odd", Folder: "folder"}).Placed(Native, check); !errors.Is(err, odd) {
		t.Errorf("error %v", err)
	}
	for _, test := range []struct {
		file File
		id   string
	}{
		{File{}, "id"}, {File{Existing: true}, ""}, {File{Check: true}, ""},
	} {
		f := test.file
		f.Name, f.Folder, f.ID = "a", "folder", "id"
		if p, err := f.Placed(Native, check); err != nil || p.Name != "folder/a" || p.ID != test.id {
			t.Errorf("%+v, %v", p, err)
		}
	}
	if p, err := (File{}).Placed(Native, check); err != nil || p.Name == "" {
		t.Errorf("%+v, %v", p, err)
	}
}
