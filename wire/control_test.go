package wire_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/wire"
)

func TestParseControl(t *testing.T) {
	type fields = []wire.Field
	tests := []struct {
		text string // with "|" for NUL
		want wire.Control
		err  error
	}{
		{"END|", wire.Control{Word: "END"}, nil},
		{"|", wire.Control{}, nil},
		{"a b=c|size=1|", wire.Control{Word: "a b=c", Fields: fields{{"size", "1"}}}, nil},
		{"a|k=|k=v=w|", wire.Control{Word: "a", Fields: fields{{"k", ""}, {"k", "v=w"}}}, nil},
		{"", wire.Control{}, wire.ErrControl},
		{"END", wire.Control{}, wire.ErrControl},
		{"a|k=v", wire.Control{}, wire.ErrControl},
		{"a|k|", wire.Control{}, wire.ErrControl},
		{"a|=v|", wire.Control{}, wire.ErrControl},
		{"a||", wire.Control{}, wire.ErrControl},
	}
	for _, tt := range tests {
		text := strings.ReplaceAll(tt.text, "|", "\x00")
		got, err := wire.ParseControl(text)
		if diff := cmp.Diff(tt.want, got); diff != "" || err != tt.err {
			t.Errorf("%q: %v (-want +got):\n%s", tt.text, err, diff)
		}
		if err == nil && got.Text() != text {
			t.Errorf("%q encodes to %q", tt.text, got.Text())
		}
		if wire.IsControl(text) != strings.Contains(tt.text, "|") {
			t.Errorf("IsControl(%q) is %v", tt.text, wire.IsControl(text))
		}
	}
}

func TestControlGet(t *testing.T) {
	c := wire.Control{Fields: []wire.Field{{"a", "1"}, {"b", "2"}, {"a", "3"}}}
	for key, want := range map[string]string{"a": "1", "b": "2", "c": "", "": ""} {
		if got := c.Get(key); got != want {
			t.Errorf("Get(%q) is %q, want %q", key, got, want)
		}
	}
}

func FuzzParseControl(f *testing.F) {
	for _, text := range []string{"", "a", "END\x00", "f\x00size=1\x00", "\x00", "\x00\x00", "a\x00=\x00", "a\x00k=v", "a\x00k=\x00k==\x00"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := wire.ParseControl(text)
		if err != nil {
			return
		}
		if got := c.Text(); got != text {
			t.Fatalf("%q decodes to %+v, which encodes to %q", text, c, got)
		}
		for _, field := range c.Fields {
			if field.Key == "" || strings.ContainsAny(field.Key, "=\x00") || strings.Contains(field.Value, "\x00") {
				t.Fatalf("%q has the field %+v", text, field)
			}
		}
	})
}

func TestDigests(t *testing.T) {
	want := map[string]string{
		"crc64nvme": "ae8b14860a799888", // the check value of the specification
		"blake3":    "b7d65b48420d1033cb2595293263b6f72eabee20d55e699d0df1973b3c9deed1",
		"sha256":    "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
	}
	for i, d := range wire.Digests() {
		if got := sum(d, "123456789"); got != want[d.Name] {
			t.Errorf("%s of 123456789 is %s, want %s", d.Name, got, want[d.Name])
		}
		if byName, ok := wire.DigestByName(d.Name); !ok || byName.Name != d.Name {
			t.Errorf("DigestByName(%q) is %q, %v", d.Name, byName.Name, ok)
		}
		if byName, ok := wire.DigestByName(""); i == 0 && (!ok || byName.Name != d.Name) {
			t.Errorf("the default digest is %q, but %q comes first", byName.Name, d.Name)
		}
		delete(want, d.Name)
	}
	if len(want) > 0 {
		t.Errorf("Digests lacks %v", want)
	}
	if _, ok := wire.DigestByName("md5"); ok {
		t.Error("there is an md5")
	}
	wire.Digests()[0].Name = "changed"
	if wire.Digests()[0].Name != "crc64nvme" {
		t.Error("a caller of Digests can change them")
	}
	for _, b := range []string{"", "a", strings.Repeat("long", 100_000)} {
		d, _ := wire.DigestByName("crc64nvme")
		if got := sum(d, b); got != crc(b) {
			t.Errorf("crc64nvme of %d bytes is %s, by the standard library %s", len(b), got, crc(b))
		}
		if raw, err := hex.DecodeString(crc(b)); err != nil || (wire.Sum{Digest: raw}).Hex() != crc(b) {
			t.Errorf("Hex does not give the digits of %s", crc(b))
		}
	}
}

// TestRetryable holds the table of the specification.
func TestRetryable(t *testing.T) {
	want := map[wire.Code]bool{
		wire.CodeProtocol: false, wire.CodeUnsupported: false, wire.CodeName: false, wire.CodeExists: false,
		wire.CodeTooLarge: false, wire.CodeTooMany: true, wire.CodeMismatch: true, wire.CodeCancelled: false,
		wire.CodeInUse: true, wire.CodeSuperseded: false, wire.CodeNoSpace: false, wire.CodeReadOnly: false, wire.CodeTimeout: true, wire.CodeShutdown: true,
		wire.CodeInternal: false, "unheard-of": false,
	}
	for code, later := range want {
		if code.Retryable() != later {
			t.Errorf("%s: Retryable is %v", code, !later)
		}
	}
}

func TestErrorText(t *testing.T) {
	err := &wire.Error{Code: wire.CodeNoSpace, Text: "the disk is full"}
	if got := err.Error(); got != "the disk is full (no-space)" {
		t.Errorf("Error: %q", got)
	}
}

func TestParseLab(t *testing.T) {
	for s, want := range map[string]wire.Lab{
		"1": wire.Lab1, "2": wire.Lab2, "3": wire.Lab3, "4": wire.Lab4, "5": wire.Lab5, "6": wire.Lab6, "extra": wire.LabExtra,
	} {
		got, err := wire.ParseLab(s)
		if got != want || err != nil || got.String() != s {
			t.Errorf("ParseLab(%q) is %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "0", "7", "06", "Extra", " 6"} {
		if got, err := wire.ParseLab(s); err == nil {
			t.Errorf("ParseLab(%q) is %v", s, got)
		}
	}
}
