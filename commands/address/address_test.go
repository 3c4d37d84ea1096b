package address

import (
	"fmt"
	"testing"
)

// TestAddresses: what users give for a server, and for an address to listen at. An
// empty string is an error.
func TestAddresses(t *testing.T) {
	tests := []struct{ given, server, listen string }{
		{"nas", "nas:9000", "nas:9000"},
		{"nas:", "nas:9000", "nas:9000"},
		{"nas:9001", "nas:9001", "nas:9001"},
		{" nas:9001\n", "nas:9001", "nas:9001"},
		{"nas.example.com.", "nas.example.com.:9000", "nas.example.com.:9000"},
		{"bücher.example", "bücher.example:9000", "bücher.example:9000"},
		{"192.0.2.7", "192.0.2.7:9000", "192.0.2.7:9000"},
		{"192.0.2.7:1", "192.0.2.7:1", "192.0.2.7:1"},
		{"::1", "[::1]:9000", "[::1]:9000"},
		{"[::1]", "[::1]:9000", "[::1]:9000"},
		{"[::1]:", "[::1]:9000", "[::1]:9000"},
		{"[::1]:9001", "[::1]:9001", "[::1]:9001"},
		{"::", "[::]:9000", "[::]:9000"},
		{"::1:80", "[::1:80]:9000", "[::1:80]:9000"},
		{"::1:9000", "", ""}, // may be either
		{"::1:19000", "[::1]:19000", "[::1]:19000"},
		{"::1:99999", "", ""},
		{"2001:db8::7", "[2001:db8::7]:9000", "[2001:db8::7]:9000"},
		{"2001:db8:1:2:3:4:5:6", "[2001:db8:1:2:3:4:5:6]:9000", "[2001:db8:1:2:3:4:5:6]:9000"},
		{"2001:db8:1:2:3:4:5:6:9000", "[2001:db8:1:2:3:4:5:6]:9000", "[2001:db8:1:2:3:4:5:6]:9000"},
		{"2001:db8:1:2:3:4:5:9000", "[2001:db8:1:2:3:4:5:9000]:9000", "[2001:db8:1:2:3:4:5:9000]:9000"},
		{"fe80::1%eth0", "[fe80::1%eth0]:9000", "[fe80::1%eth0]:9000"},
		{"[fe80::1%eth0]:9001", "[fe80::1%eth0]:9001", "[fe80::1%eth0]:9001"},
		{"fe80::1%eth0:9001", "[fe80::1%eth0]:9001", "[fe80::1%eth0]:9001"},
		{"9001", "127.0.0.1:9001", "127.0.0.1:9001"},
		{":9001", "127.0.0.1:9001", ":9001"},
		{"*:9001", "*:9001", ":9001"},
		{"127.0.0.1:0", "", "127.0.0.1:0"},
		{"0", "", "127.0.0.1:0"},
		{"nas:http", "nas:http", "nas:http"},
		{"tcp://nas", "nas:9000", "nas:9000"},
		{"TCP://nas:9001/", "nas:9001", "nas:9001"},
		{"labnet://[::1]", "[::1]:9000", "[::1]:9000"},
		{"", "", ""},
		{":", "", ""},
		{"http://nas:9000", "", ""},
		{"https://nas", "", ""},
		{"tls://nas:9000", "", ""},
		{"tcp://", "", ""},
		{"nas/inbox", "", ""},
		{"nas:9000/inbox", "", ""},
		{"alice@nas", "", ""},
		{"a b", "", ""},
		{"a\tb", "", ""},
		{"nas\x1b[31m", "", ""},
		{"\u202enas", "", ""},
		{"nas/", "", ""},
		{"nas 9000", "", ""},
		{"[::1", "", ""},
		{"[::1]9000", "", ""},
		{"nas:99999", "", ""},
		{"99999", "", ""},
		{"nas:-1", "", ""},
		{"a:b:c", "", ""},
		{`C:\inbox`, "", ""},
	}
	for _, test := range tests {
		server, host, err := Server(test.given, "--addr")
		if server != test.server || (err == nil) != (server != "") || err == nil && host == "" {
			t.Errorf("server %q: got %q, %q, %v, want %q", test.given, server, host, err, test.server)
		}
		listen, err := Listen(test.given, "--listen")
		if listen != test.listen || (err == nil) != (listen != "") {
			t.Errorf("listen %q: got %q, %v, want %q", test.given, listen, err, test.listen)
		}
	}
}

// TestLikelyServer: which arguments cannot be taken for anything else.
func TestLikelyServer(t *testing.T) {
	tests := map[string]string{
		"nas:9000": "nas:9000", "nas.example.com:9000": "nas.example.com:9000", "192.0.2.7": "192.0.2.7", "192.0.2.7:9000": "192.0.2.7:9000",
		"::1": "::1", "[::1]": "[::1]", "[::1]:9000": "[::1]:9000", "tcp://nas:9000/": "nas:9000", "http://nas": "nas",
		"nas:": "nas", "nas:inbox/": "nas", "alice@nas:inbox": "nas", "alice@nas:9000": "nas:9000",

		"nas": "", "report.pdf": "", "nas.example.com": "", "12:30": "", "a:b:c": "", `C:\x`: "", "C:": "", "folder/x:9000": "",
		"-": "", "": "", "a b:9000": "", "file:///tmp/x": "", "alice@example.com": "", ":9000": "", "9000": "",
	}
	for given, want := range tests {
		if got, likely := Likely(given); got != want && likely || likely != (want != "") {
			t.Errorf("%q: got %q, %t, want %q", given, got, likely, want)
		}
	}
}

func TestNetworks(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.7":                    "[192.0.2.7/32]",
		"10.1.2.3/8, fd00::1/8":        "[10.0.0.0/8 fd00::/8]",
		"::ffff:192.0.2.7,2001:db8::7": "[192.0.2.7/32 2001:db8::7/128]",
		"":                             "error",
		"localhost":                    "error",
		"10.0.0.0/33":                  "error",
		"fe80::1%eth0":                 "error",
		"10.0.0.1,":                    "error",
		"10.0.0.1:9000":                "error",
		"10.0.0.1 10.0.0.2":            "error",
	} {
		list, err := Networks(text, "--proxy-from")
		got := fmt.Sprint(list)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %s (%v), want %s", text, got, err, want)
		}
	}
}
