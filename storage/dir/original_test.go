package dir

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/storage"
)

// TestOfferedFileChanges does something to a file between the offer and Commit: then
// it is not called unchanged. Otherwise it is, and nothing else is left.
func TestOfferedFileChanges(t *testing.T) {
	const data = "the contents"
	changes := map[string]func(path string) error{
		"nothing":    func(string) error { return nil },
		"removed":    os.Remove,
		"written to": func(path string) error { return os.WriteFile(path, []byte("THE CONTENTS"), 0) },
		"longer":     func(path string) error { return os.WriteFile(path, []byte(data+"!"), 0) },
		"touched":    func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1, 0)) },
		"replaced": func(path string) error {
			return replaceBy(path, func() error { return os.WriteFile(path, []byte(data), 0o666) })
		},
		"replaced by folder":  func(path string) error { return replaceBy(path, func() error { return os.Mkdir(path, 0o777) }) },
		"replaced by symlink": func(path string) error { return replaceBy(path, func() error { return os.Symlink(path+".old", path) }) },
	}
	for what, change := range changes {
		for _, told := range []bool{false, true} {
			t.Run(what, func(t *testing.T) {
				folder := t.TempDir()
				d := mustOpen(t, folder, Options{})
				mustUpload(t, d, "f", data)
				file := storage.File{Name: "f", Size: int64(len(data)), Digest: crc, Proofs: proofs}
				proof := sha256.Sum256([]byte(data))
				if told {
					file.Contents = storage.Proof{Digest: proofs[0], Sum: proof[:]}
				}
				p := mustCreate(t, d, file)
				if o := p.Offer(); o.Size != file.Size || !o.Stored || o.Agreed != told || string(o.Proof) != string(proof[:]) {
					t.Fatalf("offer %+v", o)
				}
				if err := change(filepath.Join(folder, "f")); err != nil {
					t.Skip(err)
				}
				r, err := p.Commit(context.Background(), storage.Sum{Size: file.Size, Digest: sumOf(data)})
				if what == "nothing" {
					if err != nil || !r.Unchanged || r.Name != "f" || string(r.Digest) != string(sumOf(data)) {
						t.Errorf("receipt %+v, %v", r, err)
					}
				} else if !errors.Is(err, storage.ErrMismatch) {
					t.Errorf("receipt %+v, error %v, want %v", r, err, storage.ErrMismatch)
				}
				if left, rest := hiddenIn(t, folder); left != nil || len(rest) > 0 {
					t.Errorf("left: %v %q", left, rest)
				}
			})
		}
	}
}

func replaceBy(path string, by func() error) error {
	return errors.Join(os.Rename(path, path+".old"), by())
}

// TestGrownFileChanges does something to a file between the offer of it as the beginning
// of another one and the rest of that: what was not compared is never copied, and the
// file is stored as it was sent or refused for now.
func TestGrownFileChanges(t *testing.T) {
	data := longer + longer
	for what, change := range map[string]func(path string) error{
		"nothing":    func(string) error { return nil },
		"removed":    os.Remove,
		"written to": func(path string) error { return os.WriteFile(path, []byte(strings.ToUpper(longer)), 0) },
		"longer":     func(path string) error { return os.WriteFile(path, []byte(longer+"!"), 0) },
		"shorter":    func(path string) error { return os.Truncate(path, small) },
		"replaced": func(path string) error {
			return replaceBy(path, func() error { return os.WriteFile(path, nil, 0o666) })
		},
		"replaced by folder": func(path string) error {
			return replaceBy(path, func() error { return os.Mkdir(path, 0o777) })
		},
	} {
		t.Run(what, func(t *testing.T) {
			folder := t.TempDir()
			d := mustOpen(t, folder, Options{OnConflict: storage.Replace})
			mustUpload(t, d, "f", longer)
			file := storage.File{Name: "f", ID: "id", Size: int64(len(data)), Digest: crc, Proofs: proofs}
			p := mustCreate(t, d, file)
			proof := sha256.Sum256([]byte(longer))
			if o := p.Offer(); o.Size != int64(len(longer)) || !o.Stored || o.Agreed || string(o.Proof) != string(proof[:]) {
				t.Fatalf("offer %+v", o)
			}
			if err := change(filepath.Join(folder, "f")); err != nil {
				t.Skip(err)
			}
			_, err := p.ReadFrom(strings.NewReader(data[len(longer):]))
			if err == nil {
				_, err = p.Commit(context.Background(), storage.Sum{Size: file.Size, Digest: sumOf(data)})
			}
			p.Abort()
			got := tree(t, folder)["f"]
			switch {
			case err == nil && got != data:
				t.Errorf("stored %d other bytes", len(got))
			case what == "nothing" && err != nil, what == "written to" && !errors.Is(err, storage.ErrMismatch):
				t.Error(err)
			}
			if left, rest := hiddenIn(t, folder); left != nil || len(rest) > 0 {
				t.Errorf("left: %v %q", left, rest)
			}
		})
	}
}

