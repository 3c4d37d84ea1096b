package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/labnet/labnet/wire"
)

type dripTest struct {
	drips, pings int
	size         int64
	short        bool
}

func dripFlags(flags *flag.FlagSet) func(context.Context, *abuse) error {
	var d dripTest
	flags.IntVar(&d.drips, "n", 2000, "`N` slow connections")
	flags.IntVar(&d.pings, "pings", 1000, "measure `N` pings, 20 ms apart, without and with them")
	flags.Int64Var(&d.size, "size", 64<<20, "the good client uploads so many `bytes`")
	flags.BoolVar(&d.short, "short", false, "with times of the server that are a tenth")
	return func(ctx context.Context, a *abuse) error { return d.run(ctx, a) }
}

// token is that of the client that means well.
const token = "the-token-of-this-test"

// A drip is a way to be slow. At most so long may the server bear it.
type drip struct {
	name  string
	lasts time.Duration
	begin func(ctx context.Context, s *server) (net.Conn, error)
	send  string // a byte a second
}

// drips are slow in every state. The server's limits are those of its defaults.
func drips() []drip {
	hello := "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + string(make([]byte, 508))
	long := string(make([]byte, 1000))
	shown := string(wire.AppendString(nil, "AUTH\x00token=another "+token+"\x00"))
	after := func(says string) func(context.Context, *server) (net.Conn, error) {
		return func(ctx context.Context, s *server) (net.Conn, error) {
			nc, err := s.dial(ctx)
			if err == nil {
				_, err = io.WriteString(nc, says)
			}
			return nc, err
		}
	}
	return []drip{
		{"silent before TLS", 30 * time.Second, func(ctx context.Context, s *server) (net.Conn, error) { return s.dialPlain(ctx) }, ""},
		{"in the TLS hello", 30 * time.Second, func(ctx context.Context, s *server) (net.Conn, error) { return s.dialPlain(ctx) }, hello},
		{"in the token", 30 * time.Second, after(shown[:10]), shown[10:]},
		{"in a message", 10 * time.Second, after(shown + "\x01\x00\x10"), long},
		{"in contents", 91 * time.Second, after(shown + string(wire.AppendString(nil, "drip\x00size=1000\x00")) + "\x03\xe8\x03"), long},
	}
}

// hold is one drip after the other, until more ends.
func (d drip) hold(ctx, more context.Context, s *server, lasted func(time.Duration)) {
	for more.Err() == nil {
		nc, err := d.begin(ctx, s)
		if err != nil {
			time.Sleep(time.Second)
			continue
		}
		begun := time.Now()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			io.Copy(io.Discard, nc) // until the server has had enough
		}()
		tick := time.NewTicker(time.Second)
		left := d.send
		for open := true; open; {
			select {
			case <-ended:
				open = false
			case <-tick.C:
				if left != "" {
					nc.Write([]byte(left[:1]))
					left = left[1:]
				}
			case <-ctx.Done():
				open = false
			}
		}
		tick.Stop()
		nc.Close()
		<-ended
		if ctx.Err() != nil {
			return
		}
		lasted(time.Since(begun))
		select { // this is no flood
		case <-time.After(5*time.Second + rand.N(10*time.Second)):
		case <-more.Done():
		}
	}
}

