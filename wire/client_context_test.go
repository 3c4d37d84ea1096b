package wire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/labnet/labnet/wire"
)

// TestClientContext cancels everything that a client can wait for.
func TestClientContext(t *testing.T) {
	enough := errors.New("enough")
	tests := []struct {
		name string
		play func(*script)
		call func(ctx context.Context, nc net.Conn) error
	}{
		{"say", func(s *script) { s.want("hi", "EOF") }, client(func(ctx context.Context, c *wire.Client) error {
			_, err := c.Say(ctx, "hi")
			return err
		})},
		{"say, nobody reads", func(s *script) { time.Sleep(time.Hour) }, client(func(ctx context.Context, c *wire.Client) error {
			_, err := c.Say(ctx, "hi")
			return err
		})},
		{"announce", func(s *script) { s.want("f|size=3|", "EOF") }, client(func(ctx context.Context, c *wire.Client) error {
			_, err := c.Upload(ctx, known(3), xs(3))
			return err
		})},
		{"stream", func(s *script) { s.want("f|"); s.say(ok(1)); s.want("EOF") }, client(func(ctx context.Context, c *wire.Client) error {
			_, err := c.Upload(ctx, stream, &slow{every: 10 * time.Second})
			return err
		})},
		{"contents, nobody reads", func(s *script) { s.want("f|size=3|"); s.say(ok(1)); time.Sleep(time.Hour) },
			client(func(ctx context.Context, c *wire.Client) error {
				_, err := c.Upload(ctx, known(3), xs(3))
				return err
			})},
		{"SAVED", func(s *script) { s.want("f|size=3|"); s.say(ok(1)); s.want("Data 3", endOf(3), "EOF") },
			client(func(ctx context.Context, c *wire.Client) error {
				_, err := c.Upload(ctx, known(3), xs(3))
				return err
			})},
		{"blob", func(s *script) { s.want("Data 3", "EOF") }, client(func(ctx context.Context, c *wire.Client) error {
			_, err := c.Blob(ctx, xs(3), 3)
			return err
		})},
		{"ping", func(s *script) { s.want("EOF"); time.Sleep(time.Hour) }, func(ctx context.Context, nc net.Conn) error {
			return wire.Ping(ctx, nc, 0)
		}},
		{"lab say", func(s *script) { io.ReadAll(s.r); time.Sleep(time.Hour) }, func(ctx context.Context, nc net.Conn) error {
			_, err := wire.NewLabClient(nc, wire.Lab3, 0).Say(ctx, "hi")
			return err
		}},
		{"lab upload", func(s *script) { s.r.ReadByte(); time.Sleep(time.Hour) }, func(ctx context.Context, nc net.Conn) error {
			return wire.NewLabClient(nc, wire.Lab6, 0).Upload(ctx, "f", xs(3), 3)
		}},
		{"lab blob", func(s *script) { time.Sleep(time.Hour) }, func(ctx context.Context, nc net.Conn) error {
			return wire.NewLabClient(nc, wire.Lab5, 0).Blob(ctx, xs(3), 3)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			against(t, tt.play, func(t *testing.T, nc net.Conn) {
				ctx, cancel := context.WithCancelCause(bg)
				begin := time.Now()
				time.AfterFunc(time.Second, func() { cancel(enough) })
				if err := tt.call(ctx, nc); err != enough {
					t.Errorf("%v", err)
				}
				if d := time.Since(begin); d != time.Second {
					t.Errorf("it took %v", d)
				}
			})
		})
	}
}

func client(call func(context.Context, *wire.Client) error) func(context.Context, net.Conn) error {
	return func(ctx context.Context, nc net.Conn) error {
		c := wire.NewClient(nc, 0)
		err := call(ctx, c)
		if c.Err() == nil {
			return fmt.Errorf("usable after %w", err)
		}
		if broken := c.Close(); broken != nil {
			return broken
		}
		return err
	}
}
