package invite

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/labnet/labnet/commands/atomicfile"
	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/secret"
	"github.com/labnet/labnet/wire"
)

// A Server is one that a user has joined.
type Server struct {
	Name        string    `json:"name"`                  // what the user calls it
	Addrs       []string  `json:"addrs"`                 // HOST:PORT, the best first
	Fingerprint string    `json:"fingerprint,omitempty"` // as wire.Fingerprint; "": a certificate that the system trusts
	User        string    `json:"user"`
	Token       string    `json:"token"`
	Until       time.Time `json:"until,omitzero"` // when the token ends
}

// savedServers is what is in the file; the first one is the default.
type savedServers struct {
	Servers []Server `json:"servers"`
}

// ServerOf is the server of an invitation. Without a name, it is called as the
// invitation says, or by the host of its first address.
func ServerOf(inv *Invitation, name string) Server {
	s := Server{Name: name, Addrs: inv.Addrs, User: inv.User, Token: inv.Token, Until: inv.Until}
	if inv.Key != nil {
		s.Fingerprint = wire.FingerprintPrefix + hex.EncodeToString(inv.Key)
	}
	for _, likely := range []string{inv.Server, hostOf(inv.Addrs[0])} {
		if s.Name == "" && IsServerName(likely) {
			s.Name = likely
		}
	}
	if s.Name == "" {
		s.Name = strings.Trim(strings.NewReplacer(":", "-", "%", "-").Replace(hostOf(inv.Addrs[0])), "-")
	}
	return s
}

func hostOf(addr string) string {
	host, _, _ := net.SplitHostPort(addr)
	return host
}

// IsServerName reports whether a saved server can be called so: letters, digits and
// . _ -, not a number, and not an address with a port.
func IsServerName(name string) bool {
	outside := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-')
	}
	return name != "" && len(name) <= maxText && !strings.ContainsFunc(name, outside) &&
		strings.Trim(name, "0123456789") != "" && name[0] != '-' && name[0] != '.'
}

// errNoFolder means that the system does not say where a user's settings are.
var errNoFolder = problem.New("there is no folder to save the server in: the system does not say where this user's settings are", "failed",
	"set HOME, or use LABNET_ADDR, LABNET_PIN and LABNET_TOKEN_FILE without joining")

// File returns the file that has a user's servers. It fails if the user has no folder
// for settings.
func File() (string, error) {
	folder, err := os.UserConfigDir()
	if err != nil || !filepath.IsAbs(folder) {
		return "", errNoFolder
	}
	return filepath.Join(folder, "labnet", "servers.json"), nil
}

// Servers returns the servers that a user has joined, the default first. A user
// without a folder for settings has none. A file that others can read is an error.
func Servers() ([]Server, error) {
	file, err := File()
	if err != nil {
		return nil, nil
	}
	text, err := secret.Read(file, "token")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, problem.Item(file, err)
	}
	servers, err := parseServers(text)
	if err != nil {
		return nil, problem.Item(file, err)
	}
	return servers, nil
}

func parseServers(text []byte) ([]Server, error) {
	var saved savedServers
	if len(text) == 0 {
		return nil, nil
	}
	if json.Unmarshal(text, &saved) != nil {
		return nil, errSpoilt // what the decoder says might hold a token
	}
	for _, s := range saved.Servers {
		if !IsServerName(s.Name) || len(s.Addrs) == 0 || !IsToken(s.Token) {
			return nil, errSpoilt
		}
		for _, addr := range s.Addrs {
			if checkAddr(addr) != nil {
				return nil, errSpoilt
			}
		}
	}
	return saved.Servers, nil
}

var errSpoilt = problem.New("it is damaged", "failed", "remove it and join again")

// Find returns the server of a name, or nil.
func Find(servers []Server, name string) *Server {
	i := slices.IndexFunc(servers, func(s Server) bool { return strings.EqualFold(s.Name, name) })
	if i < 0 {
		return nil
	}
	return &servers[i]
}

// A TakenError means that another server, or another user of it, is saved by a name.
type TakenError struct{ Old Server }

func (e *TakenError) Error() string {
	return fmt.Sprintf("there is a server %s already: %s at %s", e.Old.Name, escape.Name(e.Old.User), escape.Name(e.Old.Addrs[0]))
}

func (e *TakenError) Describe() problem.Description {
	return problem.Description{Kind: "exists", Hint: "join under another name with --name, or first 'labnet leave " + e.Old.Name + "'"}
}

// Save adds a server, or replaces the same user's at the same server under the same
// name. The first one is the default. It fails with a *TakenError if another one has
// the name.
func Save(s Server) error {
	return change(func(servers []Server) ([]Server, error) {
		old := Find(servers, s.Name)
		if err := CheckFree(servers, s); err != nil {
			return nil, err
		}
		if old != nil {
			*old = s
			return servers, nil
		}
		return append(servers, s), nil
	})
}

// CheckFree fails with a *TakenError if Save would.
func CheckFree(servers []Server, s Server) error {
	old := Find(servers, s.Name)
	if old == nil || old.User == s.User && old.Fingerprint == s.Fingerprint && (s.Fingerprint != "" || old.Addrs[0] == s.Addrs[0]) {
		return nil
	}
	return &TakenError{*old}
}

// Leave forgets a server.
func Leave(name string) error {
	return change(func(servers []Server) ([]Server, error) {
		if Find(servers, name) == nil {
			return nil, unknown(servers, name)
		}
		return slices.DeleteFunc(servers, func(s Server) bool { return strings.EqualFold(s.Name, name) }), nil
	})
}

// Prefer makes a server the default.
func Prefer(name string) error {
	return change(func(servers []Server) ([]Server, error) {
		found := Find(servers, name)
		if found == nil {
			return nil, unknown(servers, name)
		}
		s := *found
		rest := slices.DeleteFunc(servers, func(other Server) bool { return other.Name == s.Name })
		return append([]Server{s}, rest...), nil
	})
}

// An UnknownError means that no saved server has a name.
type UnknownError struct {
	Name  string
	Known []string // the names that there are
}

func unknown(servers []Server, name string) error {
	e := &UnknownError{Name: name}
	for _, s := range servers {
		e.Known = append(e.Known, s.Name)
	}
	return e
}

func (e *UnknownError) Error() string { return "no saved server is called " + escape.Name(e.Name) }

func (e *UnknownError) Describe() problem.Description {
	d := problem.Description{Kind: "not-found", Hint: "there are none; 'labnet join' adds one"}
	if len(e.Known) > 0 {
		d.Hint = "there is " + strings.Join(e.Known, ", ")
	}
	return d
}

// change changes the file of servers.
func change(edit func([]Server) ([]Server, error)) error {
	file, err := File()
	if err != nil {
		return err
	}
	folder := filepath.Dir(file)
	err = os.MkdirAll(filepath.Dir(folder), 0o700)
	if err == nil {
		err = atomicfile.MakeFolder(folder, 0o700)
	}
	if err != nil {
		return problem.Item(folder, err)
	}
	check := func(info fs.FileInfo) error { return secret.Check(file, "token", info) }
	err = atomicfile.Change(file, 0o600, check, func(old []byte) ([]byte, error) {
		servers, err := parseServers(old)
		if err == nil {
			servers, err = edit(servers)
		}
		if err != nil {
			return nil, err
		}
		text, err := json.MarshalIndent(savedServers{servers}, "", "  ")
		return append(text, '\n'), err
	})
	_, taken := errors.AsType[*TakenError](err)
	if _, unknown := errors.AsType[*UnknownError](err); err == nil || taken || unknown {
		return err
	}
	return problem.Item(file, err)
}
