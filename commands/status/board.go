// Package status tells what a server does: a page for people, and metrics for Prometheus.
package status

import (
	"context"
	"maps"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/commands/lasttime"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/wire"
)

const (
	// maxUsers bounds the users that are told apart; all others together are otherUsers,
	// which is no name that a user can have.
	maxUsers   = 1000
	otherUsers = "_other"
	// maxLast is how many of the last things and refusals are remembered.
	maxLast = 20
	// maxShown is how many of the things that are being received are listed.
	maxShown = 100
)

// Sources are what a Board asks. Server and Store must be set.
type Sources struct {
	Version string
	Server  *wire.Server
	Store   interface {
		Try() error
		Leftovers() []storage.Leftover
	}
	// Room tells what is free on the store's disk; nil if it is on none.
	Room func() (storage.Room, error)
	// Users lists who may send; nil without tokens.
	Users func(context.Context) []User
	// Runs tells of the commands that receipts are passed to; nil without one.
	Runs func() Runs
	// MaxPartials and MaxPartialBytes are those of the store.
	MaxPartials     int
	MaxPartialBytes int64
}

// A User is one of those who may send.
type User struct {
	Name               string
	Seen               time.Time // zero if never
	Used               storage.Usage
	Counted            bool  // whether Used is known
	MaxBytes, MaxFiles int64 // 0 without a limit
}

// Runs are how many commands have been run.
type Runs struct {
	Done, Failed int64
	Dropped      int64 // that were not run
	Waiting      int64
}

// A Board remembers what a server has done, and finds out what it does. Its methods are
// safe for concurrent use.
type Board struct {
	Sources
	started time.Time
	syncs   histogram
	facts   collector

	mu sync.Mutex
	// Guarded by mu.
	tallies  map[what]*tally
	last     map[string]time.Time // when the last file of a user came
	ended    map[wire.Spoken]int64
	refusals map[wire.Code]int64
	received ring[Received]
	refused  ring[Refused]

	taking sync.Mutex // before mu
	// Guarded by taking.
	now      Snapshot // for a moment
	rates    map[transfer]point
	tables   []byte // of the Snapshot of tablesAt
	tablesAt time.Time
}

// what is counted together.
type what struct{ op, user string }

type tally struct {
	things, unchanged int64
	bytes             int64 // that were not there before
}

// New returns a Board, which the caller must Close. A server reports to it by its
// methods.
func New() *Board {
	b := &Board{
		started: time.Now(),
		tallies: map[what]*tally{}, last: map[string]time.Time{}, ended: map[wire.Spoken]int64{}, refusals: map[wire.Code]int64{},
	}
	b.facts.collect = b.collect
	return b
}

// Close ends what finds things out.
func (b *Board) Close() { b.facts.close() }

// LastName is the file in the hidden folder of a store that says when the last file of
// each user came.
const LastName = "received.json"

// LastIn returns that file.
func LastIn(hidden string) string { return filepath.Join(hidden, LastName) }

// Resume continues what is in a file of when the last file of each user came, as far as
// users are known.
func (b *Board) Resume(file string, known func(user string) bool) error {
	times, err := lasttime.Read(file)
	b.mu.Lock()
	defer b.mu.Unlock()
	for user, at := range times {
		if known(user) || user == otherUsers {
			b.last[b.known(user)] = at
		}
	}
	return err
}

// RecordLast keeps that file up until ctx ends: see [lasttime.Keep].
func (b *Board) RecordLast(ctx context.Context, file string, log zerolog.Logger) {
	lasttime.Keep(ctx, file, b.lastReceived, log)
}

// lastReceived returns when the last file of each user came.
func (b *Board) lastReceived() map[string]time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	times := maps.Clone(b.last)
	maps.DeleteFunc(times, func(_ string, at time.Time) bool { return at.IsZero() })
	return times
}

// Received notes something that was received: see wire.Server.
func (b *Board) Received(e wire.Event) {
	r := Received{Time: time.Now(), Op: e.Op, Name: e.Name, User: e.User, Remote: e.Remote, Unchanged: e.Unchanged, Seconds: e.Took.Seconds()}
	r.Bytes = int64(len(e.Text))
	if e.Size != nil {
		r.Bytes = *e.Size
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	user := b.known(e.User)
	t := b.tallies[what{e.Op, user}]
	if t == nil {
		t = &tally{}
		b.tallies[what{e.Op, user}] = t
	}
	t.things++
	if e.Unchanged {
		t.unchanged++
	} else {
		t.bytes += r.Bytes
	}
	if e.Op == "upload" || e.Op == "blob" {
		b.last[user] = r.Time
	}
	if e.Op != "ping" {
		b.received.add(r)
	}
}

// known returns the name by which a user is counted.
func (b *Board) known(user string) string {
	if _, known := b.last[user]; known {
		return user
	}
	if len(b.last) >= maxUsers {
		return otherUsers
	}
	b.last[user] = time.Time{}
	return user
}

// Refused notes a refusal: see wire.Server.
func (b *Board) Refused(r wire.Refusal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refusals[r.Code]++
	if r.Code != wire.CodeTimeout && r.Code != wire.CodeShutdown { // most of these are of idle connections
		b.refused.add(Refused{Time: time.Now(), Code: string(r.Code), Name: r.Name, User: r.User, Remote: r.Remote, Why: r.Err.Error()})
	}
}

// Ended notes the end of a connection: see wire.Server.
func (b *Board) Ended(s wire.Spoken) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended[s]++
}

// Synced notes how long the store has waited for its disk.
func (b *Board) Synced(took time.Duration) { b.syncs.add(took.Seconds()) }

// A ring remembers the last of something.
type ring[T any] struct {
	list [maxLast]T
	next int
	n    int
}

func (r *ring[T]) add(v T) {
	r.list[r.next] = v
	r.next = (r.next + 1) % maxLast
	r.n = min(r.n+1, maxLast)
}

// newest returns them, the last first.
func (r *ring[T]) newest() []T {
	list := make([]T, 0, r.n)
	for i := range r.n {
		list = append(list, r.list[(r.next-1-i+maxLast)%maxLast])
	}
	return list
}
