package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labnet/labnet/bench/delay"
	"github.com/labnet/labnet/bench/process"
	"github.com/labnet/labnet/bench/report"
	"github.com/labnet/labnet/bench/wan"
)

// A bench knows where everything is.
type bench struct {
	dir    string // below which all happens, on one filesystem
	labnet string // the program
	before string // an earlier one; empty if there is none
	lab    string // the folder of the lab's programs
	python string
	limit  time.Duration // of one run
	// congestion is how TCP reacts to what a link loses; "" is as the machine does it.
	congestion string
	ballast

	discarded int // destinations
}

func (b *bench) dest() string          { return filepath.Join(b.dir, "dest") }
func (b *bench) conf(id string) string { return filepath.Join(b.dir, "conf", id) }

const patience = 10 * time.Second // for a server to start and to end

// run does a workload once. An error is the contestant's.
func (b *bench) run(ctx context.Context, w workload, c contestant, source string) (*report.Run, error) {
	var files []string
	if source != "" {
		var err error
		if files, err = sourceFiles(source); err != nil {
			return nil, err
		}
	}
	if err := b.prepare(files); err != nil {
		return nil, err
	}
	job, err := b.begin(ctx, w, c, source)
	if err != nil {
		return nil, err
	}
	defer job.close()
	run, err := job.do(ctx, files)
	if err != nil {
		return nil, fmt.Errorf("%w%s", err, job.lastWords())
	}
	if w.files() {
		err = compare(files, b.dest())
	}
	return run, err
}

// prepare makes an empty destination, reads the source, fills the memory and lets
// the disk come to rest.
func (b *bench) prepare(files []string) error {
	if err := b.discard(); err != nil {
		return err
	}
	if err := os.Mkdir(b.dest(), 0o755); err != nil {
		return err
	}
	if err := warm(files); err != nil {
		return err
	}
	if err := b.fill(); err != nil {
		return err
	}
	return settle(b.dir)
}

// discard puts the destination aside. To remove files would be to measure that:
// for five minutes ext4 looks at every inode that was deleted before it takes
// another one, and a run would pay for the runs before it. Only the room that
// large files take is given back.
func (b *bench) discard() error {
	const large = 64 * kib
	err := filepath.WalkDir(b.dest(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Size() >= large {
			err = os.Truncate(path, 0)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	b.discarded++
	return os.Rename(b.dest(), filepath.Join(b.dir, fmt.Sprintf("discarded-%d", b.discarded)))
}

// A job is one run that is under way.
type job struct {
	bench  *bench
	work   workload
	who    contestant
	task   task
	env    map[string]string
	server *process.Line // nil without one
	log    *os.File

	listener net.Listener // of proxy
	proxy    *delay.Proxy // nil without one
	way      *wan.Way     // nil without one
}

// begin starts the server, and the proxy before it.
func (b *bench) begin(ctx context.Context, w workload, c contestant, source string) (*job, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	conf := b.conf(c.id)
	j := &job{bench: b, work: w, who: c, task: c.does[w.kind]}
	j.env = b.variables(c, port)
	j.env["SRC"], j.env["NAME"] = source, filepath.Base(source)
	j.env["COUNT"] = strconv.Itoa(w.count)
	if w.counted { // what is logged is nothing that the store writes
		j.env["LOG"] = filepath.Join("/dev/shm", "labnet-bench-log")
	}
	if j.log, err = os.Create(j.env["LOG"]); err != nil {
		return nil, err
	}
	switch {
	case w.rate > 0:
		if j.way, err = wan.Open(wan.Link{RTT: w.rtt, Rate: w.rate, Loss: loss, Congestion: b.congestion}); err != nil {
			j.close()
			return nil, err
		}
		j.env["HOST"], j.env["LABNET_INSECURE"] = wan.FarAddress, "1"
	case w.rtt > 0 || w.counted:
		if err := j.standAway(port); err != nil {
			j.close()
			return nil, err
		}
	}
	for name, text := range c.config {
		if err := os.WriteFile(filepath.Join(conf, name), []byte(j.expand(text)), 0o600); err != nil {
			j.close()
			return nil, err
		}
	}
	if line := j.task.serverOf(c); line != "" {
		if j.server, err = j.start(line, j.far()); err == nil {
			err = listening(ctx, j.server, port)
		}
		if err != nil {
			err = fmt.Errorf("%w%s", err, j.lastWords())
			j.close()
			return nil, err
		}
	}
	if first, second := w.kind.first(); second {
		if err := j.before(ctx, c.does[first].client); err != nil {
			err = fmt.Errorf("first run: %w%s", err, j.lastWords())
			j.close()
			return nil, err
		}
	}
	if proxied, ok := j.env["CLIENT_PORT"]; ok {
		j.env["PORT"] = proxied
	}
	return j, nil
}

// near and far are the namespaces of client and server, or "".
func (j *job) near() string {
	if j.way == nil {
		return ""
	}
	return j.way.Near
}

func (j *job) far() string {
	if j.way == nil {
		return ""
	}
	return j.way.Far
}

// before does the first of two runs, beside the server, where it takes the least time.
func (j *job) before(ctx context.Context, line string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, j.bench.limit, errTooSlow)
	defer cancel()
	source := j.env["SRC"]
	j.env["SRC"] = sourceBefore(source, j.work)
	defer func() { j.env["SRC"] = source }()
	idle, _ := j.server.Tree()
	client, err := j.start(line, j.far())
	if err == nil {
		err = client.Wait(ctx)
	}
	if err != nil {
		return err
	}
	j.quiet(idle)
	return settle(j.bench.dir)
}

// standAway puts a proxy before the server.
func (j *job) standAway(port int) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	j.listener = listener
	j.proxy = &delay.Proxy{RTT: j.work.rtt, Carried: new(atomic.Int64), Dial: func() (net.Conn, error) {
		return net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(port))
	}}
	go j.proxy.Serve(listener)
	j.env["CLIENT_PORT"] = strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	return nil
}

