package wire_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/labnet/labnet/wire"
)

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

// TestUnexpectedGreeting: a client takes nothing but OK for a welcome.
func TestUnexpectedGreeting(t *testing.T) {
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
