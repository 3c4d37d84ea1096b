package wire_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/wire"
)

// A conversation is what a client sends, what it hears, and what comes of it.
type conversation struct {
	name  string
	adapt func(*world)
	steps []step
	files map[string]string
	did   []string
	ends  bool // the server ends it
	lab   bool // replies are bare bytes
	fast  bool // the steps are many in one
}

type step struct {
	send string
	hear []string
}

func hear(replies ...string) []string { return replies }

func (c conversation) run(t *testing.T) {
	serve(t, c.adapt, func(w *world) {
		p := w.dial()
		for _, s := range c.steps {
			p.send(s.send)
			if c.fast {
				if diff := cmp.Diff(byOrder(s.hear), byOrder(decode(p.heard()))); diff != "" {
					t.Errorf("the server said (-want +got):\n%s", diff)
				}
			} else if c.lab {
				time.Sleep(500 * time.Millisecond) // the silence that ends a text, a few times
				p.hearBare(strings.Join(s.hear, ""))
			} else {
				p.hear(s.hear...)
			}
		}
		if c.ends {
			p.wantClosed()
		} else {
			p.wantOpen()
			p.CloseWrite()
			p.hear()
			p.wantClosed()
		}
		w.store.wantFiles(t, c.files)
		w.wantDidInAnyOrder(c.did...)
	})
}

func refuses(op func(wire.Announcement) error) func(*world) {
	return func(w *world) { w.store.onCreate = op }
}

func reply(template string) func(*world) { return func(w *world) { w.server.Reply = template } }

