package dir

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/labnet/labnet/storage"
)

// A crowd is uploads that are committed at once. Two have the same name and
// other contents, two are the same file, and some come into new folders.
type crowd []struct{ name, data string }

var mixed = crowd{
	{"f", "one"}, {"f", "two"}, {"g", "same"}, {"g", "same"},
	{"a/f", "three"}, {"a/g", "four"}, {"a/b/f", "five"}, {"h", "six"},
}

// watch opens a store in dir in which every file waits for a batch, and tells
// the partials of c apart.
func (c crowd) watch(t *testing.T, folder string) (*Store, *watch) {
	d, w := batched.watch(t, folder)
	w.letters = make(map[string]string)
	for letter, partial := range c.partials() {
		w.letters[partial] = letter
	}
	return d, w
}

// partials is the paths of the partials of c by what a watch calls them.
func (c crowd) partials() map[string]string {
	partials := make(map[string]string)
	for i := range c {
		partials[fmt.Sprint("P", i)] = partialPath(storage.File{ID: fmt.Sprint("id ", i)})
	}
	return partials
}

// upload uploads all at once and returns what became of each.
func (c crowd) upload(d *Store) ([]storage.Receipt, []error) {
	receipts, errs := make([]storage.Receipt, len(c)), make([]error, len(c))
	var all sync.WaitGroup
	for i := range c {
		all.Go(func() { receipts[i], errs[i] = c.one(context.Background(), d, i) })
	}
	all.Wait()
	return receipts, errs
}

func (c crowd) one(ctx context.Context, d *Store, i int) (storage.Receipt, error) {
	file := resumableFile(fmt.Sprint("id ", i), len(c[i].data))
	file.Name = c[i].name
	p, err := d.Create(context.Background(), file)
	if err != nil {
		return storage.Receipt{}, err
	}
	if p.Offer().Size > 0 {
		err = p.Restart()
	}
	if err == nil {
		_, err = p.ReadFrom(strings.NewReader(c[i].data))
	}
	if err != nil {
		return storage.Receipt{}, errors.Join(err, p.Suspend())
	}
	return p.Commit(ctx, storage.Sum{Size: file.Size, Digest: sumOf(c[i].data)})
}

// check compares what is visible with what was acknowledged: all of that is
// there, and nothing else but what was not if any is set, and that is whole.
func (c crowd) check(t *testing.T, folder string, receipts []storage.Receipt, errs []error, any bool) {
	t.Helper()
	visible := files(t, folder)
	for i, r := range receipts {
		if errs[i] == nil && visible[r.Name] != c[i].data {
			t.Errorf("%s was acknowledged and holds %q, not %q", r.Name, visible[r.Name], c[i].data)
		}
	}
	for name, data := range visible {
		acknowledged := slices.ContainsFunc(receipts, func(r storage.Receipt) bool { return r.Name == name })
		if !acknowledged && !any {
			t.Errorf("%s is visible", name)
		}
		if !slices.ContainsFunc(c, func(f struct{ name, data string }) bool { return f.data == data }) {
			t.Errorf("%s holds %q", name, data)
		}
	}
}
