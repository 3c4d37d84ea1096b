package access

import (
	"context"
	"io"
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

// A quota keeps count of the bytes in a folder, of those that are on their way
// there, and of those that interrupted uploads have left, as far as it knows: what
// they left before the server was started is not counted.
type quota struct {
	meter      storage.Meter
	dir        string
	partialTTL time.Duration

	mu       sync.Mutex
	stored   int64 // when they were counted, and since
	counted  time.Time
	took     time.Duration
	reserved int64           // for uploads in progress
	left     map[string]left // by ID
}

type left struct {
	size  int64
	since time.Time
}

// reserve takes room for n more bytes, if no more than limit are there then. It is
// for the upload of an ID, which may have left some already.
func (q *quota) reserve(ctx context.Context, n int64, id string, limit int64) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	err := q.count(ctx, recountTime)
	if err == nil && n > q.room(id, limit) {
		err = q.count(ctx, refusalTime)
	}
	if err != nil {
		return err
	}
	if room := q.room(id, limit); n > room {
		return &wire.Error{Code: wire.CodeQuota, Text: "no space left for this user: " +
			size.Shortage(n, humanize.IBytes(uint64(max(0, room)))+" of "+humanize.IBytes(uint64(limit)))}
	}
	q.reserved += n
	return nil
}

// resume notes that what an upload has left is part of what is reserved for it now.
func (q *quota) resume(id string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.left, id)
}

// room is how many bytes are free, with what the upload of an ID has left.
func (q *quota) room(id string, limit int64) int64 {
	room := limit - q.stored - q.reserved
	for other, l := range q.left {
		if time.Since(l.since) > q.partialTTL {
			delete(q.left, other)
		} else if other != id {
			room -= l.size
		}
	}
	return room
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

// end gives back what was reserved for an upload, of which so many bytes are in the
// folder now, or were left under its ID.
func (q *quota) end(reserved, stored int64, id string, size int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.reserved -= reserved
	q.stored += stored
	if id != "" && size > 0 {
		if q.left == nil {
			q.left = map[string]left{}
		}
		q.left[id] = left{size, time.Now()}
	}
}

// A limited store takes no more bytes than its quota allows.
type limited struct {
	storage.Store
	quota *quota
	limit int64
}

func (l limited) Create(ctx context.Context, f storage.File) (storage.Partial, error) {
	size := max(0, f.Size) // of a stream, what has come
	if err := l.quota.reserve(ctx, size, f.ID, l.limit); err != nil {
		return nil, err
	}
	p, err := l.Store.Create(ctx, f)
	if err != nil {
		l.quota.end(size, 0, "", 0)
		return nil, err
	}
	l.quota.resume(f.ID)
	return &limitedPartial{Partial: p, in: l, file: f, reserved: size, got: p.Offer().Size}, nil
}

// A limitedPartial holds room in a quota until it ends.
type limitedPartial struct {
	storage.Partial
	in       limited
	file     storage.File
	reserved int64
	got      int64
	ended    bool
}

func (p *limitedPartial) ReadFrom(r io.Reader) (int64, error) {
	if p.file.Size < 0 {
		r = reserving{r, p}
	}
	n, err := p.Partial.ReadFrom(r)
	p.got += n
	return n, err
}

// A reserving reader reads a stream for as long as there is room for it.
type reserving struct {
	io.Reader
	p *limitedPartial
}

func (r reserving) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if n > 0 {
		if err := r.p.in.quota.reserve(context.Background(), int64(n), "", r.p.in.limit); err != nil {
			return 0, err
		}
		r.p.reserved += int64(n)
	}
	return n, err
}

func (p *limitedPartial) Restart() error {
	p.got = 0
	return p.Partial.Restart()
}

func (p *limitedPartial) Commit(ctx context.Context, want storage.Sum) (storage.Receipt, error) {
	receipt, err := p.Partial.Commit(ctx, want)
	stored := receipt.Size
	if err != nil || receipt.Unchanged {
		stored = 0
	}
	p.end(stored, 0)
	return receipt, err
}

func (p *limitedPartial) Suspend() error {
	err := p.Partial.Suspend()
	kept := p.got
	if err != nil || p.file.Size < 0 {
		kept = 0
	}
	p.end(0, kept)
	return err
}

func (p *limitedPartial) Abort() error {
	err := p.Partial.Abort()
	p.end(0, 0)
	return err
}

func (p *limitedPartial) end(stored, kept int64) {
	if !p.ended {
		p.ended = true
		p.in.quota.end(p.reserved, stored, p.file.ID, kept)
	}
}
