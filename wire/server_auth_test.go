package wire_test

import (
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

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

// TestClientsTokens has clients with the right token, a wrong one and none, which do
// everything.
func TestClientsTokens(t *testing.T) {
	failed := &wire.Error{Code: wire.CodeReadOnly, Text: "secret"}
	for _, tt := range []struct {
		token, want, ping string
	}{
		{tokenOf("alice"), "<nil>", "secret (read-only)"},
		{tokenOf("mallory"), "this server requires a valid token (denied)", "this server requires a valid token (denied)"},
		{"", "this server requires a valid token (denied)", "this server requires a valid token (denied)"},
	} {
		for name, do := range map[string]func(c *wire.Client) error{
			"say":    func(c *wire.Client) error { _, err := c.Say(bg, "hi"); return err },
			"blob":   func(c *wire.Client) error { _, err := c.Blob(bg, strings.NewReader("abc"), 3); return err },
			"folder": func(c *wire.Client) error { return c.MakeFolder(bg, "folder") },
			"upload": func(c *wire.Client) error {
				_, err := c.Upload(bg, known(3), strings.NewReader("abc"))
				return err
			},
			"large": func(c *wire.Client) error {
				_, err := c.Upload(bg, known(3<<20), strings.NewReader(strings.Repeat("x", 3<<20)))
				return err
			},
			"two": func(c *wire.Client) error {
				first, err := c.Announce(bg, known(3))
				must(t, err)
				second, err := c.Announce(bg, wire.Announcement{Name: "g", Size: 3})
				must(t, err)
				first.Send(bg, strings.NewReader("abc"))
				second.Send(bg, strings.NewReader("abc"))
				c.Flush(bg)
				_, err1 := first.Saved(bg)
				_, err2 := second.Saved(bg)
				if fmt.Sprint(err1) != fmt.Sprint(err2) {
					t.Errorf("first %v, second %v", err1, err2)
				}
				return err1
			},
		} {
			t.Run(fmt.Sprintf("%.20s %s", tt.token, name), func(t *testing.T) {
				serve(t, knowing(&visitor{name: "alice"}), func(w *world) {
					near, far := newDuplex()
					w.l.accept <- far
					c := wire.NewClient(encrypt(t, near), 0)
					if tt.token != "" {
						must(t, c.Authenticate(tt.token))
					}
					err := do(c)
					if fmt.Sprint(err) != tt.want {
						t.Errorf("error %v, want %s", err, tt.want)
					}
					if (c.Err() == nil) != (err == nil) {
						t.Errorf("Err: %v", c.Err())
					}
					c.Close()
					synctest.Wait()
					if tt.want != "<nil>" {
						w.wantDid()
						w.store.wantFiles(t, nil)
					}
				})
			})
		}
		t.Run(fmt.Sprintf("%.20s ping", tt.token), func(t *testing.T) {
			var did []string
			w := &world{t: t, store: &store{err: failed}, server: &wire.Server{}}
			knowing(&visitor{name: "alice"})(w)
			s, addr := listen(t, w.store, func(s *wire.Server) {
				s.Certificate, s.Authenticate = w.server.Certificate, w.server.Authenticate
				s.Received = func(e wire.Event) { did = append(did, e.Op+" "+e.User) }
			})
			nc, err := wire.Encrypt(bg, dialTCP(t, addr), trusting(), 0)
			must(t, err)
			if err := wire.PingAs(bg, nc, tt.token, 0); fmt.Sprint(err) != tt.ping {
				t.Errorf("Ping: %v, want %s", err, tt.ping)
			}
			must(t, s.Shutdown(bg))
			if known := tt.token == tokenOf("alice"); known != slices.Equal(did, []string{"ping alice"}) || !known && did != nil {
				t.Errorf("Received was told %q", did)
			}
		})
	}
}

// TestStrangeWelcome: a client takes nothing but OK for a welcome.
func TestStrangeWelcome(t *testing.T) {
	for _, answer := range []string{"Message: hi", "SAVED|upload=1|", "OK|upload=1|", "ERROR|code=unsupported|text=AUTH?|", ""} {
		synctest.Test(t, func(t *testing.T) {
			near, far := newDuplex()
			played := make(chan struct{})
			go func() {
				defer close(played)
				defer far.Close()
				secret := tlsServer(far)
				io.ReadFull(secret, make([]byte, len(auth("alice"))+len(str("hi"))))
				if answer != "" {
					io.WriteString(secret, str(answer)+str("Message: hi"))
				}
				secret.Close()
			}()
			c := wire.NewClient(encrypt(t, near), 0)
			must(t, c.Authenticate(tokenOf("alice")))
			if reply, err := c.Say(bg, "hi"); err == nil {
				t.Errorf("after %q it took %q for the answer", answer, reply)
			}
			c.Close()
			<-played
		})
	}
}
