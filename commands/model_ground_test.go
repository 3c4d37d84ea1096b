package commands_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/storage/s3"
	"github.com/labnet/labnet/storage/s3/s3test"
	"github.com/labnet/labnet/wire"
)

// A ground is what the stores of a machine keep things in, one after the other.
type ground interface {
	open(storage.Conflict) (storage.Store, error)
	// kill keeps what is there from what the store that is open still does.
	kill() error
	// walk lists files and, with a slash behind, folders, and what is kept of
	// uploads that did not end.
	walk(*model) (visible, hidden map[string][]byte, err error)
	// left is what is kept of an upload.
	left(id string) ([]byte, error)
	// spoil replaces that, if the ground spoils things.
	spoil(id string, b []byte) error
	spoils() bool
	// meddle does something to a visible file, if the ground knows such a thing. What
	// replaces it has contents b.
	meddle(name string, how meddling, b []byte) error
	// fit makes of an order one of which the model knows what comes of it.
	fit(order) order
	// notes tells whether something is noted with the files themselves.
	notes() bool
	// loses tells what else than the contract says is not gone on with.
	loses(left, now order) bool
	// createsLate tells whether nothing is there of a small file before its contents come.
	createsLate() bool
	clear()
}

// A folder is the ground of a storage.Dir.
type folder struct {
	base, dir, old string
	hasNotes       bool
	touched        int64 // how often files were touched
}

func newFolder(t *rapid.T, base string, hasNotes bool) *folder {
	f := &folder{base: base, hasNotes: hasNotes}
	if err := f.make(); err != nil {
		t.Fatal(err)
	}
	return f
}

// keepsNotes reports whether the filesystem of a folder can have a note beside a file.
func keepsNotes(t *testing.T, base string) bool {
	d, err := dir.Open(filepath.Join(base, "notes"), dir.Options{})
	must(t, err)
	defer d.Close()
	digest := wire.Digests()[0]
	p, err := d.Create(t.Context(), storage.File{Name: "f", Digest: storage.Digest{Name: digest.Name, New: digest.New}})
	must(t, err)
	_, err = p.Commit(t.Context(), storage.Sum{})
	must(t, err)
	r, err := dir.OpenReader(filepath.Join(base, "notes"))
	must(t, err)
	defer r.Close()
	kept, err := r.Open(t.Context(), "f")
	must(t, err)
	defer kept.Close()
	notes, err := kept.Notes(t.Context())
	must(t, err)
	return len(notes) > 0
}

func (f *folder) make() (err error) {
	f.dir, err = os.MkdirTemp(f.base, "run")
	return err
}

func (f *folder) open(c storage.Conflict) (storage.Store, error) {
	os.RemoveAll(f.old)
	return dir.Open(f.dir, dir.Options{OnConflict: c})
}

// kill continues with a copy of the folder as it is.
func (f *folder) kill() error {
	f.old = f.dir
	return errors.Join(f.make(), os.CopyFS(f.dir, os.DirFS(f.old)))
}

func (f *folder) walk(*model) (visible, hidden map[string][]byte, err error) {
	visible, hidden = map[string][]byte{}, map[string][]byte{}
	store := os.DirFS(f.dir)
	err = fs.WalkDir(store, ".", func(name string, d fs.DirEntry, err error) error {
		switch own := strings.TrimPrefix(name, ".labnet/"); {
		case err != nil || name == "." || name == ".labnet":
			return err
		case d.IsDir():
			visible[name+"/"] = nil
		case d.Type() == fs.ModeSymlink:
			var target string
			target, err = fs.ReadLink(store, name)
			visible[name] = []byte(target)
		case own != name:
			hidden[own], err = fs.ReadFile(store, name)
		default:
			visible[name], err = fs.ReadFile(store, name)
		}
		return err
	})
	return visible, hidden, err
}

func (f *folder) path(id string) string { return filepath.Join(f.dir, ".labnet", partialOf(id)) }

func (f *folder) left(id string) ([]byte, error)  { return os.ReadFile(f.path(id)) }
func (f *folder) spoil(id string, b []byte) error { return os.WriteFile(f.path(id), b, 0o600) }
func (f *folder) spoils() bool                    { return true }
func (f *folder) fit(o order) order               { return o }
func (f *folder) loses(order, order) bool         { return false }
func (f *folder) notes() bool                     { return f.hasNotes }
func (f *folder) createsLate() bool               { return true }

// meddle never leaves the file that was there: a filesystem may not tell what was done to it
// in the same millisecond.
func (f *folder) meddle(name string, how meddling, b []byte) error {
	path, aside := filepath.Join(f.dir, name), f.dir+".aside"
	switch how {
	case replaced:
		return errors.Join(os.WriteFile(aside, b, 0o600), os.Rename(aside, path))
	case removed:
		return os.Remove(path)
	case touched:
		if fi, err := os.Lstat(path); err == nil && !fi.Mode().IsRegular() {
			return errors.ErrUnsupported
		}
		f.touched++
		at := time.Unix(f.touched, 0)
		return os.Chtimes(path, at, at)
	case madeFolder:
		return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
	case madeLink:
		if strings.Count(path, ".txt") == 0 {
			return errors.ErrUnsupported // it is a folder's name, too
		}
		return errors.Join(os.Remove(path), os.Symlink(linkTarget, path))
	}
	return errors.ErrUnsupported
}

