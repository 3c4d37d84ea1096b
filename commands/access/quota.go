package access

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/labnet/labnet/commands/size"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/wire"
)

const (
	// recountTime is after how long the files in a folder are counted again, since
	// others may put some there or remove some.
	recountTime = time.Minute
	// refusalTime is the same for an upload that would be refused.
	refusalTime = time.Second
	// countShare is how many times longer than a count the pause after it is at
	// least.
	countShare = 20
)

// A quota keeps count of what is in a folder and of what is on its way there. What
// interrupted uploads have left is charged to the user who sent it.
type quota struct {
	meter storage.Meter
	dir   string

	mu       sync.Mutex
	stored   storage.Usage // when it was counted, and since
	counted  time.Time
	took     time.Duration
	reserved storage.Usage   // for uploads in progress
	folders  map[string]bool // that are in the folder for certain
}

// maxFolders bounds how many folders a quota remembers. One that it forgets counts
// again until all is counted.
const maxFolders = 1 << 14

// reserve takes what is needed, if no more than limit is there then, with what the user
// has left of other uploads.
func (q *quota) reserve(ctx context.Context, need, left, limit storage.Usage) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	err := q.count(ctx, recountTime)
	if err == nil && !fits(need, q.remaining(left, limit)) {
		err = q.count(ctx, refusalTime)
	}
	if err != nil {
		return err
	}
	switch free := q.remaining(left, limit); {
	case need.Bytes > free.Bytes:
		return &wire.Error{Code: wire.CodeQuota, Text: "no space left for this user: " +
			size.Shortage(need.Bytes, humanize.IBytes(uint64(max(0, free.Bytes)))+" of "+humanize.IBytes(uint64(limit.Bytes)))}
	case need.Files > free.Files:
		return &wire.Error{Code: wire.CodeQuota, Text: fmt.Sprintf("too many files and folders for this user: %d needed, %d of %d free",
			need.Files, max(0, free.Files), limit.Files)}
	}
	q.reserved = q.reserved.Add(need)
	return nil
}

func fits(need, free storage.Usage) bool { return need.Bytes <= free.Bytes && need.Files <= free.Files }

func (q *quota) remaining(left, limit storage.Usage) storage.Usage {
	return limit.Sub(left).Sub(q.stored).Sub(q.reserved)
}

// used is what is in the folder and on its way there, with what a user has left.
func (q *quota) used(ctx context.Context, user string) (storage.Usage, error) {
	left := q.meter.Left(storage.File{Owner: user})
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.count(ctx, recountTime); err != nil {
		return storage.Usage{}, err
	}
	none := storage.Usage{}
	return none.Sub(q.remaining(left, none)), nil
}

// unknown counts those folders that may have to be made.
func (q *quota) unknown(folders []string) (n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, folder := range folders {
		if !q.folders[folder] {
			n++
		}
	}
	return n
}

// made notes that folders are there, and returns how many had not been.
func (q *quota) made(folders []string) (n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, folder := range folders {
		if q.folders[folder] {
			continue
		}
		if q.folders == nil || len(q.folders) >= maxFolders {
			q.folders = map[string]bool{}
		}
		q.folders[strings.Clone(folder)] = true
		n++
	}
	return n
}

// count counts the files unless that was done so short a time ago.
func (q *quota) count(ctx context.Context, age time.Duration) error {
	if !q.counted.IsZero() && time.Since(q.counted) < max(age, countShare*q.took) {
		return nil
	}
	begin := time.Now()
	stored, err := q.meter.Usage(ctx, q.dir)
	if err != nil {
		return err
	}
	q.stored, q.counted, q.took = stored, time.Now(), time.Since(begin)
	return nil
}

// end gives back what was reserved for an upload, of which so much is in the folder now.
func (q *quota) end(reserved, stored storage.Usage) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reserved = q.reserved.Sub(reserved)
	q.stored = q.stored.Add(stored)
}

// A limited store stores no more than its quota allows.
type limited struct {
	storage.Store
	user  string
	quota *quota
	limit storage.Usage
}

// left is what the user's interrupted uploads have left, apart from that of an ID.
func (l limited) left(id string) storage.Usage {
	return l.quota.meter.Left(storage.File{Owner: l.user, ID: id})
}

