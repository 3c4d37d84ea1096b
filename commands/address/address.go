// Package address reads the addresses of servers as people give them.
package address

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/labnet/labnet/commands/escape"
	"github.com/labnet/labnet/commands/problem"
)

// What an address has if it does not say.
const (
	defaultHost = "127.0.0.1"
	defaultPort = "9000"
)

// Server returns the address of a server that a user names in what, such as
// "--addr": a host name or an IP address, alone or with a port, or a port of this
// machine.
func Server(text, what string) (addr, host string, err error) {
	host, port, err := Split(text, what)
	if err != nil {
		return "", "", err
	}
	if host == "" {
		host = defaultHost
	}
	if n, err := net.LookupPort("tcp", port); err != nil || n == 0 {
		return "", "", noPort(text, what, port)
	}
	return net.JoinHostPort(host, port), host, nil
}

// Listen returns the address to listen at that a user gives for a flag. A
// port alone is one of the loopback address; ":9000" and "*:9000" are of all.
func Listen(text, flag string) (string, error) {
	host, port, err := Split(text, flag)
	if err != nil {
		return "", err
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return "", noPort(text, flag, port)
	}
	switch {
	case host == "*":
		host = ""
	case host == "" && IsNumber(strings.TrimSpace(text)):
		host = defaultHost
	}
	return net.JoinHostPort(host, port), nil
}

func noPort(text, what, port string) error {
	return problem.UsageHint(fmt.Errorf("%s %q: %q is not a port", what, text, port), addressHint(what))
}

func addressHint(what string) string {
	if what == "--listen" || what == "--status" {
		return "for example 9000, 127.0.0.1:9000, [::1]:9000, or :9000 for all addresses of this machine"
	}
	return "for example nas, nas:9000, 192.0.2.7:9000 or [2001:db8::7]:9000"
}

// Split splits an address that a user gives in what. The host may be "",
// and is an IPv6 address without brackets if it is one.
func Split(text, what string) (host, port string, err error) {
	wrong := func(why, hint string) (string, string, error) {
		return "", "", problem.UsageHint(fmt.Errorf("%s %q: %s", what, text, why), hint)
	}
	s := strings.TrimSpace(text)
	if scheme, rest, found := strings.Cut(s, "://"); found {
		s = strings.TrimSuffix(rest, "/")
		if scheme = strings.ToLower(scheme); scheme != "tcp" && scheme != "labnet" {
			hint, _, _ := strings.Cut(rest, "/")
			if hint != "" && (scheme == "tls" || scheme == "https") {
				hint += " with --tls"
			}
			return wrong("labnet does not speak "+scheme, problem.DidYouMean(hint))
		}
	}
	if _, host, found := strings.Cut(s, "@"); found {
		return wrong("an address does not contain a user name", problem.DidYouMean(host))
	}
	if host, _, found := strings.Cut(s, "/"); found && host != "" {
		return wrong("an address does not contain a path", problem.DidYouMean(host))
	}
	if words := strings.Fields(s); len(words) == 2 && IsNumber(words[1]) { // as for nc
		return wrong("not an address", problem.DidYouMean(net.JoinHostPort(words[0], words[1])))
	}
	switch {
	case s == "" || s == ":":
		return wrong("not an address", addressHint(what))
	case IsNumber(s):
		port = s
	case s[0] == '[':
		var rest string
		var closed bool
		host, rest, closed = strings.Cut(s[1:], "]")
		if !closed || rest != "" && rest[0] != ':' {
			return wrong("not an address", addressHint(what))
		}
		port = strings.TrimPrefix(rest, ":")
	case strings.Count(s, ":") > 1:
		i := strings.LastIndex(s, ":")
		whole, part := isIPv6(s), isIPv6(s[:i]) && IsNumber(s[i+1:])
		switch {
		case whole && part && len(s)-i > 4: // 1000 and more is rather a port
			return wrong("unclear where the port begins", problem.DidYouMean("["+s[:i]+"]:"+s[i+1:], "["+s+"]:"+defaultPort))
		case whole:
			host = s
		case part:
			host, port = s[:i], s[i+1:]
		default:
			return wrong("not an address", addressHint(what))
		}
	default:
		host, port, _ = strings.Cut(s, ":")
	}
	if host != "" && escape.Name(host) != host || strings.ContainsAny(host, " /\\?#\"'") {
		return wrong("not an address", addressHint(what))
	}
	if port == "" {
		port = defaultPort
	}
	return host, port, nil
}

func isIPv6(s string) bool {
	ip, err := netip.ParseAddr(s)
	return err == nil && ip.Is6() && !strings.Contains(ip.Zone(), ":")
}

func IsNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// Likely returns the address in an argument that can hardly be anything else,
// such as host:9000 or, as for scp, user@host:folder.
func Likely(s string) (addr string, ok bool) {
	if scheme, rest, found := strings.Cut(s, "://"); found && scheme != "file" {
		addr, _, _ = strings.Cut(rest, "/")
		return addr, addr != ""
	}
	s = s[strings.Index(s, "@")+1:]
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return s, true
	}
	if host, _, err := net.SplitHostPort(s); err == nil && isIPv6(host) {
		return s, true
	}
	host, rest, found := strings.Cut(s, ":")
	if ip, err := netip.ParseAddr(host); !found || !isHostName(host) && (err != nil || !ip.Is4()) {
		return "", false
	}
	if IsNumber(rest) {
		return s, true
	}
	return host, !strings.Contains(rest, ":") && !strings.HasPrefix(rest, "//")
}

// isHostName reports whether s is the name of a host and no drive of Windows or
// number.
func isHostName(s string) bool {
	letters := false
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z':
			letters = true
		case !('0' <= r && r <= '9' || r == '.' || r == '-'):
			return false
		}
	}
	return letters && len(s) > 1 && s[0] != '-' && s[0] != '.'
}

// Networks returns the networks in a list of them, such as
// "10.0.0.0/8,192.0.2.7", where an address is a network of its own.
func Networks(text, what string) (list []netip.Prefix, err error) {
	for field := range strings.SplitSeq(text, ",") {
		field = strings.TrimSpace(field)
		network, err := netip.ParsePrefix(field)
		if ip, e := netip.ParseAddr(field); e == nil && ip.Zone() == "" {
			ip = ip.Unmap()
			network, err = netip.PrefixFrom(ip, ip.BitLen()), nil
		}
		if err != nil {
			return nil, problem.UsageHint(fmt.Errorf("%s %q: %q is not an IP address or network", what, text, field), "give a list such as 10.0.0.0/8,192.0.2.7,fd00::/8")
		}
		list = append(list, network.Masked())
	}
	return list, nil
}
