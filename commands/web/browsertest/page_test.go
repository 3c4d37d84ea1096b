package browsertest

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/go-rod/rod/lib/proto"
)

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// TestDrop: files and folders arrive under their names, are verified, and are not sent
// again.
func TestDrop(t *testing.T) {
	t.Parallel()
	s := serve(t)
	dir := t.TempDir()
	big := random(3<<20 + 57)
	paths := []string{write(t, dir, "a.bin", big), write(t, dir, "empty", nil), filepath.Join(dir, "photos")}
	write(t, dir, "photos/one.jpg", []byte("one"))
	write(t, dir, "photos/2026/grün & 100%.jpg", []byte("two"))
	for i := range 105 { // more than a browser lists at once
		write(t, dir, fmt.Sprintf("photos/many/%d", i), fmt.Appendf(nil, "contents %d", i))
	}
	p := s.open("/")
	p.drop(paths...)
	p.says("#result", "109 of 109 files are safe at the server.")
	s.wantFile("a.bin", big)
	s.wantFile("empty", nil)
	s.wantFile("photos/one.jpg", []byte("one"))
	s.wantFile("photos/2026/grün & 100%.jpg", []byte("two"))
	s.wantFile("photos/many/104", []byte("contents 104"))
	if n := len(p.MustElements("li")); n > 53 {
		t.Errorf("%d files are listed", n)
	}
	p.says("#total", "109 of 109 files, 3.0 MiB of 3.0 MiB")

	p = s.open("/")
	p.choose(paths[0], paths[1])
	p.says("#result", "2 of 2 files")
	p.says("li", "unchanged, the server has it already")
	p.says("li", "verified") // the empty one
	if got := strings.Count(s.events.String(), `"unchanged":true`); got != 2 {
		t.Errorf("%d files were unchanged", got)
	}

	p.choose(paths[0], paths[0]) // twice at the same time
	p.says("#result", "4 of 4 files")

	must(t, os.WriteFile(paths[0], big[:100], 0o644))
	p.choose(paths[0])
	p.says("li", "stored as a (2).bin")
	p.MustElement(`input[webkitdirectory]`).MustSetFiles(filepath.Join(paths[2], "2026"))
	p.says("#result", "6 of 6 files")
	s.wantFile("2026/grün & 100%.jpg", []byte("two"))
	s.wantFile("a (2).bin", big[:100])
}

// TestInsecureContext: without HTTPS browsers have less to offer, and the page needs no more.
func TestInsecureContext(t *testing.T) {
	t.Parallel()
	s := serve(t, "--http-host", "lab.example.org")
	contents := random(3<<20 + 1)
	p := s.blank()
	p.MustNavigate(strings.Replace(s.url(), "127.0.0.1", "lab.example.org", 1)).MustWaitLoad()
	if p.MustEval(`() => isSecureContext`).Bool() {
		t.Error("the context is secure")
	}
	p.choose(write(t, t.TempDir(), "a.bin", contents))
	p.says("li .state", "verified")
	s.wantFile("a.bin", contents)
}

// TestUnchangedIsNotSent: of a file that the server has, no contents are sent.
func TestUnchangedIsNotSent(t *testing.T) {
	t.Parallel()
	s := serve(t)
	path := write(t, t.TempDir(), "a.bin", random(1<<20))
	p := s.open("/")
	p.choose(path)
	p.says("li", "verified")
	before := len(s.link.sent.String())
	p.choose(path)
	p.says("li", "unchanged")
	if sent := len(s.link.sent.String()) - before; sent > 4000 {
		t.Errorf("%d bytes were sent", sent)
	}
}