// TestGrownWithoutRest: the beginning of a file does not do for all of it.
func TestGrownWithoutRest(t *testing.T) {
	folder := t.TempDir()
	d := mustOpen(t, folder, Options{})
	mustUpload(t, d, "f", longer)
	p := mustCreate(t, d, storage.File{Name: "f", Size: int64(len(longer)) + 1, Digest: crc, Proofs: proofs})
	if r, err := p.Commit(context.Background(), storage.Sum{Size: int64(len(longer)), Digest: sumOf(longer)}); !errors.Is(err, storage.ErrMismatch) {
		t.Errorf("receipt %+v, %v", r, err)
	}
}

// TestWhichIsOffered: of several files of the same size that of the same time is
// offered, or the latest; one whose contents the sender tells is found anywhere.
func TestWhichIsOffered(t *testing.T) {
	folder := t.TempDir()
	d := mustOpen(t, folder, Options{})
	at := func(n int64) time.Time { return time.Unix(1_000_000_000+n, 0) }
	for i, data := range []string{"one", "two", "six", "four!"} {
		p := begun(t, d, storage.File{Name: "f", Size: int64(len(data)), ModTime: at(int64(i))}, data)
		if _, err := p.Commit(context.Background(), storage.Sum{Size: -1}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		data string
		time time.Time
		told bool
		want string // its name; "" for none
	}{
		{"one", at(0), false, "f"}, {"two", at(1), false, "f (2)"}, {"six", at(2), false, "f (3)"},
		{"six", at(9), false, "f (3)"}, {"four!", at(9), false, "f (4)"}, {"fours", at(9), true, ""},
		{"one", at(9), true, "f"}, {"two", at(9), true, "f (2)"}, {"four!", at(9), true, "f (4)"}, {"ten", at(0), true, ""},
	} {
		file := storage.File{Name: "f", Size: int64(len(test.data)), ModTime: test.time, Digest: crc, Proofs: proofs}
		proof := sha256.Sum256([]byte(test.data))
		if test.told {
			file.Contents = storage.Proof{Digest: proofs[0], Sum: proof[:]}
		}
		p := mustCreate(t, d, file)
		if test.want == "" {
			if o := p.Offer(); o.Size != 0 {
				t.Errorf("%+v: offer %+v", test, o)
			}
			p.Abort()
			continue
		}
		if string(p.Offer().Proof) != string(proof[:]) {
			t.Errorf("%+v: offer %+v", test, p.Offer())
		}
		if r, err := p.Commit(context.Background(), storage.Sum{Size: -1}); err != nil || r.Name != test.want || !r.Unchanged {
			t.Errorf("%+v: receipt %+v, %v", test, r, err)
		}
	}
}

// TestOfferRefused: the sender has other bytes of the same size, and they are kept
// beside; what was written before the offer is not resumed.
func TestOfferRefused(t *testing.T) {
	for c, want := range map[storage.Conflict]map[string]string{
		storage.Rename:  {"f": "old", "f (2)": "new"},
		storage.Replace: {"f": "new"},
		storage.Refuse:  {"f": "old"},
	} {
		folder := t.TempDir()
		d := mustOpen(t, folder, Options{OnConflict: c})
		mustUpload(t, d, "f", "old")
		p := mustCreate(t, d, resumableFile("id", 3))
		if !p.Offer().Stored {
			t.Fatalf("offer %+v", p.Offer())
		}
		if _, err := p.ReadFrom(strings.NewReader("x")); !errors.Is(err, storage.ErrTooLong) {
			t.Errorf("%v: a byte behind all of it: %v", c, err)
		}
		p.Abort()
		p = mustCreate(t, d, resumableFile("id", 3))
		if err := p.Restart(); err != nil || p.Offer().Size != 0 {
			t.Fatalf("%v: offer %+v, %v", c, p.Offer(), err)
		}
		if _, err := p.ReadFrom(strings.NewReader("new")); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Commit(context.Background(), storage.Sum{Size: 3, Digest: sumOf("new")}); err != nil && c != storage.Refuse || c == storage.Refuse && !errors.Is(err, storage.ErrExists) {
			t.Errorf("%v: %v", c, err)
		}
		if got := tree(t, folder); len(got) != len(want) || got["f"] != want["f"] || got["f (2)"] != want["f (2)"] {
			t.Errorf("%v: stored %q, want %q", c, got, want)
		}
	}
}