func (l limited) Create(ctx context.Context, f storage.File) (storage.Partial, error) {
	if f.Check { // it takes nothing
		return l.Store.Create(ctx, f)
	}
	folders := storage.Ancestors(f.Name)
	need := storage.Usage{Bytes: max(0, f.Size), Files: 1 + l.quota.unknown(folders)} // of a stream, what has come
	if err := l.quota.reserve(ctx, need, l.left(f.ID), l.limit); err != nil {
		return l.createUnchanged(ctx, f, err)
	}
	p, err := l.Store.Create(ctx, f)
	if err != nil {
		l.quota.end(need, storage.Usage{})
		return nil, err
	}
	return &limitedPartial{Partial: p, in: l, file: f, folders: folders, reserved: need}, nil
}

// createUnchanged accepts a file for which the quota has no space, if it may be there
// already. Otherwise it fails with err, which says that.
func (l limited) createUnchanged(ctx context.Context, f storage.File, err error) (storage.Partial, error) {
	refused, isRefusal := errors.AsType[*wire.Error](err)
	if !isRefusal || refused.Code != wire.CodeQuota || f.Size < 0 {
		return nil, err
	}
	f.Existing, f.ID = true, "" // what is left of an upload stays
	p, cerr := l.Store.Create(ctx, f)
	if cerr != nil {
		return nil, err
	}
	if !p.Offer().Stored {
		p.Abort()
		return nil, err
	}
	return existingPartial{p, err}, nil
}

// An existingPartial is a file that the quota has no space for unless it is unchanged.
type existingPartial struct {
	storage.Partial
	err error // otherwise
}

func (p existingPartial) ReadFrom(io.Reader) (int64, error) { return 0, p.err }
func (p existingPartial) Restart() error                    { return p.err }

// CheckFolder implements [storage.FolderChecker].
func (l limited) CheckFolder(ctx context.Context, name string) error {
	store, can := l.Store.(storage.FolderChecker)
	if !can {
		return errors.ErrUnsupported
	}
	return store.CheckFolder(ctx, name)
}

func (l limited) MakeFolder(ctx context.Context, name string, modes []fs.FileMode) error {
	folders := append(storage.Ancestors(name), name)
	need := storage.Usage{Files: l.quota.unknown(folders)}
	if err := l.quota.reserve(ctx, need, l.left(""), l.limit); err != nil {
		return err
	}
	err := l.Store.MakeFolder(ctx, name, modes)
	var stored storage.Usage
	if err == nil {
		stored.Files = l.quota.made(folders)
	}
	l.quota.end(need, stored)
	return err
}

// A limitedPartial holds a part of a quota until it ends.
type limitedPartial struct {
	storage.Partial
	in       limited
	file     storage.File
	folders  []string // that lead to it
	reserved storage.Usage
	ended    bool
}

func (p *limitedPartial) ReadFrom(r io.Reader) (int64, error) {
	if p.file.Size < 0 {
		r = reserving{r, p}
	}
	return p.Partial.ReadFrom(r)
}

// A reserving reader reads a stream for as long as there is room for it.
type reserving struct {
	io.Reader
	p *limitedPartial
}

func (r reserving) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if n > 0 {
		if err := r.p.in.quota.reserve(context.Background(), storage.Usage{Bytes: int64(n)}, r.p.in.left(r.p.file.ID), r.p.in.limit); err != nil {
			return 0, err
		}
		r.p.reserved.Bytes += int64(n)
	}
	return n, err
}

func (p *limitedPartial) Commit(ctx context.Context, want storage.Sum) (storage.Receipt, error) {
	receipt, err := p.Partial.Commit(ctx, want)
	var stored storage.Usage
	if err == nil && !receipt.Unchanged {
		stored = storage.Usage{Bytes: receipt.Size, Files: 1 + p.in.quota.made(p.folders)}
	}
	p.end(stored)
	return receipt, err
}

func (p *limitedPartial) Suspend() error {
	defer p.end(storage.Usage{})
	return p.Partial.Suspend()
}

func (p *limitedPartial) Abort() error {
	defer p.end(storage.Usage{})
	return p.Partial.Abort()
}

func (p *limitedPartial) end(stored storage.Usage) {
	if !p.ended {
		p.ended = true
		p.in.quota.end(p.reserved, stored)
	}
}