// TestServerKilled: an upload goes on where it stopped, once there is a server again.
func TestServerKilled(t *testing.T) {
	t.Parallel()
	s := serve(t)
	contents := random(32 << 20)
	p := s.open("/")
	s.link.rate.Store(16 << 20)
	p.choose(write(t, t.TempDir(), "big.bin", contents))
	p.progress(.3)
	p.says("li .state", "/s")
	s.kill()
	p.says("li .state", "the server cannot be reached; trying again")
	s.link.rate.Store(0)
	s.start()
	p.says("li .state", "verified")
	s.wantFile("big.bin", contents)
	wantResumed(t, s)
}

// wantResumed checks that something of the last file was there before.
func wantResumed(t *testing.T, s *server) {
	t.Helper()
	if !regexp.MustCompile(`resumed":[1-9]`).MatchString(s.events.String() + s.log.String()) {
		t.Errorf("nothing was resumed: %s", s.events.String())
	}
}

// TestReload: so does one whose page was closed, when the same file is chosen again.
func TestReload(t *testing.T) {
	t.Parallel()
	s := serve(t)
	contents := random(32 << 20)
	path := write(t, t.TempDir(), "big.bin", contents)
	p := s.open("/")
	s.link.rate.Store(16 << 20)
	p.choose(path)
	p.progress(.3)
	p.MustReload().MustWaitLoad()
	p.says("#interrupted", "Interrupted: big.bin.")
	s.link.rate.Store(0)
	p.drop(path)
	p.says("li .state", "verified")
	s.wantFile("big.bin", contents)
	wantResumed(t, s)
	if p.MustElement("#interrupted").MustVisible() {
		t.Error("the file is still called interrupted")
	}

	s.link.rate.Store(16 << 20)
	p.choose(write(t, t.TempDir(), "other.bin", contents[1:]))
	p.says("li .state", "sent")
	p.MustElementR("li button", "Cancel").MustClick()
	p.says("li .state", "cancelled")
	s.link.rate.Store(0)
	p.MustElementR("li button", "Try again").MustClick()
	p.says("#result", "2 of 2 files are safe")
	s.wantFile("other.bin", contents[1:])
}

// TestToken: a token comes with the link, is taken out of the address, and is asked for
// when the server does not accept it; an invitation does, too.
func TestToken(t *testing.T) {
	t.Parallel()
	s, invited := serveInvited(t)
	invitation, _, _ := strings.Cut(invited, "\n")
	token := regexp.MustCompile(`-u :(\S+)`).FindStringSubmatch(invited)[1]
	path := write(t, t.TempDir(), "report", []byte("hello"))
	enter := func(p tab, text string) {
		p.MustElement("#secret").MustInput(text)
		p.press("Enter")
	}
	p := s.open("/")
	p.says("#access", "This server asks for a token")
	enter(p, "not the token of anybody")
	p.says("#denied", "This is not a token.")
	enter(p, strings.Replace(invitation, invitation[30:31], "u", 1))
	p.says("#denied", "typing error")
	enter(p, token[1:]+"x")
	p.says("#denied", "this server requires a valid token")
	p.choose(path)
	p.says("li .state", "waiting for a token")
	enter(p, strings.ToUpper(invitation[:50])+"\u00a0"+invitation[50:])
	p.says("#result", "1 of 1 files are safe")
	p.says("h1", "Send files to "+s.link.addr+" as alice")
	s.wantFile("report", []byte("hello"))
	if got := p.MustEval(`() => document.activeElement.name`).Str(); got != "file" {
		t.Errorf("the focus is on %q", got)
	}

	p = s.open("/#wrong-" + token)
	p.says("#denied", "this server requires a valid token")
	for _, part := range []string{token, invitation} {
		p = s.open("/#" + part)
		p.says("h1", "as alice")
		if got := p.MustEval(`() => location.href + JSON.stringify(history.state)`).Str(); got != s.url()+"/null" {
			t.Errorf("the address is %s", got)
		}
	}
	p.MustReload().MustWaitLoad()
	p.says("h1", "as alice")
	p.MustElement("#text").MustInput("hello")
	p.MustElementR("button", "Send the message").MustClick()
	p.says("#reply", "Message: hello")
	if got := p.MustEval(`() => JSON.stringify(localStorage)`).Str(); strings.Contains(got, token) {
		t.Errorf("the token stays: %s", got)
	}

	must(t, s.labnet("revoke", "alice").Run())
	p.choose(write(t, t.TempDir(), "late", []byte("hello")))
	p.says("#denied", "this server requires a valid token")
	again, err := s.labnet("invite", "alice", "--at", s.link.addr).Output()
	must(t, err)
	enter(p, string(again[:bytes.IndexByte(again, '\n')]))
	p.says("#result", "1 of 1 files are safe")
	s.wantFile("late", []byte("hello"))
	if log := s.log.String(); strings.Contains(log, token) || strings.Contains(log, invitation) || strings.Contains(log, "panic") {
		t.Error("the log has the secret, or a panic")
	}
}

