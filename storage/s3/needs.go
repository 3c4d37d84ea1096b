package s3

import (
	"cmp"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
)

// Needs lists what an open store at l uses of the system, besides to look up the
// names of hosts: files that are read again and again, and the TCP ports that are
// connected to. Of credentials it knows those that expire, except for a program that
// prints them.
func (l Location) Needs() (files []string, ports []uint16) {
	files = []string{"/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf"}
	for _, name := range []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"} {
		if file := os.Getenv(name); file != "" {
			files = append(files, file)
		}
	}
	endpoint := &url.URL{Scheme: "https", Host: cmp.Or(l.Endpoint, "s3.amazonaws.com")}
	if l.Insecure {
		endpoint.Scheme = "http"
	}
	ports = []uint16{portOf(endpoint)}
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: endpoint}); err == nil && proxy != nil {
		ports = append(ports, portOf(proxy))
	}
	if os.Getenv("AWS_ACCESS_KEY_ID") == "" { // a role of the machine, or of a container
		ports = append(ports, 80, 443)
	}
	return files, ports
}

// portOf returns the port of a URL, which may be that of its scheme.
func portOf(u *url.URL) uint16 {
	port := u.Port()
	if port == "" {
		n, _ := net.LookupPort("tcp", u.Scheme)
		return uint16(n)
	}
	n, _ := strconv.ParseUint(port, 10, 16)
	return uint16(n)
}
