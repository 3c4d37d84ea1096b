package wire_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/labnet/labnet/wire"
)

func limit(size int64) func(*world) { return func(w *world) { w.server.MaxSize = size } }

// fullAfter lets files named "full" fail after so many bytes.
func fullAfter(n int) func(*world) {
	return func(w *world) {
		w.store.onBytes = func(f *file) error {
			if (f.Name == "full" || f.Name == "") && f.body.Len() >= n {
				return &wire.Error{Code: wire.CodeNoSpace, Text: "the disk is full"}
			}
			return nil
		}
	}
}

func failCommit(err error) func(*world) {
	return func(w *world) { w.store.onCommit = func(*file) error { return err } }
}

// After each of these the conversation goes on.
var refusals = []conversation{
	{name: "unknown digest", steps: []step{
		{str("a|digest=md5|"), hear("ERROR|code=unsupported|upload=1|")},
	}},
	{name: "name too long", steps: []step{
		{str(strings.Repeat("n", 3073) + "|"), hear("ERROR|code=bad-name|upload=1|")},
	}},
	{name: "name of the longest length, and refused in words that quote it", adapt: refuses(func(a wire.Announcement) error {
		return &wire.Error{Code: wire.CodeName, Text: "no: " + a.Name + a.Name}
	}), steps: []step{
		{str("./" + strings.Repeat("ż", 1536) + "|"), hear("ERROR|code=bad-name|upload=1|")},
	}},
	{name: "code of the store's own", adapt: refuses(func(wire.Announcement) error {
		return fmt.Errorf("create: %w", &wire.Error{Code: "purple", Text: "words"})
	}), steps: []step{
		{str("a|"), hear("ERROR|code=purple|upload=1|")},
	}},
	{name: "fault of the store", adapt: refuses(func(wire.Announcement) error { return errors.New("secret") }), steps: []step{
		{str("a|"), hear("ERROR|code=internal|upload=1|")},
		{data(2, "blob"), hear("ERROR|code=internal|")},
	}},
	{name: "announced too large", adapt: limit(10), steps: []step{
		{str("a|size=11|"), hear("ERROR|code=too-large|upload=1|")},
	}},
	{name: "blob too large", adapt: limit(10), steps: []step{
		{data(2, "0123456789a"), hear("ERROR|code=too-large|")},
	}},
	{name: "stream too large", adapt: limit(10), steps: []step{
		{str("a|") + data(2, "0123456789"), hear(ok(1))},
		{data(2, "a"), hear("ERROR|code=too-large|upload=1|")},
		{data(2, "b") + end("0123456789ab"), nil},
	}},
	{name: "more than announced", steps: []step{
		{str("a|size=1|") + data(2, "ab"), hear(ok(1), "ERROR|code=mismatch|upload=1|")},
		{data(2, "cd") + str("CANCEL|"), nil},
	}},
	{name: "less than announced, although END agrees with what came", steps: []step{
		{str("a|size=3|") + data(2, "ab") + end("ab"), hear(ok(1), "ERROR|code=mismatch|upload=1|")},
	}},
	{name: "END with another size", steps: []step{
		{str("a|") + data(2, "ab") + str("END|size=3|crc64nvme="+crc("ab")+"|"), hear(ok(1), "ERROR|code=mismatch|upload=1|")},
	}},
	{name: "END with another digest", steps: []step{
		{str("a|size=2|") + data(2, "ab") + str("END|size=2|crc64nvme="+crc("ba")+"|"), hear(ok(1), "ERROR|code=mismatch|upload=1|")},
	}},
	{name: "CANCEL before contents, and between them", steps: []step{
		{str("a|") + str("CANCEL|"), hear(ok(1), "ERROR|code=cancelled|upload=1|")},
		{str("a|size=9|") + data(2, "ab") + str("CANCEL|"), hear(ok(2), "ERROR|code=cancelled|upload=2|")},
	}},
	{name: "full in mid body, then END", adapt: fullAfter(3), steps: []step{
		{str("full|size=8|") + header(2, 6) + "0123", hear(ok(1), "ERROR|code=no-space|upload=1|")},
		{"45" + data(2, "67") + data(2, ""), nil},
		{end("01234567"), nil},
	}},
	{name: "full in mid body, then CANCEL, others are announced", adapt: fullAfter(1), steps: []step{
		{str("full|") + str("b|") + data(2, "01"), hear(ok(1), ok(2), "ERROR|code=no-space|upload=1|")},
		{str("full|") + str("CANCEL|") + str("CANCEL|"), hear(ok(3), "ERROR|code=cancelled|upload=2|")},
		{data(2, "x") + end("x"), hear("ERROR|code=no-space|upload=3|")},
	}},
	{name: "full in a blob", adapt: fullAfter(3), steps: []step{
		{header(2, 6) + "0123", hear("ERROR|code=no-space|")},
		{"45", nil},
	}},
	{name: "commit refused", adapt: failCommit(&wire.Error{Code: wire.CodeReadOnly, Text: "fsync failed"}), steps: []step{
		{str("a|") + data(2, "x") + end("x"), hear(ok(1), "ERROR|code=read-only|upload=1|")},
		{data(2, "x"), hear("ERROR|code=read-only|")},
	}},
	{name: "commit fails", adapt: failCommit(errors.New("secret")), steps: []step{
		{str("a|") + data(2, "x") + end("x"), hear(ok(1), "ERROR|code=internal|upload=1|")},
		{data(2, "x"), hear("ERROR|code=internal|")},
	}},
}

