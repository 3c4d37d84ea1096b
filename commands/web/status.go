package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labnet/labnet/commands/status"
	"github.com/labnet/labnet/wire"
)

const (
	// maxWatchers is how many can watch the status at the same time.
	maxWatchers = 32
	// watchInterval is how often they are told what has changed.
	watchInterval = time.Second
	// watchRight is what a token must allow.
	watchRight = "status"
)

// watchers counts who watches.
type watchers struct{ n atomic.Int32 }

func (w *watchers) enter() bool {
	if w.n.Add(1) > maxWatchers {
		w.leave()
		return false
	}
	return true
}

func (w *watchers) leave() { w.n.Add(-1) }

// isStatus reports whether a path is about what the server does.
func isStatus(path string) bool {
	return path == "/metrics" || path == "/status" || strings.HasPrefix(path, "/status/") || path == "/status.json"
}

// status tells what the server does.
func (f *Front) status(x *exchange) {
	if err := f.mayWatch(x); err != nil {
		x.refuse(err)
		return
	}
	switch x.r.URL.Path {
	case "/metrics":
		x.Header().Set("Content-Type", status.ContentType)
		f.Status.WriteMetrics(x)
	case "/status":
		if strings.Contains(x.r.Header.Get("Accept"), "application/json") {
			x.snapshot(f.Status)
			return
		}
		x.Header().Set("Content-Type", "text/html; charset=utf-8")
		x.Header().Set("Content-Security-Policy", status.Policy())
		x.Write(f.Status.Page())
	case "/status.json":
		x.snapshot(f.Status)
	case "/status/events":
		f.statusEvents(x)
	default:
		x.problem(http.StatusNotFound, "not-found", "there is /status, /status.json and /metrics", "")
	}
}

func (x *exchange) snapshot(b *status.Board) {
	x.Header().Set("Content-Type", "application/json")
	json.NewEncoder(x).Encode(b.Snapshot())
}

// mayWatch returns why the client may not see what the server does, or nil. Without
// tokens that is for this machine alone, and not for pages of other sites: these cannot
// read the answer, but keep others from watching.
func (f *Front) mayWatch(x *exchange) error {
	site, mode := x.r.Header.Get("Sec-Fetch-Site"), x.r.Header.Get("Sec-Fetch-Mode")
	switch foreign := site == "cross-site" || site == "same-site"; {
	case foreign && (mode != "navigate" || x.r.URL.Path != "/status"):
		return &wire.Error{Code: wire.CodeForbidden, Text: "a page of another site must not look here"}
	case !f.AnyName && !f.StatusForAll && !x.h.IsLocal():
		return &wire.Error{Code: wire.CodeForbidden, Text: "without tokens, only clients on the server's machine may see what it does"}
	}
	return x.h.Permit(watchRight)
}

// statusEvents tells what the page shows, now and whenever that has changed, until the
// client goes, the server stops or the token is revoked. One who reads slowly misses
// some, and nobody waits.
func (f *Front) statusEvents(x *exchange) {
	if x.r.Method != http.MethodGet {
		x.notAllowed("GET")
		return
	}
	if !f.watchers.enter() {
		x.refuse(&wire.Error{Code: wire.CodeTooMany, Text: fmt.Sprintf("%d watch already", maxWatchers)})
		return
	}
	defer f.watchers.leave()
	x.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(x.ResponseWriter)
	control.SetReadDeadline(time.Time{}) // nothing more is expected of the client
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	told := ""
	for f.mayWatch(x) == nil {
		if now := string(f.Status.Tables()); now != told {
			told = now
			fmt.Fprintf(x, "data: %s\n\n", told)
		}
		if control.Flush() != nil || x.h.SetIdle(true) {
			return
		}
		select {
		case <-tick.C:
		case <-x.r.Context().Done():
			return
		}
		x.h.SetIdle(false)
	}
}