func (f *folder) clear() {
	os.RemoveAll(f.dir)
	os.RemoveAll(f.old)
}

// TestModelOfObjects is TestModel in an object store, which is in memory. What
// is put away there has a sum that nobody else could make, and so it does not
// spoil things.
func TestModelOfObjects(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	t.Run("whole", func(t *testing.T) {
		testModel(t, []string{"rename", "replace", "refuse"}, func(*rapid.T) ground {
			server := s3test.NewServer()
			server.OwnTags = true
			return &bucket{server: server}
		})
	})
	// A file of parts has its name from the beginning: where names may be others
	// the model does not know them.
	t.Run("in parts", func(t *testing.T) {
		testModel(t, []string{"replace", "refuse"}, func(*rapid.T) ground {
			server := s3test.NewServer()
			server.MinPart, server.OwnTags = 0, true
			return &bucket{server: server, part: 50_000}
		})
	})
}

// A bucket is the ground of an s3.Store.
type bucket struct {
	server *s3test.Server
	part   int64
	line   *line
}

// A line leads to an object store until it is cut.
type line struct {
	*s3test.Server
	cut atomic.Bool
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.cut.Load() {
		return nil, context.Canceled
	}
	return l.Server.RoundTrip(r)
}

func (b *bucket) open(c storage.Conflict) (storage.Store, error) {
	b.line = &line{Server: b.server}
	return s3.Open(context.Background(), s3.Location{Bucket: b.server.Bucket, Endpoint: "127.0.0.1:1", Insecure: true, Region: "x"},
		s3.Options{OnConflict: c, Transport: b.line, PartSize: b.part})
}

func (b *bucket) kill() error {
	b.line.cut.Store(true)
	return nil
}

// walk finds of an upload that is open what the model knows of it.
func (b *bucket) walk(m *model) (visible, hidden map[string][]byte, err error) {
	visible, hidden = map[string][]byte{}, map[string][]byte{"lock": nil}
	for key, o := range b.server.Objects() {
		switch {
		case strings.HasSuffix(key, "/"):
			visible[key] = nil
		case !strings.HasPrefix(key, ".labnet/"):
			visible[key] = o.Data
		case strings.HasPrefix(key, ".labnet/names/"):
			continue
		case len(m.open) == 0 && !bytes.Contains(o.Data, []byte(`"digest"`)):
			continue // a server was killed, and another may think that it goes on
		case len(m.open) == 0 && !slices.ContainsFunc(ids, func(id string) bool { return key == stateKey(id) }):
			hidden[key] = o.Data
		}
		if !strings.HasPrefix(key, ".labnet/") {
			for _, folder := range foldersAbove(key) {
				visible[folder+"/"] = nil
			}
		}
	}
	for _, id := range ids {
		if data, err := b.left(id); err == nil {
			hidden[partialOf(id)] = data
		}
	}
	for i, s := range m.open {
		switch {
		case s.original != "", s.shorter != "": // nothing is created yet
		case s.id != "":
			hidden[partialOf(s.id)] = nil
		default:
			hidden[fmt.Sprint(i, ".partial")] = nil
		}
	}
	return visible, hidden, nil
}

func stateKey(id string) string { return fmt.Sprintf(".labnet/uploads/%x", sha256.Sum256([]byte(id))) }

func (b *bucket) left(id string) ([]byte, error) {
	o := b.server.Objects()[stateKey(id)]
	if o == nil {
		return nil, fs.ErrNotExist
	}
	head, tail, _ := bytes.Cut(o.Data, []byte("\n"))
	var state struct{ Upload, Digest string }
	if err := json.Unmarshal(head, &state); err != nil {
		return nil, err
	}
	if state.Digest == "" {
		return nil, fs.ErrNotExist // nobody can continue with it
	}
	data := append(b.server.PartsOf(state.Upload), tail...)
	if len(data) == 0 {
		return nil, fs.ErrNotExist
	}
	return data, nil
}

func (b *bucket) meddle(name string, how meddling, contents []byte) error {
	switch {
	case how == replaced:
		b.server.Put(name, string(contents))
	case how == touched:
		b.server.Touch(name)
	case how == removed && !strings.ContainsAny(name, "/(") && b.server.Objects()[storage.NumberedName(name, 2)] == nil:
		b.server.Delete(name) // no folder goes with it, and there is no gap between numbers, which the store sees beyond
	default:
		return errors.ErrUnsupported
	}
	return nil
}

func (b *bucket) spoil(string, []byte) error { return errors.ErrUnsupported }
func (b *bucket) spoils() bool               { return false }
func (b *bucket) createsLate() bool          { return false }
func (b *bucket) notes() bool                { return false }
func (b *bucket) clear()                     {}

// fit has parts summed by what the object store has of them: where the state of
// another digest was told last only the store knows.
func (b *bucket) fit(o order) order {
	if b.part > 0 {
		o.digest = "crc64nvme"
	}
	return o
}

// loses: parts are for one name, and one that is made up is never the same.
func (b *bucket) loses(left, now order) bool {
	return b.part > 0 && left.size() > int(b.part) && (left.name != now.name || now.name == "")
}