// conversations that go well.
var conversations = []conversation{
	{name: "say", steps: []step{
		{str("hello"), hear("Message: hello")},
		{str(""), hear("Message: ")},
		{str("żółw") + str("🐢"), hear("Message: żółw", "Message: 🐢")},
	}, did: []string{"say hello", "say", "say żółw", "say 🐢"}},

	{name: "say by template", adapt: reply("{}, {}!"), steps: []step{
		{str("ah"), hear("ah, ah!")},
	}, did: []string{"say ah"}},

	{name: "say what reads like a template or a request", steps: []step{
		{str("{}"), hear("Message: {}")},
		{str("END"), hear("Message: END")},
	}, did: []string{"say {}", "say END"}},

	{name: "blob", steps: []step{
		{data(2, "hello"), hear(kept("#1", "hello"))},
		{data(2, "hello"), hear(kept("#2", "hello"))},
		{data(2, ""), hear(kept("#3", ""))},
	}, files: map[string]string{"#1": "hello", "#2": "hello", "#3": ""},
		did: []string{"blob #1", "blob #2", "blob #3"}},

	{name: "upload", steps: []step{
		{str("report.pdf|size=10|"), hear(ok(1))},
		{data(2, "01234") + data(3, "56789"), nil},
		{end("0123456789"), hear(saved(1, "report.pdf", "0123456789"))},
	}, files: map[string]string{"report.pdf": "0123456789"}, did: []string{"upload report.pdf"}},

	{name: "upload of unknown size, in pieces and with empty Data", steps: []step{
		{str("stream|"), hear(ok(1))},
		{data(2, "") + data(2, "ab") + data(9, "") + data(5, "c") + data(2, ""), nil},
		{end("abc"), hear(saved(1, "stream", "abc"))},
	}, files: map[string]string{"stream": "abc"}, did: []string{"upload stream"}},

	{name: "empty files", steps: []step{
		{str("a|size=0|"), hear(ok(1))},
		{end(""), hear(saved(1, "a", ""))},
		{str("b|"), hear(ok(2))},
		{data(2, ""), nil},
		{end(""), hear(saved(2, "b", ""))},
	}, files: map[string]string{"a": "", "b": ""}, did: []string{"upload a", "upload b"}},

	{name: "a name by the server, and names like words", steps: []step{
		{str("|size=1|"), hear(ok(1))},
		{data(2, "x") + end("x"), hear(saved(1, "#1", "x"))},
		{str("./END|size=0|"), hear(ok(2))},
		{end(""), hear(saved(2, "END", ""))},
		{str("./AUTH|") + end(""), hear(ok(3), saved(3, "AUTH", ""))},
		{str("./a/b|") + end(""), hear(ok(4), saved(4, "a/b", ""))},
		{str("OK|") + end(""), hear(ok(5), saved(5, "OK", ""))},
		{str("end|") + end(""), hear(ok(6), saved(6, "end", ""))},
	}, files: map[string]string{"#1": "x", "END": "", "AUTH": "", "a/b": "", "OK": "", "end": ""},
		did: []string{"upload #1", "upload END", "upload AUTH", "upload a/b", "upload OK", "upload end"}},

	{name: "reserved words", steps: []step{
		{str("./RESTART|size=0|") + end(""), hear(ok(1), saved(1, "RESTART", ""))},
		{str("HELLO|") + str("HELLO|token=x|"), hear("ERROR|code=unsupported|", "ERROR|code=unsupported|")},
		{str("a|") + end(""), hear(ok(2), saved(2, "a", ""))},
	}, files: map[string]string{"RESTART": "", "a": ""}, did: []string{"upload RESTART", "upload a"}},

	{name: "field without a key", steps: []step{
		{str("a|size=1|colour=blue|=|"), hear("ERROR|code=protocol|")},
	}, ends: true},

	{name: "unknown fields are ignored, of two the first counts", steps: []step{
		{str("a|colour=a=b|size=1|size=7|x=|"), hear(ok(1))},
		{data(2, "x") + str("END|why=|size=1|crc64nvme="+crc("x")+"|size=2|"), hear(saved(1, "a", "x"))},
		{str("b|") + str("CANCEL|why=bored|"), hear(ok(2), "ERROR|code=cancelled|upload=2|")},
	}, files: map[string]string{"a": "x"}, did: []string{"upload a"}},

	{name: "sha256", steps: []step{
		{str("a|size=3|digest=sha256|"), hear(ok(1))},
		{data(2, "abc"), nil},
		{str("END|size=3|sha256=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad|"),
			hear("SAVED|upload=1|name=a|size=3|sha256=ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad|")},
	}, files: map[string]string{"a": "abc"}, did: []string{"upload a"}},

	{name: "same again and another under the name", steps: []step{
		{str("a|") + data(2, "x") + end("x"), hear(ok(1), saved(1, "a", "x"))},
		{str("a|") + data(2, "x") + end("x"), hear(ok(2), saved(2, "a", "x")+"unchanged=1|")},
		{str("a|") + data(2, "y") + end("y"), hear(ok(3), saved(3, "a#2", "y"))},
	}, files: map[string]string{"a": "x", "a#2": "y"}, did: []string{"upload a", "upload a", "upload a#2"}},

	{name: "announced ahead, and everything in between", steps: []step{
		{str("a|size=1|") + str("b|size=2|") + str("c|"), hear(ok(1), ok(2), ok(3))},
		{data(2, "A") + str("how goes it"), hear("Message: how goes it")},
		{end("A") + data(2, "B"), hear(saved(1, "a", "A"))},
		{str("d|size=0|"), hear(ok(4))},
		{data(2, "B") + end("BB") + str("CANCEL|"), hear(saved(2, "b", "BB"), "ERROR|code=cancelled|upload=3|")},
		{end("") + data(2, "blob"), hear(saved(4, "d", ""), kept("#1", "blob"))},
	}, files: map[string]string{"a": "A", "b": "BB", "d": "", "#1": "blob"},
		did: []string{"say how goes it", "upload a", "upload b", "upload d", "blob #1"}},

	{name: "refusal in the middle of announcements", adapt: refuses(func(a wire.Announcement) error {
		if a.Name == "b" {
			return &wire.Error{Code: wire.CodeName, Text: "no b here"}
		}
		return nil
	}), steps: []step{
		{str("a|") + str("b|") + str("c|"), hear(ok(1), "ERROR|code=bad-name|upload=2|", ok(3))},
		{data(2, "A") + end("A") + data(2, "C") + end("C"), hear(saved(1, "a", "A"), saved(3, "c", "C"))},
	}, files: map[string]string{"a": "A", "c": "C"}, did: []string{"upload a", "upload c"}},
}

