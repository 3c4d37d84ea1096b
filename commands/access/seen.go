package access

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// seenInterval is how often it is written down when users were last seen.
const seenInterval = 5 * time.Second

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

// RecordSeen writes down in a file when users were last seen, every few seconds and
// once ctx ends, which it waits for. It continues what is in the file. It is no
// record to rely on: after a crash or a failure the last seconds are missing.
func (d *Doorkeeper) RecordSeen(ctx context.Context, file string, log zerolog.Logger) {
	written, err := Seen(file)
	if err != nil {
		log.Warn().Err(err).Str("file", file).Msg("cannot read when users were last seen; it begins again")
	}
	tick := time.NewTicker(seenInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			d.writeSeen(file, written, log)
			return
		}
		written = d.writeSeen(file, written, log)
	}
}

// writeSeen writes down when users were last seen if that is not what was written.
func (d *Doorkeeper) writeSeen(file string, written map[string]time.Time, log zerolog.Logger) map[string]time.Time {
	now := map[string]time.Time{}
	for name := range d.users.Current().byName {
		if at := d.seenOf(name).Load(); at > 0 {
			now[name] = time.Unix(at, 0).UTC()
		} else if at, known := written[name]; known {
			now[name] = at
		}
	}
	if maps.EqualFunc(now, written, time.Time.Equal) {
		return written
	}
	text, err := json.Marshal(now)
	if err == nil {
		err = os.WriteFile(file+".new", append(text, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		log.Debug().Err(err).Msg("cannot write down when users were last seen")
		return written
	}
	return now
}

// Seen returns when users were last seen, by name, as RecordSeen has written it.
func Seen(file string) (map[string]time.Time, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var seen map[string]time.Time
	if err == nil {
		err = json.Unmarshal(text, &seen)
	}
	return seen, err
}
