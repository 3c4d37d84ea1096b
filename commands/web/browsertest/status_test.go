package browsertest

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-rod/rod/lib/proto"
)

// TestStatus: the page shows what is being received and what has been, by itself, also
// after the server was started again; names are text; and all of it fits on a small screen.
func TestStatus(t *testing.T) {
	t.Parallel()
	s := serve(t)
	p := s.open("/status")
	p.says("#live", "live")
	p.says("main", "Nothing at the moment.")
	dir := t.TempDir()
	hostile := "<img src=x onerror=document.title='evil'> " + strings.Repeat("long-", 20)
	if out, err := s.labnet("upload", "-a", s.addr, write(t, dir, hostile, random(1000))).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p.says("main", hostile)
	slow := s.labnet("upload", "-a", s.addr, "--limit-rate", "300K", write(t, dir, "slow", random(1<<20)))
	must(t, slow.Start())
	t.Cleanup(func() { slow.Wait() })
	p.says("main", "Being received: 1")
	p.progress(.3)
	p.says("main", "KiB/s")

	p.MustSetViewport(360, 740, 2, true)
	if got := p.MustEval(`() => document.documentElement.scrollWidth`).Int(); got > 360 {
		t.Errorf("the page is %d wide", got)
	}
	colors := map[string]bool{}
	for _, scheme := range []string{"light", "dark"} {
		must(t, proto.EmulationSetEmulatedMedia{Features: []*proto.EmulationMediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}.Call(p))
		colors[p.MustEval(`() => getComputedStyle(document.body).backgroundColor`).Str()] = true
	}
	if len(colors) != 2 {
		t.Errorf("it is never dark: %v", colors)
	}

	p.says("main", "Being received: 0")
	s.kill()
	p.says("#live", "trying again")
	s.start()
	p.says("#live", "live")
	p.says("main", "Nothing since the start.")
	if got := p.MustEval(`() => document.title`).Str(); got != "labnet status" {
		t.Errorf("a name has made the page %q", got)
	}
}

// TestStatusWithoutScripts: the page has what it shows.
func TestStatusWithoutScripts(t *testing.T) {
	t.Parallel()
	s := serve(t)
	if out, err := s.labnet("upload", "-a", s.addr, write(t, t.TempDir(), "report.pdf", random(1000))).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p := s.blank()
	must(t, proto.EmulationSetScriptExecutionDisabled{Value: true}.Call(p))
	must(t, p.Navigate(s.url()+"/status"))
	s.await("the page", func() bool {
		document, err := proto.DOMGetDocument{}.Call(p)
		must(t, err)
		html, err := proto.DOMGetOuterHTML{NodeID: document.Root.NodeID}.Call(p)
		return err == nil && strings.Contains(html.OuterHTML, "<td>report.pdf</td>") && strings.Contains(html.OuterHTML, "As it was when the page was loaded.")
	})
}

// TestStatusWithToken: a browser asks for the token, and then the page is live.
func TestStatusWithToken(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--tls", "--tokens", filepath.Join("received", ".labnet", "access", "tokens"))
	out, err := s.labnet("invite", "watcher", "--rights", "say,upload,status", "--at", s.link.addr).Output()
	must(t, err)
	_, rest, found := strings.Cut(string(out), " -u :")
	token, _, _ := strings.Cut(rest, " ")
	if !found {
		t.Fatalf("the invitation is %q", out)
	}
	s.start()
	p := s.blank()
	go p.Browser().HandleAuth("", token)() // what a person types who is asked
	p.MustNavigate(s.url() + "/status").MustWaitLoad()
	p.says("#live", "live")
	p.says("main", "watcher")
}
