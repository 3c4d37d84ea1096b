package invite

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sample() *Invitation {
	key := sha256.Sum256([]byte("a key"))
	return &Invitation{
		Addrs: []string{"lab.example.org:9000", "192.0.2.7:9000", "[2001:db8::7]:9001"}, Key: key[:],
		Token: "kq3vG0yJm1x8Zl2Q9eR4tUu7W6pSaBcDfEhIjKnOr5M", User: "alice",
		Until: time.Date(2026, 12, 31, 18, 0, 0, 0, time.UTC), Server: "lab",
		Extra: []Field{{7, []byte("from the future")}, {127, nil}},
	}
}

func line(t testing.TB, inv *Invitation) string {
	t.Helper()
	text, err := inv.Encode()
	must(t, err)
	return text
}

var emptyIsNil = cmp.Transformer("emptyIsNil", func(b []byte) string { return string(b) })

// TestThereAndBack: what is encoded is decoded, however it was carried.
func TestThereAndBack(t *testing.T) {
	whole := line(t, sample())
	wrap := func(end string) string {
		var b strings.Builder
		for i, r := range whole {
			if i > 0 && i%60 == 0 {
				b.WriteString(end)
			}
			b.WriteRune(r)
		}
		return b.String()
	}
	for what, text := range map[string]string{
		"alone": whole, "a line": whole + "\r\n", "capitals": strings.ToUpper(whole),
		"wrapped": wrap("\r\n"), "indented": wrap("\n\t"), "quoted": "> " + wrap("\n> "), "quoted-printable": wrap("=\n"),
		"hyphens": wrap("-\n"), "soft breaks": wrap("\u200b"), "quotes": `"` + whole + `"`, "brackets": "<" + whole + ">",
		"a mail": "Hello Alice,\n\n" + wrap("\n") + "\n\nregards, labnet2-x\n", "look-alikes": strings.NewReplacer("1", "l", "0", "O").Replace(whole),
	} {
		if what == "look-alikes" {
			text = Prefix + text[len(Prefix):]
		}
		got, err := Decode(text)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if diff := cmp.Diff(sample(), got, emptyIsNil); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

// TestEveryWrongLetter: no single letter can be wrong, missing, doubled or swapped
// unnoticed, and no end can be missing.
func TestEveryWrongLetter(t *testing.T) {
	whole := line(t, sample())
	const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
	fails := func(text string) {
		t.Helper()
		_, err := Decode(text)
		cut, isCut := errors.AsType[*CutError](err)
		if err != ErrMistyped && (!isCut || cut.Got == cut.Want) {
			t.Errorf("%s: error %v", text, err)
		}
	}
	for i := len(Prefix); i < len(whole); i++ {
		for _, r := range alphabet + "u" {
			if byte(r) != whole[i] {
				fails(whole[:i] + string(r) + whole[i+1:])
			}
		}
		fails(whole[:i] + whole[i+1:])
		if i+1 < len(whole) && whole[i] != whole[i+1] {
			fails(whole[:i] + whole[i+1:i+2] + whole[i:i+1] + whole[i+2:])
			fails(whole[:i] + whole[i+1:i+2] + whole[i:])
		}
		_, err := Decode(whole[:i])
		if _, isCut := errors.AsType[*CutError](err); !isCut {
			t.Errorf("the first %d letters: error %v", i-len(Prefix), err)
		}
	}
}

// TestNotInvitations: what else there may be, and the error says so.
func TestNotInvitations(t *testing.T) {
	edited := func(edit func(*Invitation)) string {
		inv := sample()
		edit(inv)
		_, err := inv.Encode()
		return fmt.Sprint(err)
	}
	for got, want := range map[string]string{
		fmt.Sprint(decoded("")):                               "this is not an invitation",
		fmt.Sprint(decoded("lab.example.org:9000")):           "this is not an invitation",
		fmt.Sprint(decoded(" labnet2-0123 ")):                 "the invitation is for a newer version of labnet",
		fmt.Sprint(decoded("labnet1-")):                       "the invitation is cut off",
		fmt.Sprint(decoded("labnet1-zzzzzzzz")):               "the invitation contains a typing error: its checksum does not match",
		edited(func(i *Invitation) { i.Addrs = nil }):         "the invitation is malformed: it lacks an address, a token or a name",
		edited(func(i *Invitation) { i.Addrs[0] = "lab" }):    "the invitation is malformed: it contains an address that is not HOST:PORT",
		edited(func(i *Invitation) { i.Key = []byte{1} }):     "the invitation is malformed: its fingerprint is not of 32 bytes",
		edited(func(i *Invitation) { i.Token = "short" }):     "the invitation is malformed: its token is not valid",
		edited(func(i *Invitation) { i.User = "\x1b[2J" }):    "the invitation is malformed: its user's name is not valid",
		edited(func(i *Invitation) { i.Server = "a\nb" }):     "the invitation is malformed: its server's name is not valid",
		edited(func(i *Invitation) { i.Extra[0].Type = 200 }): "the invitation is for a newer version of labnet",
	} {
		if got != want {
			t.Errorf("error %q, want %q", got, want)
		}
	}
	for _, addr := range []string{"", ":9000", "lab:", "lab:0", "lab:http", "lab:70000", "a b:1", "user@lab:1", "lab:9000/x", "\u202elab:1"} {
		if got := edited(func(i *Invitation) { i.Addrs[1] = addr }); !strings.Contains(got, "not HOST:PORT") {
			t.Errorf("%q: error %s", addr, got)
		}
	}
	if got := edited(func(i *Invitation) {
		i.Addrs = make([]string, 17)
		for k := range i.Addrs {
			i.Addrs[k] = "a:1"
		}
	}); !strings.Contains(got, "more than 16") {
		t.Errorf("error %s", got)
	}
}

func decoded(text string) error {
	_, err := Decode(text)
	return err
}

// FuzzDecode: whatever is pasted, decoding ends, and what it accepts is what would be
// encoded again.
func FuzzDecode(f *testing.F) {
	whole := line(f, sample())
	small := &Invitation{Addrs: []string{"a:1"}, Token: strings.Repeat("x", 16), User: "a"}
	for _, text := range []string{whole, line(f, small), whole[:50], "> " + whole, "labnet1-0000", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		inv, err := Decode(text)
		if err != nil {
			return
		}
		again, err := Decode(line(t, inv))
		must(t, err)
		if diff := cmp.Diff(inv, again, emptyIsNil); diff != "" {
			t.Errorf("%s", diff)
		}
	})
}

// FuzzFields: as FuzzDecode for what is inside, since the checksum keeps a fuzzer out.
func FuzzFields(f *testing.F) {
	fields, err := unwrap(strings.TrimPrefix(line(f, sample()), Prefix))
	must(f, err)
	f.Add(fields)
	f.Add([]byte{1, 0})
	f.Fuzz(func(t *testing.T, fields []byte) {
		inv, err := parse(bytes.Clone(fields))
		if err != nil || len(fields) > maxFields {
			return
		}
		again, err := Decode(line(t, inv))
		must(t, err)
		if diff := cmp.Diff(inv, again, emptyIsNil); diff != "" {
			t.Errorf("%s", diff)
		}
	})
}

// TestDocumented: what docs/invitation.md shows is an invitation, and its program
// writes it.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/invitation.md")
	must(t, err)
	_, example, _ := strings.Cut(string(page), "prints, wrapped here,")
	got, err := Decode(example)
	must(t, err)
	key := sha256.Sum256([]byte("not really a key"))
	want := &Invitation{Addrs: []string{"lab.example.org:9000"}, Key: key[:], Token: "not-really-a-secret", User: "alice"}
	if diff := cmp.Diff(want, got, emptyIsNil); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("its program is in Python: ", err)
	}
	_, program, _ := strings.Cut(string(page), "```python\n")
	program, _, _ = strings.Cut(program, "```")
	out, err := exec.Command(python, "-c", program).Output()
	must(t, err)
	if got := strings.TrimSpace(string(out)); got != line(t, want) {
		t.Errorf("the program prints %s, want %s", got, line(t, want))
	}
}
