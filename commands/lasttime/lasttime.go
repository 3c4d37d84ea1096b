// Package lasttime keeps in a file when users last did something, across restarts of a
// server.
package lasttime

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"time"

	"github.com/rs/zerolog"
)

// Interval is how often it is written down.
const Interval = 5 * time.Second

// Read returns the times that Keep has written, by user.
func Read(file string) (map[string]time.Time, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var times map[string]time.Time
	if err == nil {
		err = json.Unmarshal(text, &times)
	}
	return times, err
}

// Keep writes down in a file what current returns, every few seconds and once ctx ends,
// which it waits for, if that has changed. It is no record to rely on: after a crash or a
// failure the last seconds are missing.
func Keep(ctx context.Context, file string, current func() map[string]time.Time, log zerolog.Logger) {
	var written map[string]time.Time
	write := func() {
		now := current()
		if maps.EqualFunc(now, written, time.Time.Equal) {
			return
		}
		if err := replace(file, now); err != nil {
			log.Debug().Err(err).Str("file", file).Msg("cannot write down the last times of users")
			return
		}
		written = now
	}
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			write()
		case <-ctx.Done():
			write()
			return
		}
	}
}

func replace(file string, times map[string]time.Time) error {
	text, err := json.Marshal(times)
	if err == nil {
		err = os.WriteFile(file+".new", append(text, '\n'), 0o600)
	}
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	return err
}
