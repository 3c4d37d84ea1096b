package commands_test

import (
	"bufio"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// watchedServer starts a server whose status has an address of its own.
func watchedServer(t *testing.T, args ...string) (addr, status string) {
	addrs, _ := startServe(t, append([]string{"--status", "127.0.0.1:0"}, args...)...)
	addr, status, both := strings.Cut(addrs, "\n")
	if !both {
		t.Fatalf("the addresses are %q", addrs)
	}
	return addr, status
}

func get(t *testing.T, client *http.Client, method, url string, body io.Reader) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	must(t, err)
	a, err := client.Do(r)
	must(t, err)
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	must(t, err)
	return a.StatusCode, string(text)
}

// TestStatusAddress: what a server does is told at an address of its own, and there
// alone; it tells nothing else there and takes nothing. That works also without HTTP and
// for a task of the course.
func TestStatusAddress(t *testing.T) {
	for name, args := range map[string][]string{"beside HTTP": nil, "without HTTP": {"--no-http"}, "for a task": {"--lab", "3"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, status := watchedServer(t, args...)
			c, err := net.Dial("tcp", addr)
			must(t, err)
			defer c.Close()
			io.WriteString(c, "hello\n")
			if _, err := bufio.NewReader(c).ReadByte(); err != nil {
				t.Errorf("the server does not answer: %v", err)
			}
			code, metrics := get(t, http.DefaultClient, "GET", "http://"+status+"/metrics", nil)
			if code != http.StatusOK || !strings.Contains(metrics, `labnet_received_total{kind="say",user=""} 1`) {
				t.Errorf("%d: %s", code, metrics)
			}
			for path, want := range map[string]int{"/healthz": 200, "/status": 200, "/": 200, "/status.json": 200, "/other": 404} {
				if code, text := get(t, http.DefaultClient, "GET", "http://"+status+path, nil); code != want {
					t.Errorf("%s: %d: %s", path, code, text)
				}
			}
			for method, path := range map[string]string{"PUT": "/f", "POST": "/", "PATCH": "/tus/x"} {
				if code, text := get(t, http.DefaultClient, method, "http://"+status+path, strings.NewReader("x")); code != 404 {
					t.Errorf("%s: %d: %s", method, code, text)
				}
			}
			if args == nil {
				if code, _ := get(t, http.DefaultClient, "GET", "http://"+addr+"/metrics", nil); code != 404 {
					t.Errorf("at the address of --listen: %d", code)
				}
			}
			say := labnetCommand(t, "say", "-a", status, "--retries", "0", "hi")
			if out, err := say.CombinedOutput(); err == nil || !strings.Contains(string(out), "this address is for HTTP only") {
				t.Errorf("say: %v\n%s", err, out)
			}
		})
	}
}

// TestStatusAddressWithTokens: TLS and the right status are needed there, too.
func TestStatusAddressWithTokens(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	line := fmt.Sprintf("watcher %x status\n", sha256.Sum256([]byte("watcher-who-may-only-look")))
	must(t, os.WriteFile(tokens, []byte(line), 0o600))
	_, status := watchedServer(t, "--tls", "--tokens", tokens)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	if code, _ := get(t, client, "GET", "http://"+status+"/metrics", nil); code != http.StatusBadRequest {
		t.Errorf("in the clear: %d", code)
	}
	if code, _ := get(t, client, "GET", "https://"+status+"/metrics", nil); code != http.StatusUnauthorized {
		t.Errorf("without a token: %d", code)
	}
	code, text := get(t, client, "GET", "https://:watcher-who-may-only-look@"+status+"/metrics", nil)
	if code != http.StatusOK || !strings.Contains(text, `labnet_refusals_total{code="denied"} 1`) {
		t.Errorf("with a token: %d: %s", code, text)
	}
}

// TestStatusExposed: other machines cannot look unless they need a token, or that is what
// is wanted.
func TestStatusExposed(t *testing.T) {
	nowhere := filepath.Join(t.TempDir(), "no", "addr") // at which it ends if it listens
	serve := func(args ...string) string {
		t.Helper()
		cmd := labnetCommand(t, append([]string{"serve", "-l", "127.0.0.1:0", "--addr-file", nowhere, "--status"}, args...)...)
		out, _ := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != 1 && code != 2 {
			t.Errorf("%v: exit code %d", args, code)
		}
		return string(out)
	}
	for _, test := range []struct{ args, want string }{
		{"0.0.0.0:0", "anyone there can look"},
		{"0.0.0.0:0 --tls", "anyone there can look"},
		{"0.0.0.0:0 --lab 3", "anyone there can look"},
		{"nas:http99", "is not a port"},
	} {
		if out := serve(strings.Fields(test.args)...); !strings.Contains(out, test.want) {
			t.Errorf("%s: %s", test.args, out)
		}
	}
	addr, _ := watchedServer(t)
	if out := serve(addr); !strings.Contains(out, "choose another port with --status") {
		t.Errorf("at a taken address: %s", out)
	}
}

// TestStatusAddressFull: however many connect there, others can still send.
func TestStatusAddressFull(t *testing.T) {
	addr, status := watchedServer(t, "--idle-timeout", "1h")
	for i := range 65 {
		c, err := net.Dial("tcp", status)
		must(t, err)
		defer c.Close()
		io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
		a, err := http.ReadResponse(bufio.NewReader(c), nil)
		must(t, err)
		a.Body.Close()
		if want := map[bool]int{false: http.StatusOK, true: http.StatusServiceUnavailable}[i == 64]; a.StatusCode != want {
			t.Errorf("connection %d is answered %d, want %d", i, a.StatusCode, want)
		}
	}
	run(t, labnetCommand(t, "say", "-a", addr, "hi"))
}
