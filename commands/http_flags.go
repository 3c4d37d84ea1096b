package commands

import (
	"net"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/web"
)

// httpOptions are the flags of serve that are about HTTP.
type httpOptions struct {
	off   bool
	hosts []string
}

// ofHTTP is the title of the flags about it in the help.
const ofHTTP = "HTTP"

func httpFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "no-http", Category: ofHTTP, Usage: "refuse HTTP requests, such as those of curl and browsers"},
		&cli.StringFlag{Name: "http-host", Category: ofHTTP, Usage: "answer browsers that call this server by one of `NAMES`, separated by commas"},
	}
}

func httpOptionsOf(c *cli.Context) (o httpOptions, err error) {
	o.off = c.Bool("no-http")
	for _, name := range strings.Split(c.String("http-host"), ",") {
		switch name = strings.TrimSpace(name); {
		case name == "":
		case strings.ContainsAny(name, ":/@[] "):
			return o, problem.Usage("--http-host: %q is not the name of a host", name)
		default:
			o.hosts = append(o.hosts, name)
		}
	}
	return o, nil
}

// front returns what serves HTTP, or nil if nothing does.
func (o *serveOptions) front() *web.Front {
	if o.http.off || o.lab != 0 {
		return nil
	}
	hosts := o.http.hosts
	if host, _, err := net.SplitHostPort(o.listen); err == nil && host != "" {
		hosts = append(hosts, host)
	}
	return web.New(web.Options{Hosts: hosts, HeaderTimeout: o.limits.HeaderTimeout, IdleTimeout: o.limits.IdleTimeout})
}
