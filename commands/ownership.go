package commands

import (
	"io/fs"
	system "os/user"
	"runtime"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/problem"
)

// ownershipOf reads the flags about the permissions and the group of what is kept.
func (o *serveOptions) ownershipOf(c *cli.Context) error {
	if s := c.String("file-mode"); s != "" {
		mode, err := strconv.ParseUint(s, 8, 32)
		if err != nil || mode == 0 || mode > 0o777 {
			return problem.Usage("--file-mode: %q are not permissions such as 0640", s)
		}
		o.keep.FileMode = fs.FileMode(mode)
	}
	name := c.String("group")
	if (name != "" || o.keep.FileMode != 0) && runtime.GOOS == "windows" {
		return problem.Usage("--file-mode and --group do nothing on Windows")
	}
	if name == "" {
		return nil
	}
	if strings.HasPrefix(o.store, objectScheme) {
		return problem.Usage("--group: an object store has no groups")
	}
	id, err := strconv.Atoi(name)
	if err != nil {
		group, lerr := system.LookupGroup(name)
		if lerr != nil {
			return problem.Usage("--group: there is no group %q", name)
		}
		id, err = strconv.Atoi(group.Gid)
	}
	if err != nil || id < 0 {
		return problem.Usage("--group: %q is not a group", name)
	}
	o.keep.Group = &id
	return nil
}
