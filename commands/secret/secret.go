package commands

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
)

// readSecret reads a file with a key or token, which nobody else may read.
func readSecret(file, what string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if mode := fi.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return nil, &exposedSecret{file, what, mode}
	}
	return io.ReadAll(io.LimitReader(f, 64<<10))
}

// An exposedSecret is one that others than the owner of its file may read.
type exposedSecret struct {
	file, what string
	mode       fs.FileMode
}

func (e *exposedSecret) Error() string {
	return fmt.Sprintf("others can read or change this %s (mode %04o)", e.what, e.mode)
}

func (e *exposedSecret) Describe() description {
	return description{kind: "exposed-" + e.what, hint: e.hint()}
}

func (e *exposedSecret) hint() string {
	hint := "chmod 600 " + printable(e.file) + ", or "
	if e.what == "token" {
		return hint + "replace it if others may have read it"
	}
	return hint + "remove it if others may have read it; a new one has another fingerprint"
}
