package access

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/commands/lasttime"
)

// note remembers that a user is there.
func (id *identity) note() { id.seen.Store(time.Now().Unix()) }

// seenOf returns where it is remembered when a user was last seen.
func (d *Doorkeeper) seenOf(name string) *atomic.Int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.seen[name]
	if at == nil {
		at = new(atomic.Int64)
		d.seen[name] = at
	}
	return at
}

// RecordSeen continues what is in a file of when users were last seen, and keeps it up
// until ctx ends: see [lasttime.Keep].
func (d *Doorkeeper) RecordSeen(ctx context.Context, file string, log zerolog.Logger) {
	before, err := lasttime.Read(file)
	if err != nil {
		log.Warn().Err(err).Str("file", file).Msg("cannot read when users were last seen; it begins again")
	}
	for name, at := range before {
		if d.Knows(name) {
			d.seenOf(name).CompareAndSwap(0, at.Unix())
		}
	}
	lasttime.Keep(ctx, file, d.lastSeen, log)
}

// Knows reports whether the tokens file has a user of that name.
func (d *Doorkeeper) Knows(name string) bool { return d.users.Current().byName[name] != nil }

// lastSeen returns when the users were last seen.
func (d *Doorkeeper) lastSeen() map[string]time.Time {
	times := map[string]time.Time{}
	for name := range d.users.Current().byName {
		if at := d.seenOf(name).Load(); at > 0 {
			times[name] = time.Unix(at, 0).UTC()
		}
	}
	return times
}
