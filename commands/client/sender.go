package client

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// UploadID tells a file from others, from those of other senders, and from its
// own earlier contents. It need not be certain: what the server has of it is
// compared before it is continued.
func UploadID(file, name string, info fs.FileInfo) string {
	return idOf(sender(), place(file), name, info)
}

func idOf(sender, place, name string, info fs.FileInfo) string {
	t := info.ModTime()
	facts := fmt.Sprintf("%s\x00%s\x00%s\x00%d\x00%d.%09d", sender, place, name, info.Size(), t.Unix(), t.Nanosecond())
	return fmt.Sprintf("%.16x", sha256.Sum256([]byte(facts)))
}

// place is where a file is, from whatever folder and by whatever link it is named.
func place(file string) string {
	if abs, err := filepath.Abs(file); err == nil {
		file = abs
	}
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	return file
}

// sender tells this user on this machine from all others. It is read when the
// first file needs it.
var sender = sync.OnceValue(func() string { return newSender(stateFolder()) })

func newSender(state string) string {
	machine := machineID()
	secret, err := keptSecret(state)
	if err != nil { // a home that cannot be written to, or none: the same user is still the same
		host, _ := os.Hostname()
		return machine + "\x00" + host + "\x00" + localUser()
	}
	return secret + "\x00" + machine // several machines may have the same home
}

// machineID is what the system tells itself from others by, or "".
func machineID() string {
	for _, file := range []string{"/etc/machine-id", "/etc/hostid"} {
		if b, err := os.ReadFile(file); err == nil && len(b) > 0 {
			return strings.TrimSpace(string(b))
		}
	}
	return ""
}

// stateFolder is where the client keeps what it needs from one run to the next, or
// "" if this user has no home.
func stateFolder() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "labnet")
	}
	home, err := os.UserHomeDir()
	if err != nil || !filepath.IsAbs(home) {
		return ""
	}
	if info, err := os.Stat(home); err != nil || !info.IsDir() {
		return ""
	}
	dir := filepath.Join(home, ".local", "state")
	switch runtime.GOOS {
	case "windows":
		dir, err = os.UserCacheDir() // the other one may be copied to other machines
	case "darwin", "ios":
		dir, err = os.UserConfigDir()
	}
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "labnet")
}

// secretName is the file of the secret: 64 hexadecimal digits.
const secretName = "sender"

var errNoState = errors.New("there is no folder for it")

// keptSecret returns the secret in a folder, and makes it if there is none. Of
// several processes that do so at once, all get the same.
func keptSecret(dir string) (string, error) {
	if dir == "" {
		return "", errNoState
	}
	file := filepath.Join(dir, secretName)
	secret, err := readSender(file)
	if err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNotSender) {
		return secret, err
	}
	if ownerOfHome(dir) != os.Geteuid() {
		return "", errNoState // sudo: a file of root's would be in the user's way
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := makeSecret(dir, file, errors.Is(err, errNotSender)); err != nil {
		return "", err
	}
	return readSender(file)
}

var errNotSender = errors.New("not a secret")

func readSender(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if raw, err := hex.DecodeString(string(b)); err != nil || len(raw) != sha256.Size {
		return "", errNotSender
	}
	return string(b), nil
}

// makeSecret puts a new secret in place, unless another process was first. A file
// appears complete.
func makeSecret(dir, file string, spoilt bool) error {
	f, err := os.CreateTemp(dir, secretName+".*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	b := make([]byte, sha256.Size)
	rand.Read(b)
	_, err = f.WriteString(hex.EncodeToString(b))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if spoilt {
		return os.Rename(f.Name(), file)
	}
	err = os.Link(f.Name(), file)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return os.Rename(f.Name(), file) // a filesystem without hard links
}
