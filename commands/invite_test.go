package commands

import (
	"bytes"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/commands/invite"
	"github.com/labnet/labnet/commands/terminal"
)

// TestInviteAt: what --at may be, and what of it is in the invitation: a port always, and
// each address once.
func TestInviteAt(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, test := range map[string]struct{ at, want []string }{
		"host":      {[]string{"lab.example.org"}, []string{"lab.example.org:9000"}},
		"port":      {[]string{"lab.example.org:443"}, []string{"lab.example.org:443"}},
		"its-name":  {[]string{"lab.example.org:https"}, []string{"lab.example.org:443"}},
		"v4":        {[]string{"192.0.2.1"}, []string{"192.0.2.1:9000"}},
		"v6":        {[]string{"2001:db8::1"}, []string{"[2001:db8::1]:9000"}},
		"brackets":  {[]string{"[2001:db8::1]"}, []string{"[2001:db8::1]:9000"}},
		"v6-port":   {[]string{"[2001:db8::1]:443"}, []string{"[2001:db8::1]:443"}},
		"twice":     {[]string{"lab", "lab:9000", "lab:443"}, []string{"lab:9000", "lab:443"}},
		"best":      {[]string{"b", "a"}, []string{"b:9000", "a:9000"}},
		"link":      {[]string{"https://lab/x"}, nil},
		"nothing":   {[]string{""}, nil},
		"zero":      {[]string{"lab:0"}, nil},
		"too-large": {[]string{"lab:65536"}, nil},
	} {
		var out bytes.Buffer
		args := []string{"labnet", "invite", name}
		for _, at := range test.at {
			args = append(args, "--at", at)
		}
		code := run(t.Context(), terminal.New(nil, &out, io.Discard), args)
		if test.want == nil {
			if code != 2 || out.Len() > 0 {
				t.Errorf("%s: exit %d, %q", name, code, &out)
			}
			continue
		}
		inv, err := invite.Decode(out.String())
		if code != 0 || err != nil {
			t.Errorf("%s: exit %d, %v, %q", name, code, err, &out)
			continue
		}
		if diff := cmp.Diff(test.want, inv.Addrs); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