func (d dripTest) run(ctx context.Context, a *abuse) error {
	tokens := filepath.Join(a.dir, "tokens")
	lines := fmt.Appendf(nil, "good %x\nbad %x\n", sha256.Sum256([]byte(token)), sha256.Sum256([]byte("another "+token)))
	if err := os.WriteFile(tokens, lines, 0o600); err != nil {
		return err
	}
	l := launch{store: "drip", args: []string{"--tls", "--tokens", tokens, "--log-level", "error"}}
	kinds := drips()
	if d.short {
		l.args = append(l.args, "--auth-timeout", "3s", "--header-timeout", "1s")
		kinds = kinds[:4]
		for i := range kinds {
			kinds[i].lasts /= 10
		}
	}
	s, err := a.serve(ctx, l)
	if err != nil {
		return err
	}
	defer s.stop(syscall.SIGKILL)
	if _, err := d.ping(ctx, a, s, d.pings/10); err != nil { // to warm up
		return err
	}
	without, err := d.ping(ctx, a, s, d.pings/2)
	if err != nil {
		return err
	}

	holding, end := context.WithCancel(ctx)
	defer end()
	more, enough := context.WithCancel(holding)
	defer enough()
	longest := make([]time.Duration, len(kinds))
	ended := make([]int, len(kinds))
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range d.drips {
		kind := i % len(kinds)
		all.Go(func() {
			if !d.short {
				time.Sleep(rand.N(15 * time.Second)) // or they would all end at once, again and again
			}
			kinds[kind].hold(holding, more, s, func(lasted time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				longest[kind] = max(longest[kind], lasted)
				ended[kind]++
			})
		})
	}
	if time.Sleep(time.Second); !d.short {
		time.Sleep(15 * time.Second)
	}
	conns := s.files()
	with, err := d.ping(ctx, a, s, d.pings)
	if err != nil {
		return fmt.Errorf("ping among %d drips: %w", d.drips, err)
	}
	begun := time.Now()
	if err := d.upload(ctx, s); err != nil {
		return fmt.Errorf("upload among %d drips: %w", d.drips, err)
	}
	took := time.Since(begun)
	enough()
	all.Wait()
	again, err := d.ping(ctx, a, s, d.pings/2) // how busy others keep the machine changes
	if err != nil {
		return err
	}
	busy, idle := p99(with), p99(append(without, again...))
	a.say("%d drips, of which the server held %d files open: ping p99 %.2f ms, without them %.2f ms: %.2f times; an upload of %.0f MiB took %.1f s",
		d.drips, conns, ms(busy), ms(idle), float64(busy)/float64(idle), mib(d.size), took.Seconds())
	for i, k := range kinds {
		a.say("  %s: %d ended by the server, the last after %.1f s; it may bear %.0f s", k.name, ended[i], longest[i].Seconds(), k.lasts.Seconds())
		if longest[i] > k.lasts+2*time.Second || ended[i] == 0 {
			err = errors.Join(err, fmt.Errorf("%s: held too long, or never ended", k.name))
		}
	}
	if busy > 2*idle && !d.short {
		err = errors.Join(err, errors.New("the ping takes more than twice as long"))
	}
	return err
}

// ping returns how long each of n pings took, with TLS, from a process that has
// nothing else to do.
func (d dripTest) ping(ctx context.Context, a *abuse, s *server, n int) (took []time.Duration, err error) {
	pin, err := s.fingerprint(ctx)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, a.labnet, "ping", "-a", s.addr, "--pin", pin, "--json", "-c", fmt.Sprint(n), "-i", "20ms")
	cmd.Env = append(os.Environ(), "LABNET_TOKEN="+token)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("labnet ping: %w\n%s", err, out)
	}
	for line := range bytes.Lines(out) {
		var ping struct {
			Op      string
			Seconds float64
		}
		if err := json.Unmarshal(line, &ping); err != nil {
			return nil, err
		}
		if ping.Op == "ping" {
			took = append(took, time.Duration(ping.Seconds*float64(time.Second)))
		}
	}
	return took, nil
}

// p99 is what all but a hundredth took at most.
func p99(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)*99/100]
}

// upload is what a client that means well does.
func (d dripTest) upload(ctx context.Context, s *server) error {
	nc, err := s.dial(ctx)
	if err != nil {
		return err
	}
	client := wire.NewClient(nc, 0)
	defer client.Close()
	if err := client.Authenticate(token); err != nil {
		return err
	}
	_, err = client.Upload(ctx, wire.Announcement{Name: "good", Size: d.size}, newContents(1, d.size))
	return err
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }
