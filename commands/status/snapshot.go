package status

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/wire"
)

// snapshotAge is how long a Snapshot serves all who ask.
const snapshotAge = 900 * time.Millisecond

// A Snapshot is what a server does at a moment, and has done since it was started.
type Snapshot struct {
	Time        time.Time        `json:"time"`
	Started     time.Time        `json:"started"`
	Version     string           `json:"version"`
	Store       StoreState       `json:"store"`
	Connections Connections      `json:"connections"`
	Receiving   []Receiving      `json:"receiving"`     // no more than 100
	InProgress  int              `json:"in_progress"`   // how many there are
	Received    []Received       `json:"last_received"` // the last first
	Users       []UserState      `json:"users"`         // by name
	Refusals    map[string]int64 `json:"refusals"`      // by code
	Refused     []Refused        `json:"last_refused"`  // the last first
	Exec        *Runs            `json:"exec,omitempty"`
	Attention   []string         `json:"attention"` // what somebody should look at
	tallies     map[what]tally
}

// A StoreState is how a store is.
type StoreState struct {
	OK     bool   `json:"ok"`
	Failed bool   `json:"failed,omitempty"` // until the server is started again
	Error  string `json:"error,omitempty"`
	// What follows is of Measured, and missing before the first answer of the store.
	Measured time.Time `json:"measured,omitzero"`
	Room     *Room     `json:"room,omitempty"`
	Partials Share     `json:"partials"`
	PartialB Share     `json:"partial_bytes"`
}

// A Room is what is free on the store's disk.
type Room struct {
	FreeBytes int64 `json:"free_bytes"`
	AllBytes  int64 `json:"all_bytes,omitempty"`
	KeptBytes int64 `json:"kept_bytes"`
	FreeFiles int64 `json:"free_files,omitempty"`
	AllFiles  int64 `json:"all_files,omitempty"`
}

// A Share is how much there is of something that has a limit.
type Share struct {
	Now int64 `json:"now"`
	Max int64 `json:"max,omitempty"` // 0 without one
}

// near reports whether most of it is used up.
func (s Share) near() bool { return s.Max > 0 && float64(s.Now) >= nearly*float64(s.Max) }

// nearly is which share of a limit is worth a look.
const nearly = 0.85

// Connections are those of a server.
type Connections struct {
	Share
	Ended map[wire.Spoken]int64 `json:"ended"` // by what was spoken
}

// A Receiving is a file that is being received or made durable.
type Receiving struct {
	Name     string    `json:"name,omitempty"`
	User     string    `json:"user,omitempty"`
	Remote   string    `json:"remote"`
	Size     *int64    `json:"size,omitempty"`
	Received int64     `json:"received"`
	Resumed  int64     `json:"resumed,omitempty"`
	Started  time.Time `json:"started"`
	Rate     float64   `json:"bytes_per_second"`
}

// A Received is something that was received.
type Received struct {
	Time      time.Time `json:"time"`
	Op        string    `json:"op"`
	Name      string    `json:"name,omitempty"`
	Bytes     int64     `json:"bytes"`
	User      string    `json:"user,omitempty"`
	Remote    string    `json:"remote"`
	Unchanged bool      `json:"unchanged,omitempty"`
	Seconds   float64   `json:"seconds"`
}

// A Refused is something that was refused.
type Refused struct {
	Time   time.Time `json:"time"`
	Code   string    `json:"code"`
	Name   string    `json:"name,omitempty"`
	User   string    `json:"user,omitempty"`
	Remote string    `json:"remote"`
	Why    string    `json:"why"`
}

// A UserState is how it is with a user.
type UserState struct {
	Name         string    `json:"name"`                   // "" stands for all without tokens
	LastReceived time.Time `json:"last_received,omitzero"` // a file
	Seen         time.Time `json:"seen,omitzero"`
	Bytes        *Share    `json:"bytes,omitempty"` // of its quota
	Files        *Share    `json:"files,omitempty"`
}

// transfer tells one Receiving from others, and point where it was.
type (
	transfer struct {
		remote, name string
		started      time.Time
	}
	point struct {
		at       time.Time
		received int64
	}
)

