package commands

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/web"
	"github.com/labnet/labnet/wire"
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
	return web.New(web.Options{
		Hosts: hosts, HeaderTimeout: o.limits.HeaderTimeout, IdleTimeout: o.limits.IdleTimeout,
		PartialTTL: o.keep.PartialTTL, Boot: boot(),
	})
}

// boot names the time since the system was started. Where that cannot be known, it
// names this process.
func boot() string {
	if id, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		return strings.TrimSpace(string(id))
	}
	return rand.Text()
}

// curlLine is how a person with curl sends a file to an address of a server that has a
// certificate, with nothing but the server's key to trust.
func (o *serveOptions) curlLine(addr net.Addr, cert *tls.Certificate, tokens bool) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil || cert.Leaf == nil {
		return ""
	}
	switch ip, err := netip.ParseAddr(host); {
	case len(o.http.hosts) > 0:
		host = o.http.hosts[0]
	case err == nil && ip.IsUnspecified():
		host = "HOST"
	}
	user := ""
	if tokens {
		user = "-u :TOKEN "
	}
	key := base64.StdEncoding.EncodeToString(wire.KeySum(cert.Leaf))
	return fmt.Sprintf("curl -fT FILE %s-k --pinnedpubkey sha256//%s https://%s/", user, key, net.JoinHostPort(host, port))
}
