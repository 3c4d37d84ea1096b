package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/labnet/labnet/bench/report"
)

// uploadSize is what each of many uploads at the same time brings.
const uploadSize = mib

// memory measures what servers need for many uploads at the same time, and for
// many connections on which nothing happens. This program is the client.
func (b *bench) memory(ctx context.Context, all []contestant, small bool) ([]report.Memory, error) {
	uploads, idle := 1000, 4000 // as many connections as labnet takes by default
	if small {
		uploads, idle = 100, 1000
	}
	var open syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &open); err != nil {
		return nil, err
	}
	idle = min(idle, int(open.Cur)-100)

	var list []report.Memory
	for _, c := range all {
		speaker, ok := speakers[c.name]
		if !ok || !c.plain {
			continue
		}
		result := report.Memory{Name: c.name, Uploads: uploads, Idle: idle}
		var err error
		if result.Peak, err = b.uploads(ctx, c, speaker, uploads); err == nil && speaker.greet != nil {
			result.Each, err = b.idle(ctx, c, speaker, idle)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			result.Failed = err.Error()
		}
		list = append(list, result)
	}
	return list, nil
}

// uploads returns what a server needs for so many at the same time: each is
// half way through before any goes on.
func (b *bench) uploads(ctx context.Context, c contestant, s speaker, count int) (peak int64, err error) {
	j, err := b.serve(ctx, c)
	if err != nil {
		return 0, err
	}
	defer j.close()
	var half, all sync.WaitGroup
	half.Add(count)
	failed := make(chan error, count)
	for i := range count {
		all.Go(func() {
			arrived := sync.OnceFunc(half.Done)
			defer arrived()
			conn, err := j.dial(2 * time.Minute)
			if err != nil {
				failed <- err
				return
			}
			defer conn.Close()
			failed <- s.upload(conn, fmt.Sprintf("f%05d", i), func() { arrived(); half.Wait() })
		})
	}
	all.Wait()
	close(failed)
	for one := range failed {
		err = errors.Join(err, one)
	}
	if err != nil {
		return 0, firstLine(err)
	}
	_, peak = j.server.Resident()
	return peak, nil
}

// idle returns what a server needs for each connection that has said something
// once, and then nothing.
func (b *bench) idle(ctx context.Context, c contestant, s speaker, count int) (each int64, err error) {
	j, err := b.serve(ctx, c)
	if err != nil {
		return 0, err
	}
	defer j.close()
	before, _ := j.server.Resident()
	for range count {
		conn, err := j.dial(time.Minute)
		if err != nil {
			return 0, err
		}
		defer conn.Close()
		if err := s.greet(conn); err != nil {
			return 0, err
		}
	}
	after, _ := j.server.Resident()
	return (after - before) / int64(count), nil
}

// serve starts only the server of a contestant.
func (b *bench) serve(ctx context.Context, c contestant) (*job, error) {
	if err := b.prepare(nil); err != nil {
		return nil, err
	}
	return b.begin(ctx, workload{kind: file}, c, "")
}

func (j *job) dial(within time.Duration) (net.Conn, error) {
	conn, err := net.Dial("tcp", "127.0.0.1:"+j.env["PORT"])
	if err != nil {
		return nil, err
	}
	conn.(*net.TCPConn).SetLinger(0) // no thousands of ports that wait for stray packets
	return conn, conn.SetDeadline(time.Now().Add(within))
}

func firstLine(err error) error {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		return firstLine(many.Unwrap()[0])
	}
	return err
}
