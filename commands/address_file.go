package commands

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/labnet/labnet/commands/problem"
)

// An addrFile is the file of --addr-file, which appears complete, and only once the
// server will serve. Without a name it does nothing.
type addrFile struct{ name, made string }

// makeAddrFile writes the addresses, each on a line, into a file that has another name
// at first.
func makeAddrFile(name string, listeners []net.Listener) (*addrFile, error) {
	f := &addrFile{name: name}
	if name == "" {
		return f, nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return nil, f.problem(err)
	}
	f.made = tmp.Name()
	for _, l := range listeners {
		_, e := fmt.Fprintln(tmp, l.Addr())
		err = errors.Join(err, e)
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		f.remove()
		return nil, f.problem(err)
	}
	return f, nil
}

// folder is where the file appears; none if there is no file.
func (f *addrFile) folder() string {
	if f.name == "" {
		return ""
	}
	return filepath.Dir(f.name)
}

// appear gives the file its name.
func (f *addrFile) appear() error {
	if f.name == "" {
		return nil
	}
	if err := os.Rename(f.made, f.name); err != nil {
		return f.problem(err)
	}
	f.made = f.name
	return nil
}

// remove removes the file, whatever it is called.
func (f *addrFile) remove() {
	if f != nil && f.made != "" {
		os.Remove(f.made)
	}
}

func (f *addrFile) problem(err error) error { return problem.Item("--addr-file "+f.name, err) }
