package wire_test

import (
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/wire"
)

// A visitor is whose token it is in these tests.
type visitor struct {
	name    string
	store   wire.Store
	revoked atomic.Bool
	no      atomic.Pointer[string] // to what there is no right
}

func (v *visitor) Name() string { return v.name }
func (v *visitor) Valid() bool  { return !v.revoked.Load() }

func (v *visitor) Permit(op string) (wire.Store, error) {
	if no := v.no.Load(); no != nil && *no == op {
		return nil, &wire.Error{Code: wire.CodeForbidden, Text: "no right to " + op}
	}
	return v.store, nil
}

func (v *visitor) forbid(op string) { v.no.Store(&op) }

// tokenOf is the token of a visitor, auth the request that shows it.
func tokenOf(name string) string { return "the token of " + name }
func auth(name string) string    { return str("AUTH|token=" + tokenOf(name) + "|") }

const denied = "ERROR|code=denied|"

// knowing makes a server want a token of one of the visitors, who keep files in its
// store unless they have others.
func knowing(visitors ...*visitor) func(*world) {
	return func(w *world) {
		encrypted(w.server)
		for _, v := range visitors {
			if v.store == nil {
				v.store = w.store
			}
		}
		w.server.Authenticate = func(token string) (wire.Identity, bool) {
			for _, v := range visitors {
				if token == tokenOf(v.name) && v.Valid() {
					return v, true
				}
			}
			return nil, false
		}
	}
}

// TestTokenFirst holds all conversations behind a token.
func TestTokenFirst(t *testing.T) {
	for _, c := range slices.Concat(conversations, refusals, resumptions, resumeRefusals, folders) {
		adapt := c.adapt
		c.adapt = func(w *world) {
			if adapt != nil {
				adapt(w)
			}
			knowing(&visitor{name: "alice"})(w)
		}
		if len(c.steps) == 0 {
			continue
		}
		c.steps = slices.Clone(c.steps)
		c.steps[0] = step{auth("alice") + c.steps[0].send, append(hear("OK|"), c.steps[0].hear...)}
		t.Run(c.name, c.run)
	}
}

// TestAuthAnswers begins in several ways, with a server that wants a token and with
// one that wants none.
func TestAuthAnswers(t *testing.T) {
	protocol := "ERROR|code=protocol|"
	hi := str("hi")
	said := "Message: hi"
	for _, tt := range []struct {
		name, send string
		wants      []string // of a server that wants a token, and one that does not
		open       []string
	}{
		{"token", auth("alice") + hi, hear("OK|", said), hear("OK|", said)},
		{"another token", auth("mallory") + hi, hear(denied), hear("OK|", said)},
		{"none", hi, hear(denied), hear(said)},
		{"no field", str("AUTH|") + hi, hear(denied), hear("OK|", said)},
		{"empty", str("AUTH|token=|") + hi, hear(denied), hear("OK|", said)},
		{"short", str("AUTH|token=the token|") + hi, hear(denied), hear("OK|", said)},
		{"long", str("AUTH|token="+strings.Repeat("x", 1025)+"|") + hi, hear(denied), hear("OK|", said)},
		{"more fields", str("AUTH|more=1|token="+tokenOf("alice")+"|token=x|") + hi, hear("OK|", said), hear("OK|", said)},
		{"malformed", str("AUTH|token") + hi, hear(denied), hear(protocol)},
		{"a text", str("AUTH") + hi, hear(denied), hear("Message: AUTH", said)},
		{"a name", str("./AUTH|") + end(""), hear(denied), hear(ok(1), saved(1, "AUTH", ""))},
		{"twice", auth("alice") + auth("alice"), hear("OK|", protocol), hear("OK|", protocol)},
		{"then another", auth("alice") + auth("mallory"), hear("OK|", protocol), hear("OK|", protocol)},
		{"late", hi + auth("alice"), hear(denied), hear(said, protocol)},
		{"behind a blob", data(2, "x") + auth("alice"), hear(denied), hear(kept("#1", "x"), protocol)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for name, adapt := range map[string]func(*world){"wanted": knowing(&visitor{name: "alice"}), "not wanted": encrypted1} {
				serve(t, adapt, func(w *world) {
					want := tt.open
					if name == "wanted" {
						want = tt.wants
					}
					p := w.dial()
					p.send(tt.send)
					if diff := cmp.Diff(want, decode(p.heard())); diff != "" {
						t.Errorf("%s: the server said (-want +got):\n%s", name, diff)
					}
					if strings.HasPrefix(want[len(want)-1], "ERROR|") {
						p.wantClosed()
					}
					p.Close()
				})
			}
		})
	}
}

func encrypted1(w *world) { encrypted(w.server) }

// TestTokenInTheClear: a server refuses one, and a client does not send it.
func TestTokenInTheClear(t *testing.T) {
	serve(t, nil, func(w *world) {
		p := w.dial()
		p.send(auth("alice") + str("hi"))
		p.hear(denied)
		p.wantClosed()
		w.wantDid()
	})
	for name, send := range map[string]func(nc net.Conn) error{
		"client": func(nc net.Conn) error {
			c := wire.NewClient(nc, 0)
			defer c.Close()
			err := c.Authenticate(tokenOf("alice"))
			c.Flush(bg)
			return err
		},
		"ping": func(nc net.Conn) error { return wire.PingAs(bg, nc, tokenOf("alice"), 0) },
	} {
		t.Run(name, func(t *testing.T) {
			against(t, func(s *script) { s.want("EOF") }, func(t *testing.T, nc net.Conn) {
				if err := send(nc); err == nil {
					t.Error("no error")
				}
			})
		})
	}
	closed := newListener()
	closed.Close()
	plain := &wire.Server{Store: &store{}, Authenticate: func(string) (wire.Identity, bool) { return nil, false }}
	if err := plain.Serve(closed); err == nil || !strings.Contains(err.Error(), "tokens") {
		t.Errorf("Serve with tokens in the clear: %v", err)
	}
}

// TestBadToken: what is no token is not sent.
func TestBadToken(t *testing.T) {
	serve(t, knowing(&visitor{name: "alice"}), func(w *world) {
		near, far := newDuplex()
		w.l.accept <- far
		c := wire.NewClient(encrypt(t, near), 0)
		defer c.Close()
		for _, token := range []string{"", "short", strings.Repeat("x", 1025), "sixteen bytes \x00 and more"} {
			if err := c.Authenticate(token); err == nil {
				t.Errorf("Authenticate(%.20q): no error", token)
			}
		}
	})
}
