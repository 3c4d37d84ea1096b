package wire_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/labnet/labnet/wire"
)

// TestFields: fields that are not of their form end the connection, and with it all
// that is under way on it; other spellings of the same value do not.
func TestFields(t *testing.T) {
	const protocol = "ERROR|code=protocol|"
	long := strings.Repeat("i", 129)
	for _, test := range []struct {
		name, sent string
		want       []string
	}{
		{"size is no number", str("a|size=abc|"), []string{protocol}},
		{"size is negative", str("a|size=-1|"), []string{protocol}},
		{"size has a plus", str("a|size=+1|"), []string{protocol}},
		{"size is empty", str("a|size=|") + whole("a"), []string{ok(1), saved(1, "a", "a")}},
		{"size has leading zeros", str("a|size=001|") + whole("a"), []string{ok(1), saved(1, "a", "a")}},
		{"id is too long", str("a|id=" + long + "|size=1|"), []string{protocol}},
		{"id is empty", str("a|id=|size=1|"), []string{ok(1)}},
		{"mtime without decimals after the point", str("a|mtime=1.|"), []string{ok(1)}},
		{"mtime is empty", str("a|mtime=|"), []string{ok(1)}},
		{"mtime out of range", str("a|mtime=99999999999999|"), []string{ok(1)}},
		{"mode is not octal", str("a|mode=0888|"), []string{protocol}},
		{"mode is empty", str("a|mode=|"), []string{ok(1)}},
		{"mtime with ten decimals", str("a|mtime=1.0123456789|"), []string{protocol}},
		{"mtime before 1970", str("a|mtime=-1.5|"), []string{ok(1)}},
		{"mode 0000", str("a|mode=0000|"), []string{ok(1)}},
		{"END without a size", str("a|") + data(2, "a") + str("END|crc64nvme="+crc("a")+"|"), []string{ok(1), protocol}},
		{"END without a digest", str("a|") + data(2, "a") + str("END|size=1|"), []string{ok(1), protocol}},
		{"digest in capitals", str("a|") + data(2, "a") + str("END|size=1|crc64nvme="+strings.ToUpper(crc("a"))+"|"), []string{ok(1), saved(1, "a", "a")}},
		{"digest is too short", str("a|") + data(2, "a") + str("END|size=1|crc64nvme=12|"), []string{ok(1), protocol}},
		{"END of nothing", str("END|size=1|crc64nvme=" + crc("a") + "|"), []string{protocol}},
		{"CANCEL of nothing", str("CANCEL|"), []string{protocol}},
		{"RESTART of nothing", str("RESTART|"), []string{protocol}},
		{"RESTART at 0, twice", str("a|") + str("RESTART|") + str("RESTART|") + whole("a"), []string{ok(1), saved(1, "a", "a")}},
		{"RESTART behind contents", str("a|") + data(2, "a") + str("RESTART|"), []string{ok(1), protocol}},
		{"an unknown request", str("HELLO|"), []string{"ERROR|code=unsupported|"}},
		{"a field without a value", str("a|size|"), []string{protocol}},
		{"a field without a key", str("a|=1|"), []string{protocol}},
		{"a field twice", str("a|size=1|size=2|") + whole("a"), []string{ok(1), saved(1, "a", "a")}},
		{"an unknown field", str("a|colour=red|") + whole("a"), []string{ok(1), saved(1, "a", "a")}},
		{"a digest that is not known", str("a|digest=md5|"), []string{"ERROR|code=unsupported|upload=1|"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			serve(t, nil, func(w *world) {
				p := w.dial()
				p.send(test.sent)
				p.hear(test.want...)
				if test.want[len(test.want)-1] == protocol {
					p.wantClosed()
				}
				p.Close()
			})
		})
	}
}

// TestCounted: the number of an upload counts folders and refused announcements, and
// contents that are sent although the file was refused are a blob.
func TestCounted(t *testing.T) {
	serve(t, func(w *world) { w.server.MaxSize = 10 }, func(w *world) {
		p := w.dial()
		p.send(str("folder/|"), str("large|size=11|"), str("a|"))
		p.hear("SAVED|upload=1|name=folder|", "ERROR|code=too-large|upload=2|", ok(3))
		p.send(whole("a"))
		p.hear(saved(3, "a", "a"))
		p.send(str("large|size=11|"))
		p.hear("ERROR|code=too-large|upload=4|")
		p.send(data(2, "blob"))
		if said := p.heard(); !strings.HasPrefix(decode(said)[0], "OK|name=") {
			t.Errorf("contents of a refused file: the server said %q", decode(said))
		}
		p.Close()
	})
}

// TestNoByteEndsAField has a store whose refusal holds what separates fields.
func TestNoByteEndsAField(t *testing.T) {
	serve(t, refuses(func(wire.Announcement) error {
		return &wire.Error{Code: wire.CodeNoSpace, Text: "full\x00upload=7"}
	}), func(w *world) {
		p := w.dial()
		p.send(str("a|"))
		synctest.Wait()
		if got := p.heard(); !strings.Contains(got, "text=fullupload=7\x00") {
			t.Errorf("%q", got)
		}
		p.Close()
	})
}
