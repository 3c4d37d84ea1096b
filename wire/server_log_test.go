package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/wire"
)

// lines is a log that can be read while it is written to.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// take returns the lines since the last time that have a message which ends so,
// without their level and remote.
func (l *lines) take(t testing.TB, message string) (taken []map[string]any) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err, line)
		}
		if strings.HasSuffix(fields["message"].(string), message) {
			if fields["remote"] == nil {
				t.Errorf("no remote: %s", line)
			}
			delete(fields, "remote")
			delete(fields, "level")
			taken = append(taken, fields)
		}
	}
	l.b.Reset()
	return taken
}

// want checks the lines, which fmt prints with sorted keys.
func (l *lines) want(t testing.TB, message string, want ...string) {
	t.Helper()
	var got []string
	for _, fields := range l.take(t, message) {
		got = append(got, strings.TrimPrefix(fmt.Sprint(fields), "map"))
	}
	if !slices.Equal(got, want) {
		t.Errorf("the log has\n%q, want\n%q", got, want)
	}
}

func logged(log *lines) func(*world) {
	return func(w *world) { w.server.Log = zerolog.New(log) }
}

// TestUploadsUnderWay: the log tells of each upload that takes long, again and
// again, how far it is; and of no other.
func TestUploadsUnderWay(t *testing.T) {
	var log lines
	for name, test := range map[string]struct {
		send  string // up to some of its contents
		end   string
		about string
	}{
		"a file":           {str("f|size=9|") + header(2, 9) + "123", "456789" + end("123456789"), "[message:upload under way name:f received:3 seconds:%d size:9]"},
		"a resumed file":   {str("f|proof=sha256|id=i|size=9|") + header(2, 5) + "5", "6789" + end("123456789"), "[message:upload under way name:f received:5 resumed:4 seconds:%d size:9]"},
		"a stream":         {str("f|") + data(2, "12") + data(2, "3"), data(2, "456789") + end("123456789"), "[message:upload under way name:f received:3 seconds:%d]"},
		"a blob":           {header(2, 9) + "123", "456789", "[message:blob under way received:3 seconds:%d size:9]"},
		"the lab's file":   {"\x01report" + header(3, 9) + "123", "456789", "[message:upload under way name:report received:3 seconds:%d]"},
		"what never comes": {str("f|size=9|"), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, func(w *world) {
				logged(&log)(w)
				leaves("i", "1234")(w)
			}, func(w *world) {
				p := w.dial()
				p.send(test.send)
				want := func(seconds int) (lines []string) {
					if test.about == "" {
						return nil
					}
					return []string{fmt.Sprintf(test.about, seconds)}
				}
				time.Sleep(1500 * time.Millisecond)
				log.want(t, "under way")
				time.Sleep(time.Second)
				log.want(t, "under way", want(2)...)
				log.take(t, "under way")
				p.send(test.end)
				synctest.Wait()
				log.take(t, "")
				time.Sleep(time.Hour)
				log.want(t, "under way")
				p.Close()
			})
		})
	}
}

// TestSlowCommitIsUnderWay: what has come and is not safe yet is under way, too,
// and logged every minute.
func TestSlowCommitIsUnderWay(t *testing.T) {
	var log lines
	serve(t, func(w *world) {
		logged(&log)(w)
		w.store.onCommit = func(*file) error { time.Sleep(150 * time.Second); return nil }
	}, func(w *world) {
		p := w.dial()
		p.send(str("f|size=3|"), data(2, "abc"), end("abc"))
		time.Sleep(10 * time.Minute)
		log.want(t, "under way",
			"[message:upload under way name:f received:3 seconds:2 size:3]",
			"[message:upload under way name:f received:3 seconds:62 size:3]",
			"[message:upload under way name:f received:3 seconds:122 size:3]")
		p.Close()
	})
}

