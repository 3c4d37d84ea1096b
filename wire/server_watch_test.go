package wire_test

import (
	"crypto/tls"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/labnet/labnet/wire"
)

// A watch is what a server tells who watches it.
type watch struct {
	mu      sync.Mutex
	refused []wire.Refusal
	ended   map[wire.Spoken]int
}

func watched(seen *watch, adapt func(*world)) func(*world) {
	seen.ended = map[wire.Spoken]int{}
	return func(w *world) {
		if adapt != nil {
			adapt(w)
		}
		w.server.Refused = func(r wire.Refusal) {
			seen.mu.Lock()
			defer seen.mu.Unlock()
			seen.refused = append(seen.refused, r)
		}
		w.server.Ended = func(s wire.Spoken) {
			seen.mu.Lock()
			defer seen.mu.Unlock()
			seen.ended[s]++
		}
	}
}

// TestRefusalsAreTold: each refusal is told once, with what it is about.
func TestRefusalsAreTold(t *testing.T) {
	alice, bob := &visitor{name: "alice"}, &visitor{name: "bob"}
	bob.forbid("upload")
	for name, test := range map[string]struct {
		adapt func(*world)
		do    func(w *world)
		want  []wire.Refusal // without errors and addresses
	}{
		"a name": {refuses(func(wire.Announcement) error { return &wire.Error{Code: wire.CodeName, Text: "bad"} }), func(w *world) {
			p := w.dial()
			p.send(str("../f|"))
			p.Close()
		}, []wire.Refusal{{Code: wire.CodeName, Name: "../f"}}},
		"a message of another protocol": {nil, func(w *world) {
			p := w.dial()
			p.send("\xff\xff")
			p.wantClosed()
		}, []wire.Refusal{{Code: wire.CodeProtocol}}},
		"HTTP": {nil, func(w *world) {
			p := w.dial()
			p.send("GET / HTTP/1.1\r\n\r\n")
			p.wantClosed()
		}, []wire.Refusal{{Code: wire.CodeProtocol}}},
		"silence": {nil, func(w *world) {
			p := w.dial()
			time.Sleep(wire.DefaultIdleTimeout + time.Second)
			p.wantClosed()
		}, []wire.Refusal{{Code: wire.CodeTimeout}}},
		"no token": {knowing(alice), func(w *world) {
			p := w.dial()
			p.send(str("hi"))
			p.wantClosed()
		}, []wire.Refusal{{Code: wire.CodeDenied}}},
		"a ping without a token": {knowing(alice), func(w *world) {
			p := w.dial()
			must(w.t, p.halfCloser.(*tls.Conn).Handshake())
			p.CloseWrite()
			p.wantClosed()
		}, []wire.Refusal{{Code: wire.CodeDenied}}},
		"no right": {knowing(bob), func(w *world) {
			p := w.dial()
			p.send(auth("bob") + str("f|"))
			p.Close()
		}, []wire.Refusal{{Code: wire.CodeForbidden, User: "bob", Name: "f"}}},
		"full": {func(w *world) { w.server.MaxConns = 1 }, func(w *world) {
			defer w.dial().Close()
			p := w.dial()
			p.send(str("hi"))
			p.wantClosed()
		}, []wire.Refusal{{Code: wire.CodeBusy}}},
		"something else where only HTTP is spoken": {func(w *world) { w.server.HTTPOnly = true }, func(w *world) {
			p := w.dial()
			p.send(str("hi"))
			p.wantClosed()
			w.wantDid()
		}, []wire.Refusal{{Code: wire.CodeProtocol}}},
		"nothing there": {func(w *world) { w.server.HTTPOnly = true }, func(w *world) {
			p := w.dial()
			p.CloseWrite()
			p.wantClosed()
			w.wantDid()
		}, nil},
		"a check": {nil, func(w *world) {
			p := w.dial()
			p.send(str("f|check=1|size=5|"))
			p.Close()
		}, nil},
		"nothing": {nil, func(w *world) {
			p := w.dial()
			p.send(str("hi"))
			p.hear("Message: hi")
			p.Close()
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var seen watch
			serve(t, watched(&seen, test.adapt), func(w *world) {
				test.do(w)
				synctest.Wait()
				seen.mu.Lock()
				defer seen.mu.Unlock()
				for i, r := range seen.refused {
					if r.Err == nil || r.Remote == "" {
						t.Errorf("%+v does not tell why or whom", r)
					}
					seen.refused[i].Err, seen.refused[i].Remote = nil, ""
				}
				if !slices.Equal(seen.refused, test.want) {
					t.Errorf("it told %+v, want %+v", seen.refused, test.want)
				}
			})
		})
	}
}

