package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/labnet/labnet/wire"
)

func idleFlags(flags *flag.FlagSet) func(context.Context, *abuse) error {
	n := flags.Int("n", 10_000, "hold `N` connections")
	encrypted := flags.Bool("tls", false, "inside TLS, which has a bar of its own")
	overHTTP := flags.Bool("http", false, "kept alive after a request of HTTP, which has, too")
	return func(ctx context.Context, a *abuse) error { return idle(ctx, a, *n, *encrypted, *overHTTP) }
}

// idle holds connections that have said something once.
func idle(ctx context.Context, a *abuse, n int, encrypted, overHTTP bool) error {
	most, chat := int64(16<<10), chat
	if overHTTP {
		most, chat = 32<<10, chatOverHTTP // net/http keeps buffers and a goroutine
	}
	l := launch{store: "idle", before: fmt.Sprintf("{ ulimit -n %d 2>/dev/null || :; }", 2*n+1000),
		args: []string{"--max-conns", fmt.Sprint(n + 1), "--log-level", "error"}}
	if encrypted {
		l.args = append(l.args, "--tls")
		most += 32 << 10 // crypto/tls keeps buffers and keys
	}
	s, err := a.serve(ctx, l)
	if err != nil {
		return err
	}
	defer s.stop(syscall.SIGKILL)
	warm, err := chat(ctx, s)
	if err != nil {
		return err
	}
	defer warm.Close()
	before := s.status("VmRSS")
	conns := make([]net.Conn, n)
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	}()
	var failed error
	var once sync.Once
	crowd(32, n, func(i int) {
		var err error
		if conns[i], err = chat(ctx, s); err != nil {
			once.Do(func() { failed = err })
		}
	})
	if failed != nil {
		return failed
	}
	time.Sleep(time.Second)
	after := s.status("VmRSS")
	each := (after - before) / int64(n)
	a.say("%d idle connections: %d bytes resident each; the server has %.1f MiB, and had %.1f", n, each, mib(after), mib(before))
	if _, err := io.WriteString(conns[n-1], "GET /healthz"); err != nil { // it is still there
		return err
	}
	if each > most {
		return fmt.Errorf("that is more than %d", most)
	}
	return nil
}

// chat connects and has the server answer once.
func chat(ctx context.Context, s *server) (net.Conn, error) {
	nc, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	reply := make([]byte, len("\x01\x0b\x00Message: hi"))
	_, err = nc.Write(wire.AppendString(nil, "hi"))
	if err == nil {
		_, err = io.ReadFull(nc, reply)
	}
	if err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	return nc, nil
}

// chatOverHTTP is chat by a request, after which the connection is kept.
func chatOverHTTP(ctx context.Context, s *server) (net.Conn, error) {
	nc, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(nc, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if err == nil {
		var answer *http.Response
		if answer, err = http.ReadResponse(bufio.NewReader(nc), nil); err == nil && (answer.StatusCode != http.StatusOK || answer.Close) {
			err = fmt.Errorf("it is not kept: %v", answer.Status)
		}
	}
	if err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	return nc, nil
}

// crowd does something n times, by so many at a time.
func crowd(workers, n int, do func(i int)) {
	var crowd sync.WaitGroup
	next := make(chan int)
	for range workers {
		crowd.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	crowd.Wait()
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