func TestConversations(t *testing.T) {
	for _, c := range conversations {
		t.Run(c.name, c.run)
	}
}

// TestOnePacket sends each conversation in a single write: what was read
// beyond one message begins the next.
func TestOnePacket(t *testing.T) {
	for _, c := range conversations {
		one := c
		one.fast = true
		one.steps = []step{{}}
		for _, s := range c.steps {
			one.steps[0].send += s.send
			one.steps[0].hear = append(one.steps[0].hear, s.hear...)
		}
		t.Run(c.name, one.run)
	}
}

func TestEveryTypeOfData(t *testing.T) {
	for kind := byte(2); kind <= 9; kind++ {
		for _, body := range []string{"", "x", strings.Repeat("long ", 30)} {
			t.Run(fmt.Sprintf("%d bytes in type %d", len(body), kind), conversation{
				steps: []step{
					{data(kind, body), hear(kept("#1", body))},
					{str("f|") + data(kind, body) + end(body), hear(ok(1), saved(1, "f", body))},
				},
				files: map[string]string{"#1": body, "f": body},
				did:   []string{"blob #1", "upload f"},
			}.run)
		}
	}
}

// TestReplyHasRoom has replies that are longer than any request.
func TestReplyHasRoom(t *testing.T) {
	a, turtles := strings.Repeat("a", 4096), strings.Repeat("🐢", 1024)
	tests := []struct{ name, template, text, want string }{
		{"default", "", a, "Message: " + a},
		{"wide characters", "", turtles, "Message: " + turtles},
		{"the longest", strings.Repeat("{}", 15) + strings.Repeat("x", 4095), a, strings.Repeat("a", 15*4096) + strings.Repeat("x", 4095)},
		{"template that is not UTF-8", "\xff{}", "a", "\uFFFDa"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			serve(t, reply(tt.template), func(w *world) {
				p := w.dial()
				p.send(str(tt.text))
				p.hear(tt.want)
				p.Close()
				c := w.client()
				defer c.Close()
				if got, err := c.Say(bg, tt.text); got != tt.want || err != nil {
					t.Errorf("the client reads %d bytes, %v; want %d", len(got), err, len(tt.want))
				}
			})
		})
	}
}

// TestRawReplyHasRoom is the same for the dialect of Task 3, recognised and told.
func TestRawReplyHasRoom(t *testing.T) {
	text := strings.Repeat("a", 4096)
	for _, task := range []wire.Lab{0, wire.Lab3} {
		serve(t, func(w *world) { w.server.Lab = task }, func(w *world) {
			p := w.dial()
			p.send(text)
			time.Sleep(100 * time.Millisecond) // it could be the beginning of a request line
			p.hearBare("Message: " + text)
			p.wantClosed()
		})
	}
}

// TestReplyMustFit has templates that a server must not be started with.
func TestReplyMustFit(t *testing.T) {
	for _, template := range []string{strings.Repeat("{}", 16), strings.Repeat("{}", 15) + strings.Repeat("x", 4096), strings.Repeat("\xff{}", 15) + strings.Repeat("x", 4093), "a\x00b"} {
		l := newListener()
		w := &wire.Server{Store: &store{}, Reply: template}
		if err := w.Serve(l); err == nil || err == wire.ErrServerClosed {
			t.Errorf("a server with a reply of %d bytes serves: %v", len(template), err)
		}
	}
	few := wire.Limits{MaxMessage: 100}
	if err := few.CheckReply(strings.Repeat("{}", 655)); err != nil {
		t.Error(err)
	}
	if err := few.CheckReply(strings.Repeat("{}", 656)); err == nil {
		t.Error("65600 bytes would fit")
	}
}