// TestSpoken: what was spoken is told once for each connection that was admitted.
func TestSpoken(t *testing.T) {
	var seen watch
	serve(t, watched(&seen, func(w *world) {
		w.server.HTTP = func(h *wire.Handover) { h.Conn().Close() }
		w.server.MaxConns = 1
	}), func(w *world) {
		for _, text := range []string{str("hi"), data(2, "x"), "hello\n", "GET / HTTP/1.1\r\n\r\n"} {
			p := w.dial()
			p.send(text)
			synctest.Wait()
			if now, most := w.server.Connections(); now > 1 || most != 1 {
				t.Errorf("%d of %d connections", now, most)
			}
			p.CloseWrite()
			p.wantClosed()
			synctest.Wait()
		}
		held := w.dial()
		p := w.dial() // refused, and not counted
		p.send(str("hi"))
		p.wantClosed()
		held.Close()
		synctest.Wait()
		if want := map[wire.Spoken]int{wire.SpokenProtocol: 3, wire.SpokenLab: 1, wire.SpokenHTTP: 1}; !maps.Equal(seen.ended, want) {
			t.Errorf("spoken were %v, want %v", seen.ended, want)
		}
	})
}

// TestInProgress: what is being received can be seen, from the first byte until it is safe.
func TestInProgress(t *testing.T) {
	alice := &visitor{name: "alice", store: &store{}}
	serve(t, knowing(alice), func(w *world) {
		p := w.dial()
		p.send(auth("alice") + str("f|size=5|"))
		p.hear("OK|", ok(1))
		if list, n := w.server.InProgress(10); n != 0 || len(list) != 0 {
			t.Errorf("%d of %d before the first byte", len(list), n)
		}
		p.send(header(2, 5) + "abc")
		synctest.Wait()
		list, n := w.server.InProgress(10)
		if n != 1 || len(list) != 1 {
			t.Fatalf("%d of %d", len(list), n)
		}
		if got := list[0]; got.Name != "f" || got.User != "alice" || got.Size != 5 || got.Received != 3 || !got.Started.Equal(time.Now()) {
			t.Errorf("it is %+v", got)
		}
		if list, n := w.server.InProgress(0); n != 1 || len(list) != 0 {
			t.Errorf("%d of %d, and none were asked for", len(list), n)
		}
		p.send("de" + end("abcde"))
		p.hear(saved(1, "f", "abcde"))
		if list, n := w.server.InProgress(10); n != 0 || len(list) != 0 {
			t.Errorf("%d of %d after the end", len(list), n)
		}
		p.Close()
	})
}

// TestCodes: all codes are listed but those that refuse nothing.
func TestCodes(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "error.go", nil, 0)
	must(t, err)
	listed := wire.Codes()
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		kind, ok := spec.Type.(*ast.Ident)
		if !ok || kind.Name != "Code" {
			return true
		}
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		must(t, err)
		code := wire.Code(text)
		refuses := code != wire.CodeAbsent && code != wire.CodeDifferent
		if slices.Contains(listed, code) != refuses {
			t.Errorf("%s is listed: %t, want %t", code, !refuses, refuses)
		}
		return true
	})
}