func TestRefusals(t *testing.T) {
	for _, c := range refusals {
		c.steps = append(c.steps, step{str("still there"), hear("Message: still there")})
		c.did = append(c.did, "say still there")
		t.Run(c.name, c.run)
	}
}

// After these the server closes the connection.
func TestProtocolErrors(t *testing.T) {
	protocol := hear("ERROR|code=protocol|")
	long := string([]byte{1, 0x01, 0x10}) // 4097
	tests := []conversation{
		{name: "unknown type at once", steps: []step{{"\x0a", protocol}}},
		{name: "unknown type later", steps: []step{{str("a|") + "\x0a", append(hear(ok(1)), protocol...)}}},
		{name: "text where a message belongs", steps: []step{{data(3, "") + "GET /", append(hear(kept("#1", "")), protocol...)}},
			files: map[string]string{"#1": ""}, did: []string{"blob #1"}},
		{name: "text behind a size of one byte", steps: []step{{data(2, "") + "GET /", protocol}}},
		{name: "random bytes without a size", steps: []step{{"\x02" + strings.Repeat("\xff", 1000), protocol}}},
		{name: "long String", steps: []step{{str("a|") + long, append(hear(ok(1)), protocol...)}}},
		{name: "not UTF-8", steps: []step{{str("a\xffb"), protocol}}},
		{name: "name not UTF-8", steps: []step{{str("a\xc5|"), protocol}}},
		{name: "END of nothing", steps: []step{{end(""), protocol}}},
		{name: "END of a refused announcement", adapt: limit(1), steps: []step{
			{str("a|size=2|") + end(""), append(hear("ERROR|code=too-large|upload=1|"), protocol...)}}},
		{name: "CANCEL of nothing", steps: []step{{str("CANCEL|"), protocol}}},
		{name: "CANCEL after END", steps: []step{{str("a|") + end("") + str("CANCEL|"), append(hear(ok(1), saved(1, "a", "")), protocol...)}},
			files: map[string]string{"a": ""}, did: []string{"upload a"}},
		{name: "END without a size", steps: []step{{str("a|") + str("END|crc64nvme="+crc("")+"|"), append(hear(ok(1)), protocol...)}}},
		{name: "END without a digest", steps: []step{{str("a|") + str("END|size=0|"), append(hear(ok(1)), protocol...)}}},
		{name: "END with a short digest", steps: []step{{str("a|") + str("END|size=0|crc64nvme=00|"), append(hear(ok(1)), protocol...)}}},
		{name: "END with another's digest", steps: []step{
			{str("a|digest=sha256|") + end(""), append(hear(ok(1)), protocol...)}}},
	}
	for _, c := range tests {
		c.ends = true
		t.Run(c.name, c.run)
	}
}

func TestAnnouncedAhead(t *testing.T) {
	serve(t, nil, func(w *world) {
		p := w.dial()
		var want []string
		for i := range wire.MaxAhead {
			p.send(str(fmt.Sprintf("f%d|", i)))
			want = append(want, ok(i+1))
		}
		p.hear(want...)
		p.send(str("one too many|"))
		p.hear("ERROR|code=too-many|upload=129|")
		p.send(end(""))
		p.hear(saved(1, "f0", ""))
		p.send(str("f129|"), str("again|"))
		p.hear(ok(130), "ERROR|code=too-many|upload=131|")
		p.send(data(2, "x"), end("x"))
		p.hear(saved(2, "f1", "x"))
		if n := len(w.store.announced); n != 129 {
			t.Errorf("the store was asked for %d files", n)
		}
		p.Close()
	})
}

// TestHugeRefusedData has bodies that nobody wants to read to their ends.
func TestHugeRefusedData(t *testing.T) {
	const most = 64 << 20
	tests := []struct {
		name  string
		kind  byte
		size  uint64
		stays bool
	}{
		{"64 MiB are read", 6, most, true},
		{"one more is not", 6, most + 1, false},
		{"2 to the 63", 9, 1 << 63, false},
		{"all bits", 9, 1<<64 - 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serve(t, limit(10), func(w *world) {
				p := w.dial()
				p.send(str("a|"), header(tt.kind, tt.size))
				p.hear(ok(1), "ERROR|code=too-large|upload=1|")
				if !tt.stays {
					p.wantClosed()
					return
				}
				chunk := strings.Repeat("x", 1<<20)
				for range most / len(chunk) {
					p.send(chunk)
				}
				p.send(str("CANCEL|"), str("hi"))
				p.hear("Message: hi")
				p.Close()
			})
		})
	}
}

// TestHugeBlobIsRefused is the same without an upload.
func TestHugeBlobIsRefused(t *testing.T) {
	for _, size := range []uint64{1<<40 + 1, 1 << 63, 1<<64 - 1} {
		t.Run(fmt.Sprint(size), conversation{
			steps: []step{{header(9, size), hear("ERROR|code=too-large|")}},
			ends:  true,
		}.run)
	}
}
