package dir

import (
	"io/fs"
	"sync/atomic"
	"time"

	"github.com/labnet/labnet/storage"
)

// maxCalls is how many calls of the system may be under way for a Store at once.
// Each that waits for its filesystem costs a thread, which the system may grant no
// more of, and that ends the process. More would not make a disk faster.
const maxCalls = 128

// A gate lets maxCalls calls of a filesystem run at once. Others wait for their turn
// without a thread. None of those that run waits for another. Try does not wait for
// its turn.
type gate struct {
	filesystem
	turns  chan struct{}
	synced func(took time.Duration) // see Options.Synced; may be nil
	moved  atomic.Int64             // calls that have written something
}

func newGate(f filesystem) *gate { return &gate{filesystem: f, turns: make(chan struct{}, maxCalls)} }

// timed calls sync, and tells how long it took.
func (g *gate) timed(sync func() error) error {
	if g.synced == nil {
		return sync()
	}
	begun := time.Now()
	err := sync()
	g.synced(time.Since(begun))
	return err
}

func (g *gate) enter() { g.turns <- struct{}{} }
func (g *gate) leave() { <-g.turns }

// do calls f in its turn.
func (g *gate) do(f func() error) error {
	g.enter()
	defer g.leave()
	return f()
}

func (g *gate) file(f file, err error) (file, error) {
	if err != nil {
		return nil, err
	}
	return gatedFile{f, g}, nil
}

// OpenFile waits for others' leases, but not in its turn.
func (g *gate) OpenFile(name string, flag int, perm fs.FileMode) (file, error) {
	return storage.OpenUnleased(func() (file, error) {
		g.enter()
		defer g.leave()
		return g.file(g.filesystem.OpenFile(name, flag, perm))
	}, func() (fs.FileInfo, error) { return g.Lstat(name) })
}

func (g *gate) CreateNameless(folder string, perm fs.FileMode) (file, error) {
	g.enter()
	defer g.leave()
	return g.file(g.filesystem.CreateNameless(folder, perm))
}

func (g *gate) Lstat(name string) (fs.FileInfo, error) {
	g.enter()
	defer g.leave()
	return g.filesystem.Lstat(name)
}

func (g *gate) Chmod(name string, mode fs.FileMode) error {
	g.enter()
	defer g.leave()
	return g.filesystem.Chmod(name, mode)
}

func (g *gate) Inspect(folder string) (folderInfo, error) {
	g.enter()
	defer g.leave()
	return g.filesystem.Inspect(folder)
}

func (g *gate) Chtimes(name string, mtime time.Time) error {
	g.enter()
	defer g.leave()
	return g.filesystem.Chtimes(name, mtime)
}

func (g *gate) Mkdir(name string, perm fs.FileMode) error {
	g.enter()
	defer g.leave()
	return g.filesystem.Mkdir(name, perm)
}

func (g *gate) Link(oldname, newname string) error {
	g.enter()
	defer g.leave()
	return g.filesystem.Link(oldname, newname)
}

func (g *gate) Move(oldname, newname string) error {
	g.enter()
	defer g.leave()
	return g.filesystem.Move(oldname, newname)
}

func (g *gate) Rename(oldname, newname string) error {
	g.enter()
	defer g.leave()
	return g.filesystem.Rename(oldname, newname)
}

func (g *gate) Remove(name string) error {
	g.enter()
	defer g.leave()
	return g.filesystem.Remove(name)
}

func (g *gate) Free(folder string) (freeSpace, error) {
	g.enter()
	defer g.leave()
	return g.filesystem.Free(folder)
}

func (g *gate) SyncAll() error {
	return g.do(func() error { return g.timed(g.filesystem.SyncAll) })
}

// A gatedFile is a file of a gate. Seek waits for nothing.
type gatedFile struct {
	file
	in *gate
}

func (f gatedFile) enter() { f.in.enter() }
func (f gatedFile) leave() { f.in.leave() }

func (f gatedFile) Read(b []byte) (int, error) {
	f.enter()
	defer f.leave()
	return f.file.Read(b)
}

func (f gatedFile) Write(b []byte) (int, error) {
	f.enter()
	defer f.leave()
	defer f.in.moved.Add(1)
	return f.file.Write(b)
}

func (f gatedFile) ReadAt(b []byte, offset int64) (int, error) {
	f.enter()
	defer f.leave()
	return f.file.ReadAt(b, offset)
}

func (f gatedFile) Close() error {
	f.enter()
	defer f.leave()
	return f.file.Close()
}

func (f gatedFile) Stat() (fs.FileInfo, error) {
	f.enter()
	defer f.leave()
	return f.file.Stat()
}

func (f gatedFile) Links() (uint64, error) {
	f.enter()
	defer f.leave()
	return f.file.Links()
}

func (f gatedFile) Chmod(mode fs.FileMode) error {
	f.enter()
	defer f.leave()
	return f.file.Chmod(mode)
}

func (f gatedFile) Chown(uid, gid int) error {
	f.enter()
	defer f.leave()
	return f.file.Chown(uid, gid)
}

func (f gatedFile) SetModTime(t time.Time) error {
	f.enter()
	defer f.leave()
	return f.file.SetModTime(t)
}

func (f gatedFile) Link(name string) error {
	f.enter()
	defer f.leave()
	return f.file.Link(name)
}

func (f gatedFile) Truncate(size int64) error {
	f.enter()
	defer f.leave()
	return f.file.Truncate(size)
}

func (f gatedFile) Allocate(size int64) error {
	f.enter()
	defer f.leave()
	return f.file.Allocate(size)
}

func (f gatedFile) CloneFrom(other file) error {
	f.enter()
	defer f.leave()
	defer f.in.moved.Add(1)
	return f.file.CloneFrom(other.(gatedFile).file)
}

func (f gatedFile) WriteOut(offset, n int64) error {
	f.enter()
	defer f.leave()
	return f.file.WriteOut(offset, n)
}

func (f gatedFile) SetAttribute(name, value string) error {
	f.enter()
	defer f.leave()
	return f.file.SetAttribute(name, value)
}

func (f gatedFile) Attribute(name string) (string, error) {
	f.enter()
	defer f.leave()
	return f.file.Attribute(name)
}

func (f gatedFile) Sync() error {
	f.enter()
	defer f.leave()
	defer f.in.moved.Add(1)
	return f.in.timed(f.file.Sync)
}