// do does the work. Only the client's line is timed, and what makes durable.
func (j *job) do(ctx context.Context, files []string) (*report.Run, error) {
	limited, cancel := context.WithTimeoutCause(ctx, j.bench.limit, errTooSlow)
	defer cancel()
	if j.task.before != "" {
		if err := j.shell(limited, j.task.before, files); err != nil {
			return nil, fmt.Errorf("before: %w", err)
		}
	}
	before := process.Others()
	var idle []int
	var warmUp time.Duration // what the server used before there was work
	var written int64
	if j.server != nil {
		idle, warmUp = j.server.Tree()
		written = j.server.Written()
	}

	client, err := j.start(j.task.client, j.near())
	if err != nil {
		return nil, err
	}
	if err := client.Wait(limited); err != nil {
		return nil, err
	}
	run := &report.Run{Done: client.Took()}
	if j.task.ends {
		if err := j.server.Wait(limited); err != nil {
			return nil, err
		}
		run.Done = max(run.Done, j.server.EndedAt().Sub(client.BeganAt()))
	}
	if j.work.files() {
		if run.Durable, err = j.durable(limited, client, run.Done, files); err != nil {
			return nil, err
		}
	}
	run.Load = process.Others().Since(before)
	if j.proxy != nil {
		run.Wire = j.proxy.Carried.Load()
	}

	used := client.Usage()
	run.ClientCPU, run.ClientPeak = used.CPU, used.Peak
	if j.server != nil {
		j.quiet(idle)
		run.Written = j.server.Written() - written
		j.server.Stop(patience)
		used := j.server.Usage()
		run.ServerCPU, run.ServerPeak = max(0, used.CPU-warmUp), used.Peak
	}
	return run, nil
}

var errTooSlow = errors.New("too slow")

// durable makes what was received durable, and returns how long that took since
// the client began.
func (j *job) durable(ctx context.Context, client *process.Line, done time.Duration, files []string) (time.Duration, error) {
	waited := time.Duration(0)
	if j.who.unconfirmed {
		if err := complete(ctx, files, j.bench.dest()); err != nil {
			return 0, err
		}
		waited = time.Since(client.BeganAt()) - done
	}
	took, err := syncFilesystem(j.bench.dest())
	return done + waited + took, err
}

// quiet waits until the server has ended what it started for the client, so
// that what that used is counted.
func (j *job) quiet(idle []int) {
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if now, _ := j.server.Tree(); len(now) <= len(idle) || slices.Equal(now, idle) {
			return
		}
	}
}

// close ends what is left of a job.
func (j *job) close() {
	if j.server != nil {
		j.server.Stop(patience)
	}
	if j.listener != nil {
		j.listener.Close()
	}
	if j.way != nil {
		j.way.Close()
	}
	j.log.Close()
	if j.work.counted {
		os.Remove(j.env["LOG"])
	}
}

// lastWords is the end of what client and server said, to explain a failure.
func (j *job) lastWords() string {
	text, _ := os.ReadFile(j.env["LOG"])
	if len(text) > 300 {
		text = text[len(text)-300:]
	}
	if text := strings.Join(strings.Fields(string(text)), " "); text != "" {
		return ": " + text
	}
	return ""
}
