package browsertest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-rod/rod/lib/proto"
)

var picture = flag.String("picture", "", "draw the page to `FILE`, while files are sent")

// TestPicture draws the picture of the documentation.
func TestPicture(t *testing.T) {
	if *picture == "" {
		t.Skip("it draws only with -picture FILE")
	}
	s := newServer(t, "--tls", "--tokens", filepath.Join("received", ".labnet", "access", "tokens"))
	s.link = lay(t, "127.0.0.1:9000", s.addr)
	link := s.invite("alice")
	link = strings.Replace(link[strings.LastIndex(link, "https://"):], "127.0.0.1", "lab.example.org", 1)
	dir := t.TempDir()
	photos := []string{write(t, dir, "photos/harbour.jpg", random(3<<20)), write(t, dir, "photos/lighthouse.jpg", random(5<<20))}
	report := write(t, dir, "report.pdf", random(700<<10))

	p := s.blank()
	p.MustSetViewport(720, 600, 1, false)
	must(t, proto.EmulationSetScrollbarsHidden{Hidden: true}.Call(p))
	p.MustNavigate(strings.TrimSpace(link)).MustWaitLoad()
	p.says("h1", "as alice")
	p.choose(report)
	p.says("#result", "1 of 1")
	p.MustReload().MustWaitLoad()
	p.says("h1", "as alice")
	p.choose(report) // once more
	p.says("#result", "1 of 1")
	p.drop(filepath.Dir(photos[0]))
	p.says("#result", "3 of 3")
	s.link.rate.Store(12 << 20)
	p.choose(write(t, dir, "holiday.mp4", random(64<<20)))
	p.progress(.4)
	p.says("li .state", "/s")
	shot, err := p.Screenshot(false, &proto.PageCaptureScreenshot{})
	must(t, err)
	must(t, os.WriteFile(*picture, shot, 0o644))
}
