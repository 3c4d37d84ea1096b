package status

import (
	"cmp"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/labnet/labnet/wire"
)

// ContentType is that of what WriteMetrics writes.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// WriteMetrics writes all that is counted in the text format of Prometheus.
func (b *Board) WriteMetrics(w io.Writer) error {
	s := b.Snapshot()
	var e exposition
	e.gauge("labnet_build_info", "The version of labnet that runs.", 1, "version", s.Version)
	e.gauge("process_start_time_seconds", "When the server was started, in seconds since 1970.", unix(s.Started))

	tallies := slices.SortedFunc(maps.Keys(s.tallies), func(a, b what) int {
		return cmp.Or(strings.Compare(a.op, b.op), strings.Compare(a.user, b.user))
	})
	e.family("labnet_received_total", "counter", "Things that were received, by kind and user.")
	for _, w := range tallies {
		e.sample("", float64(s.tallies[w].things), "kind", w.op, "user", w.user)
	}
	e.family("labnet_received_bytes_total", "counter", "Bytes that were received and not there before, by kind and user.")
	for _, w := range tallies {
		e.sample("", float64(s.tallies[w].bytes), "kind", w.op, "user", w.user)
	}
	e.family("labnet_unchanged_total", "counter", "Files that were received and there already, by kind and user.")
	for _, w := range tallies {
		if w.op == "upload" || w.op == "blob" {
			e.sample("", float64(s.tallies[w].unchanged), "kind", w.op, "user", w.user)
		}
	}
	e.family("labnet_last_received_timestamp_seconds", "gauge", "When the last file of a user was safe, in seconds since 1970.")
	last := b.lastReceived()
	for _, user := range slices.Sorted(maps.Keys(last)) {
		e.sample("", unix(last[user]), "user", user)
	}

	e.gauge("labnet_uploads_in_progress", "Files and blobs that are being received or made durable.", float64(s.InProgress))
	e.gauge("labnet_connections", "Connections at the moment.", float64(s.Connections.Now))
	e.gauge("labnet_connections_limit", "How many connections there can be.", float64(s.Connections.Max))
	e.family("labnet_connections_ended_total", "counter", "Connections that have ended, by what was spoken.")
	for _, kind := range wire.Dialects() {
		e.sample("", float64(s.Connections.Ended[kind]), "kind", string(kind))
	}
	e.family("labnet_refusals_total", "counter", "What was refused, by the code that the client was told.")
	for _, code := range slices.Sorted(maps.Keys(s.Refusals)) {
		e.sample("", float64(s.Refusals[code]), "code", code)
	}

	e.gauge("labnet_store_up", "Whether the store can store anything.", truth(s.Store.OK))
	e.gauge("labnet_store_failed", "Whether the store refuses everything until the server is started again.", truth(s.Store.Failed))
	if !s.Store.Measured.IsZero() {
		e.gauge("labnet_partials", "Interrupted uploads that can be resumed.", float64(s.Store.Partials.Now))
		e.gauge("labnet_partial_bytes", "Bytes of interrupted uploads.", float64(s.Store.PartialB.Now))
	}
	if r := s.Store.Room; r != nil {
		e.gauge("labnet_store_free_bytes", "Bytes that are free on the store's disk.", float64(r.FreeBytes))
		e.gauge("labnet_store_kept_free_bytes", "Bytes that the store leaves free there.", float64(r.KeptBytes))
		if r.AllBytes > 0 {
			e.gauge("labnet_store_size_bytes", "Bytes that the store's disk has.", float64(r.AllBytes))
		}
		if r.AllFiles > 0 {
			e.gauge("labnet_store_free_inodes", "Files and folders that can still be made on the store's disk.", float64(r.FreeFiles))
			e.gauge("labnet_store_inodes", "Files and folders that the store's disk can have.", float64(r.AllFiles))
		}
	}
	b.syncs.write(&e, "labnet_sync_seconds", "How long it took to make something durable: an fsync or syncfs, or a request to an object store.")

	quota := func(name, help string, of func(UserState) (int64, bool)) {
		e.family(name, "gauge", help)
		for _, u := range s.Users {
			if n, known := of(u); known {
				e.sample("", float64(n), "user", u.Name)
			}
		}
	}
	quota("labnet_quota_bytes", "How many bytes a user may have.", func(u UserState) (int64, bool) {
		return get(u.Bytes).Max, u.Bytes != nil
	})
	quota("labnet_quota_used_bytes", "How many of them the user has.", func(u UserState) (int64, bool) {
		return get(u.Bytes).Now, u.Bytes != nil
	})
	if r := s.Exec; r != nil {
		e.family("labnet_exec_runs_total", "counter", "Commands of --exec, by what became of them.")
		e.sample("", float64(r.Done), "result", "done")
		e.sample("", float64(r.Failed), "result", "failed")
		e.sample("", float64(r.Dropped), "result", "dropped")
		e.gauge("labnet_exec_waiting", "Receipts that wait for their command.", float64(r.Waiting))
	}
	_, err := w.Write(e.text)
	return err
}

func get(s *Share) Share {
	if s == nil {
		return Share{}
	}
	return *s
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }

// An exposition is text in the format of Prometheus. The libraries for it cost each start
// of labnet, also those of clients, whose 'say' takes 4.3 ms: VictoriaMetrics/metrics 0.4 ms,
// since it looks at runtime/metrics and /proc as soon as it is imported, and client_golang
// 1.4 ms, a quarter of it in protobuf (v1.45 and v1.25, the least of 200 runs in turn).
type exposition struct {
	text []byte
	name string // of the family
}

func (e *exposition) family(name, kind, help string) {
	e.name = name
	e.text = append(e.text, "# HELP "+name+" "+help+"\n# TYPE "+name+" "+kind+"\n"...)
}

func (e *exposition) gauge(name, help string, value float64, labels ...string) {
	e.family(name, "gauge", help)
	e.sample("", value, labels...)
}

var escapeLabel = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// sample adds a value of the family, whose labels and their values alternate.
func (e *exposition) sample(suffix string, value float64, labels ...string) {
	e.text = append(e.text, e.name+suffix...)
	for i := 0; i < len(labels); i += 2 {
		e.text = append(e.text, "{,"[min(i, 1)])
		e.text = append(e.text, labels[i]+`="`+escapeLabel.Replace(labels[i+1])+`"`...)
	}
	if len(labels) > 0 {
		e.text = append(e.text, '}')
	}
	e.text = append(e.text, ' ')
	e.text = strconv.AppendFloat(e.text, value, 'g', -1, 64)
	e.text = append(e.text, '\n')
}

// buckets are the upper bounds of a histogram, in seconds.
var buckets = [...]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

// A histogram counts times. It is safe for concurrent use.
type histogram struct {
	mu     sync.Mutex
	counts [len(buckets) + 1]int64
	sum    float64
}

func (h *histogram) add(seconds float64) {
	i, _ := slices.BinarySearch(buckets[:], seconds)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts[i]++
	h.sum += seconds
}

func (h *histogram) write(e *exposition, name, help string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.family(name, "histogram", help)
	var sum int64
	for i, bound := range buckets {
		sum += h.counts[i]
		e.sample("_bucket", float64(sum), "le", strconv.FormatFloat(bound, 'g', -1, 64))
	}
	sum += h.counts[len(buckets)]
	e.sample("_bucket", float64(sum), "le", "+Inf")
	e.sample("_sum", h.sum)
	e.sample("_count", float64(sum))
}
