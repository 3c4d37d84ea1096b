package commands

import (
	"bytes"
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/wire"
)

// slowStore is one whose files take a time to arrive.
type slowStore struct {
	wire.Store
	wire.Upload
	takes   time.Duration
	resumed int64
}

func (s slowStore) Create(context.Context, wire.Announcement) (wire.Upload, error) { return s, nil }
func (s slowStore) Resumed() wire.Sum                                              { return wire.Sum{Size: s.resumed} }
func (s slowStore) ReadFrom(io.Reader) (int64, error)                              { time.Sleep(s.takes); return 0, nil }

// TestLongUploadsAreLogged: the log tells of those that take long, once, and
// of no others.
func TestLongUploadsAreLogged(t *testing.T) {
	tests := []struct {
		size, resumed int64
		takes         time.Duration
		want          string
	}{
		{minLong, 0, longUpload - 1, ""},
		{minLong, 0, time.Hour, `{"level":"info","name":"f","size":1048576,"message":"upload under way"}` + "\n"},
		{minLong, 5, time.Hour, `{"level":"info","name":"f","size":1048576,"resumed_at":5,"message":"upload under way"}` + "\n"},
		{-1, 0, time.Hour, `{"level":"info","name":"f","message":"upload under way"}` + "\n"},
	}
	for _, test := range tests {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			s := watchedStore{slowStore{takes: test.takes, resumed: test.resumed}, zerolog.New(&log)}
			u, err := s.Create(t.Context(), wire.Announcement{Name: "f", Size: test.size})
			if err != nil {
				t.Fatal(err)
			}
			// Others may be sent before it: only what has begun is under way.
			time.Sleep(time.Hour)
			synctest.Wait()
			if log.Len() > 0 {
				t.Errorf("logged before the first byte: %s", &log)
			}
			u.ReadFrom(nil)
			time.Sleep(time.Hour)
			synctest.Wait()
			if got := log.String(); got != test.want {
				t.Errorf("%+v: logged %q, want %q", test, got, test.want)
			}
		})
	}
}
