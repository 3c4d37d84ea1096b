package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/labnet/labnet/wire"
)

// prefix begins the names of the files that are sent, so that only those are removed.
const prefix = "labnet-check-"

// A runner checks one server. It is used by one goroutine.
type runner struct {
	ctx context.Context
	Options
	addrs []string // where the server may listen, until it was reached
	room  string   // a folder of this run, around Dir; "" if Dir was given or is unknown
	proc  *process // nil if the server is not started here
	done  map[string]Verdict
	alive bool // the server was reached and has not been seen to end since
	run   int  // cases so far, for names
}

// Server runs the cases of a task against a server and reports each. The error is
// ErrUnreached if the server was never reached, ErrInUse, the context's, or a NamedError.
func Server(ctx context.Context, o Options) (Counts, error) {
	r := &runner{ctx: ctx, Options: o, addrs: []string{o.Addr}, done: map[string]Verdict{}}
	if host, port, err := net.SplitHostPort(o.Addr); err == nil && port == "9000" && o.Task >= wire.Lab4 {
		r.addrs = append(r.addrs, net.JoinHostPort(host, "9002")) // which the assignment has from task 4 on
	}
	counts := Counts{}
	if err := r.prepare(); err != nil {
		return counts, err
	}
	defer r.finish()
	if err := r.reach(); err != nil {
		return counts, err
	}
	for _, c := range r.selected() {
		result := r.try(c)
		if ctx.Err() != nil {
			return counts, ctx.Err()
		}
		r.done[c.id] = result.Verdict
		counts[result.Verdict]++
		r.Report(result)
	}
	return counts, nil
}

// prepare makes the folder for a command.
func (r *runner) prepare() (err error) {
	if r.Dir != "" {
		if info, err := os.Stat(r.Dir); err != nil {
			return &NamedError{r.Dir, err}
		} else if !info.IsDir() {
			return &NamedError{r.Dir, errors.New("not a folder")}
		}
		r.Dir, err = filepath.Abs(r.Dir)
	}
	if len(r.Command) == 0 || err != nil {
		return err
	}
	adoptOrphans()
	for _, addr := range r.addrs {
		if conn, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
			conn.Close()
			return fmt.Errorf("%s: %w", addr, ErrInUse)
		}
	}
	r.Command = absolute(r.Command)
	if r.Dir == "" {
		if r.room, err = os.MkdirTemp("", "labnet-check-"); err != nil {
			return err
		}
		r.Dir = filepath.Join(r.room, "srv")
		err = os.Mkdir(r.Dir, 0o755)
	}
	return err
}

// finish stops the command and removes its folder.
func (r *runner) finish() {
	r.stop()
	if r.room != "" && !r.Keep {
		os.RemoveAll(r.room)
	}
}

func (r *runner) stop() {
	if r.proc != nil {
		r.proc.stop()
		r.proc = nil
	}
}

// reach starts the command if it does not run, and connects for the first time.
func (r *runner) reach() error {
	if len(r.Command) > 0 {
		return r.start()
	}
	var last error
	for _, addr := range r.addrs {
		conn, err := net.DialTimeout("tcp", addr, r.Timeout)
		if err == nil {
			conn.Close()
			r.Addr, r.alive = addr, true
			return nil
		}
		last = err
	}
	return fmt.Errorf("%w at %s: %w", ErrUnreached, strings.Join(r.addrs, " or "), last)
}

// start starts the command, again while its port is still taken by connections of the
// one before.
func (r *runner) start() error {
	r.stop()
	for deadline := time.Now().Add(maxPortWait); ; {
		p, err := start(r.Command, r.Dir, nil)
		if err != nil {
			return err
		}
		addr, err := p.listens(r.ctx, r.addrs, r.long())
		if err == nil {
			r.proc, r.alive = p, true
			r.Addr, r.addrs = addr, []string{addr}
			return nil
		}
		p.stop()
		if !strings.Contains(strings.ToLower(string(p.output.since(0))), "address already in use") || time.Now().After(deadline) {
			return err
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-r.ctx.Done():
			return r.ctx.Err()
		}
	}
}

// selected are the cases to run: those asked for, and those that they build on.
func (r *runner) selected() (list []*serverCase) {
	all := casesOf(r.Task)
	if len(r.Only) == 0 {
		return all
	}
	wanted := map[string]bool{}
	for i := len(all) - 1; i >= 0; i-- { // what a case needs stands before it
		c := all[i]
		if wanted[c.id] || selected(r.Only, c.id) {
			wanted[c.id] = true
			for _, id := range c.needs {
				wanted[id] = true
			}
		}
	}
	for _, c := range all {
		if wanted[c.id] {
			list = append(list, c)
		}
	}
	return list
}

// try runs one case.
func (r *runner) try(c *serverCase) Result {
	begun := time.Now()
	result := Result{ID: c.id, Task: r.Task.String(), Title: c.title, Expected: c.want, Verdict: NotRun}
	for _, id := range c.needs {
		if v, ran := r.done[id]; ran && (v == Fail || v == NotRun) {
			result.Why = "it needs " + id
			return result
		}
	}
	if err := r.ready(); err != nil {
		result.Why = "the server does not run any more: " + err.Error()
		return result
	}
	t := newTrial(r, c)
	defer t.cleanUp()
	for _, step := range c.steps {
		if step(t); t.over || r.ctx.Err() != nil {
			break
		}
	}
	if c.after != nil {
		c.after(t)
	}
	t.judge()
	result.Verdict, result.Saw, result.Why = t.verdict, t.saw, t.why
	result.Sent = strings.Join(t.sent, "; ")
	result.Seconds = time.Since(begun).Seconds()
	return result
}

// ready makes sure that the server accepts connections.
func (r *runner) ready() error {
	if r.alive && (r.proc == nil || !r.proc.hasEnded()) {
		return nil
	}
	if len(r.Command) > 0 {
		return r.start()
	}
	conn, err := r.dial()
	if err != nil {
		return errors.New("connection refused")
	}
	conn.Close()
	r.alive = true
	return nil
}

// dialRetry is how long to wait before a refused connection is tried once more: some
// programs make their listening socket again for each client.
const dialRetry = 300 * time.Millisecond

// dial connects, and once more if that is refused.
func (r *runner) dial() (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", r.Addr, r.Timeout)
	if err != nil {
		time.Sleep(dialRetry)
		conn, err = net.DialTimeout("tcp", r.Addr, r.Timeout)
	}
	return conn, err
}
