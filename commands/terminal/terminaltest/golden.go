package terminaltest

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var Update = flag.Bool("update", false, "write the golden files")

// Golden compares with a file, or writes it.
func Golden(t *testing.T, file, got string) {
	t.Helper()
	if *Update {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wantLines := strings.Split(string(want), "\n")
	for i, line := range strings.Split(got, "\n") {
		if i >= len(wantLines) || line != wantLines[i] {
			t.Fatalf("%s:%d: got %q; if that is right, run the test with -update", file, i+1, line)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s is longer than what was got", file)
	}
}
