package invite

import (
	"net"
	"slices"
	"strings"
)

// maxHosts is how many addresses of this machine an invitation has if none is given.
const maxHosts = 4

// inner are beginnings of names of interfaces that only lead into this machine.
var inner = []string{"docker", "br-", "veth", "virbr", "vmnet", "vbox", "lxc", "lxd", "cni", "flannel", "podman"}

// LocalHosts returns addresses by which other machines may reach this one, IPv4 first. Whether they do is not known until somebody tries.
func LocalHosts() []string {
	all, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var four, six []string
	for _, i := range all {
		isInner := slices.ContainsFunc(inner, func(prefix string) bool { return strings.HasPrefix(strings.ToLower(i.Name), prefix) })
		addrs, err := i.Addrs()
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 || isInner || err != nil {
			continue
		}
		for _, a := range addrs {
			n, ok := a.(*net.IPNet)
			switch {
			case !ok || !n.IP.IsGlobalUnicast():
			case n.IP.To4() != nil:
				four = append(four, n.IP.String())
			default:
				six = append(six, n.IP.String())
			}
		}
	}
	found := append(four, six...)
	return found[:min(len(found), maxHosts)]
}