// Snapshot returns what there is to know. It takes a second and a half at most.
func (b *Board) Snapshot() Snapshot {
	b.taking.Lock()
	defer b.taking.Unlock()
	if time.Since(b.now.Time) < snapshotAge {
		return b.now
	}
	s := Snapshot{Time: time.Now(), Started: b.started, Version: b.Version}
	err := b.Store.Try()
	f := b.facts.get()
	s.Store = b.storeState(err, f)
	now, most := b.Server.Connections()
	s.Connections.Share = Share{int64(now), int64(most)}
	transfers, all := b.Server.InProgress(maxShown)
	s.InProgress = all
	if b.Runs != nil {
		runs := b.Runs()
		s.Exec = &runs
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	s.Receiving = b.receiving(transfers, s.Time)
	s.Received, s.Refused = b.received.newest(), b.refused.newest()
	s.Connections.Ended = map[wire.Spoken]int64{}
	for _, kind := range wire.Dialects() {
		s.Connections.Ended[kind] = b.ended[kind]
	}
	s.Refusals = map[string]int64{}
	for _, code := range wire.Codes() {
		s.Refusals[string(code)] = b.refusals[code]
	}
	s.tallies = map[what]tally{}
	for w, t := range b.tallies {
		s.tallies[w] = *t
	}
	s.Users = b.users(f.users)
	s.Attention = s.attention()
	b.now = s
	return s
}

func (b *Board) storeState(err error, f facts) StoreState {
	s := StoreState{OK: err == nil, Failed: errors.Is(err, storage.ErrFailed), Measured: f.at}
	if err != nil {
		s.Error = err.Error()
	}
	if r := f.room; r != nil {
		s.Room = &Room{r.Bytes, r.AllBytes, r.Kept, r.Files, r.AllFiles}
	}
	s.Partials = Share{f.partials.Files, int64(b.MaxPartials)}
	s.PartialB = Share{f.partials.Bytes, b.MaxPartialBytes}
	return s
}

// receiving adds to what is being received how fast it comes. It needs taking.
func (b *Board) receiving(list []wire.InProgress, now time.Time) []Receiving {
	rates := map[transfer]point{}
	all := make([]Receiving, 0, len(list))
	for _, t := range list {
		r := Receiving{Name: t.Name, User: t.User, Remote: t.Remote, Received: t.Received, Resumed: t.Resumed, Started: t.Started}
		if t.Size >= 0 {
			r.Size = &t.Size
		}
		key := transfer{t.Remote, t.Name, t.Started}
		before, known := b.rates[key]
		if !known {
			before = point{t.Started, t.Resumed}
		}
		if span := now.Sub(before.at).Seconds(); span > 0 {
			r.Rate = max(0, float64(t.Received-before.received)/span)
		}
		rates[key] = point{now, t.Received}
		all = append(all, r)
	}
	b.rates = rates
	slices.SortFunc(all, func(a, b Receiving) int {
		if c := a.Started.Compare(b.Started); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
}

// users joins who may send with who has sent. It needs mu.
func (b *Board) users(list []User) []UserState {
	states := make([]UserState, 0, len(list))
	for _, u := range list {
		s := UserState{Name: u.Name, Seen: u.Seen, LastReceived: b.last[u.Name]}
		if u.Counted && u.MaxBytes > 0 {
			s.Bytes = &Share{u.Used.Bytes, u.MaxBytes}
		}
		if u.Counted && u.MaxFiles > 0 {
			s.Files = &Share{u.Used.Files, u.MaxFiles}
		}
		states = append(states, s)
	}
	if at := b.last[""]; !at.IsZero() {
		states = append(states, UserState{LastReceived: at})
	}
	slices.SortFunc(states, func(a, b UserState) int { return strings.Compare(a.Name, b.Name) })
	return states
}

// attention lists limits that are near, and what does not work.
func (s *Snapshot) attention() []string {
	list := []string{}
	add := func(bad bool, format string, args ...any) {
		if bad {
			list = append(list, fmt.Sprintf(format, args...))
		}
	}
	add(!s.Store.OK, "The store cannot store anything: %s.", s.Store.Error)
	if r := s.Store.Room; r != nil {
		add(r.FreeBytes < 2*r.KeptBytes || r.AllBytes > 0 && float64(r.FreeBytes) < (1-nearly)/2*float64(r.AllBytes),
			"The disk is nearly full: %s are free, and %s are kept free.", bytesOf(r.FreeBytes), bytesOf(r.KeptBytes))
		add(r.AllFiles > 0 && float64(r.FreeFiles) < (1-nearly)/2*float64(r.AllFiles),
			"The disk has room for hardly any more files: %d.", r.FreeFiles)
	}
	c := s.Connections.Share
	add(c.near(), "There are %d of %d connections.", c.Now, c.Max)
	p := s.Store.Partials
	add(p.near(), "There are %d of %d interrupted uploads; the oldest are forgotten.", p.Now, p.Max)
	add(s.Store.PartialB.near(), "Interrupted uploads have %s of %s; the oldest are forgotten.", bytesOf(s.Store.PartialB.Now), bytesOf(s.Store.PartialB.Max))
	for _, u := range s.Users {
		add(u.Bytes != nil && u.Bytes.near(), "The quota of %s is nearly used up: %s.", u.Name, bytesShare(u.Bytes))
		add(u.Files != nil && u.Files.near(), "The quota of %s is nearly used up: %s files and folders.", u.Name, filesShare(u.Files))
	}
	if e := s.Exec; e != nil {
		add(e.Failed+e.Dropped > 0, "Commands of --exec: %d have failed, and %d were not run.", e.Failed, e.Dropped)
	}
	return list
}

func bytesOf(n int64) string { return humanize.IBytes(uint64(max(0, n))) }

func bytesShare(s *Share) string {
	if s == nil {
		return ""
	}
	return bytesOf(s.Now) + " of " + bytesOf(s.Max)
}

func filesShare(s *Share) string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf("%d of %d", s.Now, s.Max)
}