// TestManyLongRepliesOwed holds long replies back by a file whose publication
// takes long: a server that owes much does not read on.
func TestManyLongRepliesOwed(t *testing.T) {
	var release chan struct{}
	serve(t, func(w *world) {
		release = make(chan struct{})
		w.server.Reply = strings.Repeat("{}", 15)
		w.store.onCommit = func(*file) error { <-release; return nil }
	}, func(w *world) {
		const many = 100
		text := strings.Repeat("a", 4096)
		p := w.dial()
		p.send(str("f|size=0|"), end(""))
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			p.send(strings.Repeat(str(text), many))
		}()
		synctest.Wait()
		if n := len(w.did()); n > 6 {
			t.Errorf("%d replies of 60 KiB are held back", n)
		}
		close(release)
		<-sent
		want := []string{ok(1), saved(1, "f", "")}
		for range many {
			want = append(want, strings.Repeat(text, 15))
		}
		p.hear(want...)
		p.Close()
	})
}

func TestAnnouncementFields(t *testing.T) {
	type ann = wire.Announcement
	tests := []struct {
		fields string
		want   ann // except for its digest
	}{
		{"", ann{Size: -1}},
		{"size=0|", ann{Size: 0}},
		{"size=1099511627776|", ann{Size: 1 << 40}},
		{"size=10|allocated=4|", ann{Size: 10, Holes: 6}},
		{"size=10|allocated=0|", ann{Size: 10, Holes: 10}},
		{"size=10|allocated=12|", ann{Size: 10}},
		{"allocated=12|", ann{Size: -1}},
		{"mtime=1732285920.123456789|", ann{Size: -1, ModTime: time.Unix(1732285920, 123456789)}},
		{"mtime=1732285920.5|", ann{Size: -1, ModTime: time.Unix(1732285920, 500000000)}},
		{"mtime=1732285920|", ann{Size: -1, ModTime: time.Unix(1732285920, 0)}},
		{"mtime=-2.75|", ann{Size: -1, ModTime: time.Unix(-2, 750000000)}},
		{"mtime=-62135596799|", ann{Size: -1, ModTime: time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)}},
		{"mtime=253402300799.999999999|", ann{Size: -1, ModTime: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)}},
		{"mtime=253402300800|", ann{Size: -1}},
		{"mtime=-62135596801.5|", ann{Size: -1}},
		{"mtime=9223372036854775807|", ann{Size: -1}},
		{"mtime=-9223372036854775808|", ann{Size: -1}},
		{"mode=0644|", ann{Size: -1, Mode: 0o644, HasMode: true}},
		{"mode=755|", ann{Size: -1, Mode: 0o755, HasMode: true}},
		{"mode=0000|", ann{Size: -1, HasMode: true}},
		{"mode=104755|", ann{Size: -1, Mode: 0o755, HasMode: true}},
		{"digest=crc64nvme|", ann{Size: -1}},
		{"replace=0|", ann{Size: -1, Replace: wire.ReplaceNone}},
		{"replace=other|", ann{Size: -1, Replace: wire.ReplaceOther}},
		{"replace=later|", ann{Size: -1, Replace: wire.ReplaceNone}},
	}
	for _, tt := range tests {
		t.Run(tt.fields, func(t *testing.T) {
			serve(t, nil, func(w *world) {
				p := w.dial()
				p.send(str("f|" + tt.fields))
				p.hear(ok(1))
				got := w.store.announced[0]
				if got.Name != "f" || got.Replace != tt.want.Replace || got.Size != tt.want.Size || got.Holes != tt.want.Holes || got.Mode != tt.want.Mode || got.HasMode != tt.want.HasMode || !got.ModTime.Equal(tt.want.ModTime) {
					t.Errorf("the store was told %+v, want %+v", got, tt.want)
				}
				if got.Digest.Name != "crc64nvme" {
					t.Errorf("digest %q", got.Digest.Name)
				}
				p.Close()
			})
		})
	}
}

func TestMalformedFields(t *testing.T) {
	for _, fields := range []string{
		"size", "size=1", "=1|", "|", "x|", "size=-1|", "size=+1|", "size=1k|", "size=0x1|", "size= 1|",
		"size=9223372036854775808|", "mtime=x|", "mtime=1.1234567890|", "mtime=1.+5|", "mtime=1.-5|",
		"mtime=1,5|", "mode=8|", "mode=0o644|", "mode=-1|", "mode=rw|",
	} {
		t.Run(fields, conversation{
			steps: []step{{str("f|" + fields), hear("ERROR|code=protocol|")}},
			ends:  true,
		}.run)
	}
}