// TestInvitation: the link that labnet invite prints opens the page of the server, and what
// is sent is its user's.
func TestInvitation(t *testing.T) {
	t.Parallel()
	s, invited := serveInvited(t)
	link := regexp.MustCompile(`(?m)^https://\S+$`).FindString(invited)
	p := s.blank()
	p.MustNavigate(link).MustWaitLoad()
	p.says("h1", "Send files to "+s.link.addr+" as alice")
	p.drop(write(t, t.TempDir(), "report", []byte("hello")))
	p.says("#result", "1 of 1 files are safe")
	s.wantFile("report", []byte("hello"))
	if got := s.events.String(); !strings.Contains(got, `"user":"alice"`) {
		t.Errorf("received: %s", got)
	}
	_, secret, _ := strings.Cut(link, "#")
	if strings.Contains(s.log.String()+s.events.String(), secret) || strings.Contains(p.MustInfo().URL, secret) {
		t.Errorf("the secret is in the log or in the address %s", p.MustInfo().URL)
	}
}

// TestNotVerified: what the server says that it has is compared with the file.
func TestNotVerified(t *testing.T) {
	t.Parallel()
	s := serve(t)
	p := s.open("/")
	must(t, proto.FetchEnable{Patterns: []*proto.FetchRequestPattern{{RequestStage: proto.FetchRequestStageResponse}}}.Call(p))
	go p.EachEvent(func(e *proto.FetchRequestPaused) {
		answer := proto.FetchContinueResponse{RequestID: e.RequestID, ResponseCode: e.ResponseStatusCode, ResponseHeaders: e.ResponseHeaders}
		for _, h := range e.ResponseHeaders {
			if h.Name == "Repr-Digest" {
				h.Value = "sha-256=:" + base64.StdEncoding.EncodeToString(make([]byte, 32)) + ":"
			}
		}
		answer.Call(p)
	})()
	p.choose(write(t, t.TempDir(), "a.bin", random(1000)))
	p.says("li.failed", "what the server has is not this file")
	p.says("#result", "0 of 1 files are safe at the server; 1 failed.")
}

// TestFileChanges: nothing is made up of two states of a file.
func TestFileChanges(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.link.rate.Store(4 << 20)
	p := s.open("/")
	path := write(t, t.TempDir(), "a.bin", random(16<<20))
	p.choose(path)
	p.progress(.1)
	must(t, os.WriteFile(path, random(8<<20), 0o644))
	s.link.rate.Store(0)
	p.says("li.failed", "the file cannot be read any more; choose it again")
	p.choose(path)
	p.says("li.done", "verified")
	s.wantFile("a.bin", random(8<<20))
}

// TestSay: a message and its reply, and an error in words.
func TestSay(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-size", "1000")
	p := s.open("/")
	p.MustElement("#text").MustInput("<b>hello</b>")
	p.MustElementR("button", "Send the message").MustClick()
	p.says("#reply", "Message: <b>hello</b>")
	p.MustElement("#text").MustInput(strings.Repeat("x", 5000))
	p.MustElementR("button", "Send the message").MustClick()
	p.says("#reply", "a message has at most 4096 bytes")
	p.choose(write(t, t.TempDir(), "<i>large", random(1001)))
	p.says("#result", "0 of 1 files are safe at the server; 1 failed.")
	p.says("li.failed", "this server accepts at most 1000 bytes")
	p.says("li.failed", "<i>large")
}

