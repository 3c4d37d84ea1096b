package commands

import (
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/labnet/labnet/commands/address"
	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/status"
	"github.com/labnet/labnet/commands/systemd"
	"github.com/labnet/labnet/commands/web"
	"github.com/labnet/labnet/wire"
)

// httpOptions are the flags of serve that are about HTTP.
type httpOptions struct {
	off    bool
	hosts  []string
	status string // an address; "" without
	apart  bool   // the status is not with everything else
}

// ofHTTP is the title of the flags about it in the help.
const ofHTTP = "HTTP"

func httpFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "no-http", Category: ofHTTP, Usage: "refuse HTTP requests, such as those of curl and browsers"},
		&cli.StringFlag{Name: "http-host", Category: ofHTTP, Usage: "answer browsers that call this server by one of `NAMES`, separated by commas"},
		&cli.StringFlag{Name: "status", Category: ofHTTP, Usage: "have /status, /metrics and /healthz at `HOST:PORT`, and nothing else there, in place of the address of --listen"},
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
	if where := c.String("status"); where != "" {
		o.status, err = address.Listen(where, "--status")
	}
	o.apart = o.status != "" || systemd.IsPassed(statusSocket)
	return o, err
}

// front returns what serves HTTP, or nil if nothing does. Tokens says whether the server
// requires one.
func (o *serveOptions) front(tokens bool, board *status.Board) *web.Front {
	if o.http.off || o.lab != 0 {
		return nil
	}
	options := o.frontOptions(o.listen, tokens)
	options.PartialTTL, options.Boot = o.keep.Partials.Age, boot()
	if !o.http.apart {
		options.Status = board
	}
	return web.New(options)
}

// frontOptions are those of what serves HTTP at an address.
func (o *serveOptions) frontOptions(addr string, tokens bool) web.Options {
	hosts := slices.Clone(o.http.hosts)
	if host, _, err := net.SplitHostPort(addr); err == nil && host != "" {
		hosts = append(hosts, host)
	}
	return web.Options{Hosts: hosts, AnyName: tokens, HeaderTimeout: o.limits.HeaderTimeout, IdleTimeout: o.limits.IdleTimeout}
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
	token := ""
	if tokens {
		token = "TOKEN"
	}
	return curlCommand("-fT FILE", net.JoinHostPort(host, port), "", token, wire.KeySum(cert.Leaf))
}

// curlCommand is what a person with curl does, by options, to a path of the server at addr,
// which has the key with a sum, or if that is nil a certificate that systems trust. It is
// "" if shells would change the address.
func curlCommand(options, addr, path, token string, key []byte) string {
	to := webAddress(addr)
	if to == "" {
		return ""
	}
	to += path
	if strings.Contains(to, "[") { // means something to shells
		to = `"` + to + `"`
	}
	words := []string{"curl", options}
	if key != nil {
		words = append(words, "-k", "--pinnedpubkey", "sha256//"+base64.StdEncoding.EncodeToString(key))
	}
	if token != "" {
		words = append(words, "-u", ":"+token)
	}
	return strings.Join(append(words, to), " ")
}

// webAddress is the address of the server at addr for HTTP, or "" if that contains what
// is not in the name of a host.
func webAddress(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	odd := func(r rune) bool { return !strings.ContainsRune("-._:", r) && !isASCIILetterOrDigit(r) }
	if err != nil || host == "" || strings.ContainsFunc(host, odd) {
		return ""
	}
	return "https://" + net.JoinHostPort(host, port) + "/"
}

func isASCIILetterOrDigit(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}