// TestAuditLog: what was received, and what was refused, can be told from the log.
func TestAuditLog(t *testing.T) {
	var log lines
	serve(t, func(w *world) {
		logged(&log)(w)
		leaves("i", "1234")(w)
		w.server.MaxSize = 100
		w.store.onCommit = func(f *file) error {
			time.Sleep(1500 * time.Millisecond)
			if f.Name == "bad" {
				return errors.New("the disk is on fire")
			}
			return nil
		}
		w.store.onFolder = func(name string) error {
			if name == "no" {
				return &wire.Error{Code: wire.CodeName, Text: "not that"}
			}
			return nil
		}
	}, func(w *world) {
		p := w.dial()
		for _, step := range []struct{ send, message, want string }{
			{str("f|size=3|") + data(2, "abc") + end("abc"), "upload",
				"[crc64nvme:" + crc("abc") + " message:upload name:f path:/store/f seconds:1.5 size:3 unchanged:false]"},
			{str("g|proof=sha256|id=i|size=9|") + data(2, "56789") + end("123456789"), "upload",
				"[crc64nvme:" + crc("123456789") + " message:upload name:g path:/store/g resumed:4 seconds:1.5 size:9 unchanged:false]"},
			{str("empty|size=0|") + end(""), "upload",
				"[crc64nvme:" + crc("") + " message:upload name:empty path:/store/empty seconds:1.5 size:0 unchanged:false]"},
			{data(2, "abc"), "blob", "[crc64nvme:" + crc("abc") + " message:blob name:#1 path:/store/#1 seconds:1.5 size:3 unchanged:false]"},
			{str("big|size=101|"), "refused",
				"[code:too-large error:this server accepts at most 100 bytes (too-large) message:refused name:big size:101]"},
			{str("bad|") + data(2, "abc") + end("abc"), "refused",
				"[code:internal error:the disk is on fire message:refused name:bad]"},
			{str("no/|"), "refused", "[code:bad-name error:not that (bad-name) message:refused name:no/]"},
			{header(2, 200) + strings.Repeat("x", 200), "refused",
				"[code:too-large error:this server accepts at most 100 bytes (too-large) message:refused]"},
		} {
			p.send(step.send)
			time.Sleep(2 * time.Second)
			log.want(t, step.message, step.want)
		}
		p.Close()
	})
}

// TestReceiptsTellHowLong: so can it from the events.
func TestReceiptsTellHowLong(t *testing.T) {
	serve(t, func(w *world) {
		leaves("i", "1234")(w)
		w.store.onCommit = func(*file) error { time.Sleep(time.Second); return nil }
	}, func(w *world) {
		p := w.dial()
		p.send(str("g|proof=sha256|id=i|size=9|"), data(2, "56789"), end("123456789"))
		time.Sleep(2 * time.Second)
		p.Close()
		synctest.Wait()
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.events) != 1 {
			t.Fatal(w.events)
		}
		e := w.events[0]
		if e.Took != time.Second || e.Resumed != 4 || e.Digest.Name != "crc64nvme" || fmt.Sprintf("%x", e.Sum) != crc("123456789") {
			t.Errorf("told %+v", e)
		}
	})
}

// TestDeniedLog: who is not let in is logged as that, from where and why.
func TestDeniedLog(t *testing.T) {
	var log lines
	alice := &visitor{name: "alice"}
	for _, test := range []struct {
		name string
		do   func(p *peer)
		want string
	}{
		{"no token", func(p *peer) { p.send(str("hi")) }, "[code:denied error:it showed no token message:denied]"},
		{"a text of the lab", func(p *peer) { p.send("hello") }, "[code:denied error:it showed no token message:denied]"},
		{"a wrong token", func(p *peer) { p.send(auth("mallory")) }, "[code:denied error:its token is not one of those in use message:denied]"},
		{"revoked", func(p *peer) {
			p.send(auth("alice"), str("hi"))
			synctest.Wait()
			alice.revoked.Store(true)
			p.send(str("hi"))
		}, "[code:denied error:its token was revoked message:denied user:alice]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			alice.revoked.Store(false)
			serve(t, func(w *world) {
				knowing(alice)(w)
				logged(&log)(w)
			}, func(w *world) {
				p := w.dial()
				test.do(p)
				<-p.done
				log.want(t, "denied", test.want)
				p.Close()
			})
		})
	}
}
