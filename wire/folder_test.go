package wire_test

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/wire"
)

var folders = []conversation{
	{name: "folders", steps: []step{
		{str("a/|"), hear("SAVED|upload=1|name=a|")},
		{str("./a/b c/|mode=0755|"), hear("SAVED|upload=2|name=a/b c|")},
		{str("./RESTART/|") + str("END/|"), hear("SAVED|upload=3|name=RESTART|", "SAVED|upload=4|name=END|")},
	}, did: []string{"folder a", "folder a/b c", "folder RESTART", "folder END"}},

	{name: "folder between the contents of a file", steps: []step{
		{str("f|id=i|size=2|") + data(2, "x"), hear(ok(1))},
		{str("d/|id=i|"), hear("SAVED|upload=2|name=d|")},
		{data(2, "y") + end("xy"), hear(saved(1, "f", "xy"))},
	}, files: map[string]string{"f": "xy"}, did: []string{"folder d", "upload f"}},

	{name: "folder refused", adapt: func(w *world) {
		w.store.onFolder = func(name string) error {
			if name == "" {
				return errors.New("secret")
			}
			return &wire.Error{Code: wire.CodeName, Text: "no " + name}
		}
	}, steps: []step{
		{str("d/|") + str("/|"), hear("ERROR|code=bad-name|upload=1|", "ERROR|code=internal|upload=2|")},
		{str("d/|digest=md5|"), hear("ERROR|code=unsupported|upload=3|")},
		{str("f|") + end(""), hear(ok(4), saved(4, "f", ""))},
	}, files: map[string]string{"f": ""}, did: []string{"upload f"}},
}

func TestFolders(t *testing.T) {
	for _, c := range folders {
		t.Run(c.name, c.run)
	}
	long := strings.Repeat("n", 3072)
	t.Run("longest name", conversation{steps: []step{
		{str(long + "/|"), hear("SAVED|upload=1|name=" + long + "|")},
		{str(long + "n/|"), hear("ERROR|code=bad-name|upload=2|")},
	}, did: []string{"folder " + long}}.run)
}

// TestSlowFolder has a folder that takes long to become durable.
func TestSlowFolder(t *testing.T) {
	serve(t, func(w *world) {
		w.store.onFolder = func(string) error { time.Sleep(6 * time.Second); return nil }
	}, func(w *world) {
		p := w.dial()
		p.send(str("d/|"))
		time.Sleep(5 * time.Second)
		p.hear("WAIT|")
		time.Sleep(time.Second)
		p.hear("SAVED|upload=1|name=d|")
		p.Close()
	})
}

func TestClientMakesFolders(t *testing.T) {
	talk(t, func(s *script) {
		s.want("a/|")
		s.say("WAIT|", "SAVED|upload=1|name=a|")
		s.want("RESTART/|")
		s.say("SAVED|upload=2|name=RESTART|")
		s.want("b/|")
		s.say("ERROR|code=bad-name|text=no|upload=3|")
		s.want("c/|")
		s.say(ok(4))
		s.want("EOF")
	}, func(t *testing.T, c *wire.Client) {
		for _, name := range []string{"a", "RESTART"} {
			if err := c.MakeFolder(bg, name); err != nil {
				t.Errorf("MakeFolder(%q): %v", name, err)
			}
		}
		for _, name := range []string{"a\x00b", "\xff", strings.Repeat("x", 3073)} {
			if err := c.MakeFolder(bg, name); !isSourceError(err) {
				t.Errorf("MakeFolder(%.10q): %v", name, err)
			}
		}
		refusal, _ := errors.AsType[*wire.Error](c.MakeFolder(bg, "b"))
		if refusal == nil || refusal.Code != wire.CodeName || c.Err() != nil {
			t.Errorf("refused: %v; Usable is %v", refusal, c.Err() == nil)
		}
		if err := c.MakeFolder(bg, "c"); err == nil || c.Err() == nil {
			t.Errorf("OK for SAVED: %v; Usable is %v", err, c.Err() == nil)
		}
	})
}