// TestLook: nothing is cut off on a small screen, everything can be reached by keyboard,
// and it is dark where others are.
func TestLook(t *testing.T) {
	t.Parallel()
	s := serve(t)
	p := s.open("/")
	p.MustSetViewport(360, 740, 2, true)
	p.choose(write(t, t.TempDir(), strings.Repeat("a-long-name-", 15), random(1000)))
	p.says("#result", "1 of 1")
	if got := p.MustEval(`() => document.documentElement.scrollWidth`).Int(); got > 360 {
		t.Errorf("the page is %d wide", got)
	}
	var order []string
	for range 4 {
		p.press("Tab")
		order = append(order, p.MustEval(`() => {
			const e = document.activeElement, ring = e.closest('label.button') || e
			return (e.labels?.[0] || e).innerText.trim() + (getComputedStyle(ring).outlineStyle === 'none' ? ' without a ring' : '')
		}`).Str())
	}
	if got := strings.Join(order, ", "); got != "Choose files, Choose a folder, Or send a message:, Send the message" {
		t.Errorf("the keyboard reaches %s", got)
	}
	for scheme, want := range map[string]string{"light": "rgb(0, 0, 0)", "dark": "rgb(255, 255, 255)"} {
		must(t, proto.EmulationSetEmulatedMedia{Features: []*proto.EmulationMediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}.Call(p))
		if got := p.MustEval(`() => getComputedStyle(document.body).color`).Str(); got != want {
			t.Errorf("%s: text is %s", scheme, got)
		}
	}
}

// TestWithoutScripts: a plain form sends files, and what became of them can be read.
func TestWithoutScripts(t *testing.T) {
	t.Parallel()
	s := serve(t, "--max-size", "1000")
	p := s.blank()
	must(t, proto.EmulationSetScriptExecutionDisabled{Value: true}.Call(p))
	root := func() proto.DOMNodeID { // the library's own ways need scripts
		document, err := proto.DOMGetDocument{}.Call(p)
		must(t, err)
		return document.Root.NodeID
	}
	contains := func(texts ...string) {
		t.Helper()
		for _, text := range texts {
			s.await(text, func() bool {
				html, err := proto.DOMGetOuterHTML{NodeID: root()}.Call(p)
				return err == nil && strings.Contains(html.OuterHTML, text)
			})
		}
	}
	send := func(paths ...string) {
		t.Helper()
		input, err := proto.DOMQuerySelector{NodeID: root(), Selector: "input[name=file]"}.Call(p)
		must(t, err)
		must(t, proto.DOMSetFileInputFiles{Files: paths, NodeID: input.NodeID}.Call(p))
		p.press("Tab", "Tab", "Enter")
	}
	dir := t.TempDir()
	must(t, p.Navigate(s.url()))
	contains("<button>Send</button>", "Without JavaScript")
	send(write(t, dir, "a <b>", []byte("hello")), write(t, dir, "b", []byte("there")))
	contains("<h1>Safe at the server</h1>", `<span>a &lt;b&gt;</span> <span class="size">5 bytes`)
	s.wantFile("a <b>", []byte("hello"))
	s.wantFile("b", []byte("there"))
	p.press("Tab", "Enter")
	contains("Without JavaScript")
	send(write(t, dir, "c", []byte("third")), write(t, dir, "large", random(1001)))
	contains("<h1>Request Entity Too Large</h1>", "at most 1000 bytes", `<span>c</span> <span class="size">5 bytes`)
	if strings.Contains(s.events.String(), `"large"`) {
		t.Error("the large one was received")
	}
}
