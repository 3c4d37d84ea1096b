//go:build labnet_no_s3

package commands

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// withObjects is the program that this one becomes for an object store. It is
// labnet, too, but with the library for that, which makes every start of a
// program slower: half as long again, where that is all a client of a small file
// does.
const withObjects = "labnet-s3"

// errNoObjects means that this binary is one for clients only, and alone.
var errNoObjects = fmt.Errorf("this labnet was built without object stores, and there is no %s beside it", withObjects)

// checkObjectStore leaves what is wrong with a location to the other program.
func checkObjectStore(string, func(string) string) error { return nil }

// openObjectStore has the program go on as the other one. It returns only if
// that fails.
func openObjectStore(context.Context, serveOptions) (keptStore, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	other := filepath.Join(filepath.Dir(self), withObjects)
	if runtime.GOOS == "windows" {
		other += ".exe"
	}
	if _, err := exec.LookPath(other); err != nil {
		return nil, errNoObjects
	}
	return nil, become(other, os.Args)
}

// objectStoreNeeds is the other program's.
func objectStoreNeeds(string) sandbox { return sandbox{} }