// TestFolderByBoth has this client and this server.
func TestFolderByBoth(t *testing.T) {
	store := &store{}
	_, addr := listen(t, store)
	c := connect(t, addr)
	must(t, c.MakeFolder(t.Context(), "a/b"))
	if !slices.Equal(store.folders, []string{"a/b"}) {
		t.Errorf("folders %q", store.folders)
	}
}

// TestFolderModes: what a client says of the permissions of folders reaches the
// store, in the announcement of a file and in that of a folder. What says nothing
// costs nothing.
func TestFolderModes(t *testing.T) {
	tests := []struct {
		name   string
		modes  []fs.FileMode
		fields string // of a file, without its other fields
		folder string // fields of a folder
		want   []fs.FileMode
	}{
		{"a/b/f", nil, "", "", nil},
		{"a/b/f", []fs.FileMode{0, 0}, "", "", nil},
		{"a/b/f", []fs.FileMode{0o700}, "folders=0700|", "folders=0700|", []fs.FileMode{0o700}},
		{"a/b/f", []fs.FileMode{0, 0o750}, "folders=,0750|", "folders=,0750|", []fs.FileMode{0, 0o750}},
		{"a/b/f", []fs.FileMode{0o500, 0, 0o711}, "", "mode=0711|folders=0700,|", []fs.FileMode{0o700, 0, 0o711}},
	}
	for _, tt := range tests {
		talk(t, func(s *script) {
			s.want(tt.name + "/|" + tt.folder)
			s.say("SAVED|upload=1|name=" + tt.name + "|")
			if len(tt.modes) < 3 {
				s.want(tt.name + "|size=0|" + tt.fields)
				s.say(ok(2))
				s.want(endOf(0))
				s.say(saved(2, tt.name, ""))
			}
			s.want("EOF")
		}, func(t *testing.T, c *wire.Client) {
			folder, err := c.AnnounceFolder(bg, tt.name, tt.modes)
			must(t, err)
			must(t, c.Flush(bg))
			_, err = folder.Saved(bg)
			must(t, err)
			if len(tt.modes) < 3 {
				_, err = c.Upload(bg, wire.Announcement{Name: tt.name, Folders: tt.modes}, xs(0))
				must(t, err)
			}
		})
		store := &store{}
		_, addr := listen(t, store)
		c := connect(t, addr)
		folder, err := c.AnnounceFolder(bg, tt.name, tt.modes)
		must(t, err)
		must(t, c.Flush(bg))
		_, err = folder.Saved(bg)
		must(t, err)
		if !slices.Equal(store.modes, tt.want) {
			t.Errorf("%s %v: the store was told %v, want %v", tt.name, tt.modes, store.modes, tt.want)
		}
	}
}

// TestTooManyFolderModes: modes that do not fit are never cut off.
func TestTooManyFolderModes(t *testing.T) {
	talk(t, func(s *script) { s.want("EOF") }, func(t *testing.T, c *wire.Client) {
		a := wire.Announcement{Name: strings.Repeat("d/", 1500) + "f", Folders: make([]fs.FileMode, 1500)}
		for i := range a.Folders {
			a.Folders[i] = 0o700
		}
		if _, err := c.Announce(bg, a); !isSourceError(err) {
			t.Errorf("error %v, want a SourceError", err)
		}
	})
}

// TestMalformedFolderModes ends the connection, as other malformed fields do.
func TestMalformedFolderModes(t *testing.T) {
	for _, fields := range []string{"folders=0700,0700|", "folders=x|", "folders=0799|", "folders=,|"} {
		serve(t, nil, func(w *world) {
			p := w.dial()
			p.send(str("a/f|" + fields))
			p.hear("ERROR|code=protocol|")
			p.Close()
		})
	}
}
