package wire_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/labnet/labnet/wire"
)

// listen runs a server on loopback until the test ends.
func listen(t testing.TB, store *store, adapt ...func(*wire.Server)) (s *wire.Server, addr string) {
	t.Helper()
	t.Cleanup(func() { store.balance(t) }) // runs last
	return listenTo(t, store, adapt...)
}

func listenTo(t testing.TB, store wire.Store, adapt ...func(*wire.Server)) (s *wire.Server, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	s = &wire.Server{Store: store}
	for _, f := range adapt {
		f(s)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; err != wire.ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, l.Addr().String()
}

func connect(t testing.TB, addr string) *wire.Client {
	t.Helper()
	c := wire.NewClient(dialTCP(t, addr), 0)
	t.Cleanup(func() { c.Close() })
	return c
}

func dialTCP(t testing.TB, addr string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	must(t, err)
	return nc
}

// TestSizes sends files and blobs around every size at which the header grows.
func TestSizes(t *testing.T) {
	store := &store{}
	_, addr := listen(t, store)
	c := connect(t, addr)
	contents := make([]byte, 16777216)
	rand.NewChaCha8([32]byte{1}).Read(contents)
	for _, size := range []int{0, 1, 255, 256, 4095, 4096, 4097, 65535, 65536, 16777215, 16777216} {
		want := contents[:size]
		check := func(what string, got wire.Saved, err error) {
			t.Helper()
			if err != nil || got.Size != int64(size) || got.Hex() != crc(string(want)) {
				t.Fatalf("%s of %d bytes: %+v, %v", what, size, got, err)
			}
			if kept := store.visible()[got.Name]; kept != string(want) {
				t.Fatalf("%s of %d bytes: other %d bytes are kept", what, size, len(kept))
			}
			store.mu.Lock()
			clear(store.files)
			store.mu.Unlock()
		}
		got, err := c.Blob(t.Context(), bytes.NewReader(want), int64(size))
		check("blob", got, err)
		got, err = c.Upload(t.Context(), wire.Announcement{Name: "f", Size: int64(size)}, bytes.NewReader(want))
		check("file", got, err)
		got, err = c.Upload(t.Context(), wire.Announcement{Name: "f", Size: -1}, bytes.NewReader(want))
		check("stream", got, err)
	}
}

// TestRefusalArrives checks over TCP, where a careless close destroys what was
// sent before it, that a client that is still sending learns why it must stop.
func TestRefusalArrives(t *testing.T) {
	store := &store{}
	_, addr := listen(t, store)
	store.onBytes = func(*file) error { return &wire.Error{Code: wire.CodeNoSpace, Text: "full"} }
	for range 20 {
		c := connect(t, addr)
		const size = 65<<20 + 1
		_, err := c.Blob(t.Context(), io.LimitReader(zeros{}, size), size)
		if refusal, ok := errors.AsType[*wire.Error](err); !ok || refusal.Code != wire.CodeNoSpace {
			t.Fatalf("Blob: %v", err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestTCPPing pings a server over TCP, and a listener that nobody serves.
func TestTCPPing(t *testing.T) {
	store := &store{}
	_, addr := listen(t, store)
	nc, err := net.Dial("tcp", addr)
	must(t, err)
	if err := wire.Ping(t.Context(), nc, 0); err != nil {
		t.Errorf("Ping: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	nc, err = net.Dial("tcp", l.Addr().String())
	must(t, err)
	if err := wire.Ping(t.Context(), nc, time.Millisecond); !isTimeout(err) {
		t.Errorf("Ping of a kernel: %v", err)
	}
}

// TestManyAtOnce has clients in parallel, each with files of its own, and a
// Shutdown that waits for them.
func TestManyAtOnce(t *testing.T) {
	store := &store{}
	s, addr := listen(t, store)
	const clients, files = 20, 20
	var running sync.WaitGroup
	for i := range clients {
		c := connect(t, addr)
		running.Go(func() {
			defer c.Close()
			for j := range files {
				a := wire.Announcement{Name: fmt.Sprintf("%d/%d", i, j), Size: int64(j * 1000)}
				if _, err := c.Upload(t.Context(), a, io.LimitReader(zeros{}, a.Size)); err != nil {
					t.Errorf("Upload: %v", err)
				}
			}
		})
	}
	running.Wait()
	must(t, s.Shutdown(t.Context()))
	if n := len(store.visible()); n != clients*files {
		t.Errorf("%d files are kept, want %d", n, clients*files)
	}
}

// TestLabOverTCP has the two sides of each task talk to each other, and to the
// server that recognises the dialect.
func TestLabOverTCP(t *testing.T) {
	big := make([]byte, 70_000)
	rand.NewChaCha8([32]byte{2}).Read(big)
	blob := func(c *wire.LabClient) error { return c.Blob(bg, bytes.NewReader(big), int64(len(big))) }
	upload := func(names ...string) func(c *wire.LabClient) error {
		return func(c *wire.LabClient) error {
			for _, name := range names {
				if err := c.Upload(bg, name, bytes.NewReader(big), int64(len(big))); err != nil {
					return err
				}
			}
			return nil
		}
	}
	say := func(want string) func(c *wire.LabClient) error {
		return func(c *wire.LabClient) error {
			if got, err := c.Say(bg, "żółw"); err != nil || got != want {
				return fmt.Errorf("Say: %q, %w", got, err)
			}
			return nil
		}
	}
	tests := []struct {
		name           string
		client, server wire.Lab
		call           func(*wire.LabClient) error
		keeps          []string
	}{
		{"3 says", wire.Lab3, wire.Lab3, say("Message: żółw"), nil},
		{"3 says to any", wire.Lab3, 0, say("Message: żółw"), nil},
		{"4 says", wire.Lab4, wire.Lab4, say(""), nil},
		{"4 says to any", wire.Lab4, 0, say(""), nil},
		{"4 sends a blob", wire.Lab4, wire.Lab4, blob, []string{"#1"}},
		{"5 sends a blob", wire.Lab5, wire.Lab5, blob, []string{"#1"}},
		{"5 sends a blob to any", wire.Lab5, 0, blob, []string{"#1"}},
		{"6 uploads", wire.Lab6, wire.Lab6, upload("żółw.bin"), []string{"żółw.bin"}},
		{"6 uploads to any", wire.Lab6, 0, upload("żółw.bin"), []string{"żółw.bin"}},
		{"extra uploads", wire.LabExtra, wire.LabExtra, upload("a", "b"), []string{"a", "b"}},
		{"extra uploads to any", wire.LabExtra, 0, upload("a", "b"), []string{"a", "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // a text ends with 100 ms of silence
			store := &store{}
			s, addr := listen(t, store, func(s *wire.Server) { s.Lab = tt.server })
			nc, err := net.Dial("tcp", addr)
			must(t, err)
			c := wire.NewLabClient(nc, tt.client, 0)
			must(t, tt.call(c))
			must(t, c.Close())
			must(t, s.Shutdown(t.Context()))
			want := map[string]string{}
			for _, name := range tt.keeps {
				want[name] = string(big)
			}
			store.wantFiles(t, want)
		})
	}
}
