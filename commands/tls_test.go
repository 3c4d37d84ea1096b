package commands_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/labnet/labnet/storage/storagetest"
)

// newIdentity puts a key where serve --identity looks for one, and returns the
// file and the fingerprint, as openssl and sha256sum would compute it.
func newIdentity(t *testing.T) (file, pin string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "identity")
	writePEM(t, file, "PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key)))
	return file, fmt.Sprintf("sha256:%x", sha256.Sum256(must(x509.MarshalPKIXPublicKey(key.Public()))))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// newPair puts a certificate for 127.0.0.1 that has a serial number, and its key,
// into files, whose sizes are always the same.
func newPair(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{{127, 0, 0, 1}},
		BasicConstraintsValid: true, IsCA: true,
	}
	writePEM(t, certFile, "CERTIFICATE", must(x509.CreateCertificate(rand.Reader, template, template, public, key)))
	writePEM(t, keyFile, "PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(key)))
}

// clientCommands is each client with something to send.
func clientCommands(t *testing.T, flags ...string) (list []*exec.Cmd) {
	t.Helper()
	for _, args := range [][]string{{"ping", "-c", "1"}, {"say", "secret"}, {"blob", "-s", "10"}, {"upload", "f"}} {
		cmd := labnetCommand(t, append(args, flags...)...)
		if err := os.WriteFile(filepath.Join(cmd.Dir, "f"), []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
		list = append(list, cmd)
	}
	return list
}

// TestManInTheMiddle: a server with another key than the pinned one, or with a
// certificate that nobody vouches for, or with an old TLS, gets nothing from any
// client, and no token either.
func TestManInTheMiddle(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	newPair(t, cert, key, 1)
	pair := must(tls.LoadX509KeyPair(cert, key))
	theirs := fmt.Sprintf("sha256:%x", sha256.Sum256(pair.Leaf.RawSubjectPublicKeyInfo))
	_, ours := newIdentity(t)
	const alert = "remote error: tls: bad certificate"
	for _, test := range []struct {
		name        string
		newest      uint16 // version of TLS that the server speaks
		flags, says []string
		heard       string
	}{
		{"pin", tls.VersionTLS13, []string{"--pin", ours}, []string{theirs, ours, "nothing was sent"}, alert},
		{"system", tls.VersionTLS13, []string{"--tls"}, []string{"unknown authority", "--pin"}, alert},
		{"pin decides", tls.VersionTLS13, []string{"--tls", "--pin", ours}, []string{theirs, ours}, alert},
		{"right pin, TLS 1.2", tls.VersionTLS12, []string{"--pin", theirs}, []string{"protocol version"}, "tls: client offered only unsupported versions: [304]"},
	} {
		for _, cmd := range clientCommands(t, test.flags...) {
			t.Run(test.name+" "+cmd.Args[1], func(t *testing.T) {
				if cmd.Args[1] == "upload" { // which would try again if that could help
					cmd.Args = append(cmd.Args, "--retries", "3")
				}
				heard := make(chan string, 1)
				addr := serveOnce(t, func(nc net.Conn) {
					c := tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{pair}, MaxVersion: test.newest})
					b := make([]byte, 1)
					n, err := c.Read(b)
					heard <- fmt.Sprintf("%d bytes, %v", n, err)
				})
				cmd.Args = append(cmd.Args, "-a", addr)
				cmd.Env = append(cmd.Env, "LABNET_TOKEN=a-secret-of-two-parties")
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				cmd.Run()
				if code := cmd.ProcessState.ExitCode(); code != 3 {
					t.Errorf("exit %d", code)
				}
				if strings.Contains(stderr.String(), "trying again") {
					t.Errorf("it tried again: %s", &stderr)
				}
				for _, want := range test.says {
					if !strings.Contains(stderr.String(), want) {
						t.Errorf("%q does not say %q", &stderr, want)
					}
				}
				if got, want := <-heard, "0 bytes, "+test.heard; got != want {
					t.Errorf("it heard %s, want %s", got, want)
				}
			})
		}
	}
}

// TestEncrypted does everything over TLS.
func TestEncrypted(t *testing.T) {
	identity, pin := newIdentity(t)
	addr, _ := startServe(t, "--identity", identity)
	for _, pin := range []string{pin, strings.ToUpper(pin)} {
		for _, cmd := range clientCommands(t, "-a", addr, "--pin", pin) {
			run(t, cmd)
		}
	}
	for _, cmd := range clientCommands(t, "-a", addr) {
		cmd.Env = append(cmd.Env, "LABNET_PIN="+pin)
		run(t, cmd)
	}
	for _, cmd := range clientCommands(t, "-a", addr)[1:] { // in the clear
		if stderr, code := fail(t, cmd); code != 3 || !strings.Contains(stderr, "this server requires TLS") || !strings.Contains(stderr, "--pin") {
			t.Errorf("%s: exit %d, %s", cmd.Args[1], code, stderr)
		}
	}
	plain, _ := startServe(t)
	for _, cmd := range clientCommands(t, "-a", plain, "--pin", pin) {
		if cmd.Args[1] == "ping" {
			continue // prints a summary
		}
		if stderr, code := fail(t, cmd); code != 3 || !strings.Contains(stderr, "does not encrypt") || !strings.Contains(stderr, "serve --tls") {
			t.Errorf("%s: exit %d, %s", cmd.Args[1], code, stderr)
		}
	}
}

// TestFaultsOverTLS is TestFaults for some faults of a network, in the handshake
// and behind it. Who comes back shows its token again.
func TestFaultsOverTLS(t *testing.T) {
	folder := t.TempDir()
	randomFile(t, filepath.Join(folder, "large"), 3_000_000)
	randomFile(t, filepath.Join(folder, "small"), 1000)
	store := storagetest.MemoryDir(t)
	identity, pin := newIdentity(t)
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, fmt.Appendf(nil, "alice %x", sha256.Sum256([]byte(anyToken))), 0o600); err != nil {
		t.Fatal(err)
	}
	addr, _ := startServe(t, "--store", store, "--identity", identity, "--tokens", tokens)
	const handshake = 3000 // at most, to the server
	for _, do := range []action{reset, halfClose, flip} {
		for _, at := range []int64{0, 3, 700, handshake, 20_000, 1_500_000, 3_001_000} {
			for _, toClient := range []bool{false, true} {
				f := fault{do: do, at: at}
				p := plan{toServer: f}
				if toClient {
					if at > handshake {
						continue
					}
					p = plan{toClient: f}
				}
				t.Run(fmt.Sprintf("%v after %d bytes, to the client: %t", do, at, toClient), func(t *testing.T) {
					t.Parallel()
					through := startProxy(t, addr, p)
					cmd := labnetCommand(t, "upload", "-a", through.addr, "--pin", pin, "--json", "--name", t.Name(), "--timeout", "2s", "--retries", "8", folder)
					cmd.Env = append(cmd.Env, "LABNET_TOKEN="+anyToken)
					// A handshake that was tampered with is no passing failure.
					uploadThroughFaults(t, cmd, store, do != flip || at > handshake)
				})
			}
		}
	}
}

// TestRenewedCertificate replaces the files that a server has its certificate
// from. A pair that is not in order leaves the old one in use.
func TestRenewedCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	newPair(t, cert, key, 1)
	addr, _ := startServe(t, "--cert", cert, "--key", key)
	want := func(serial int64, when string) {
		t.Helper()
		if got := serialOf(t, addr); got != serial {
			t.Errorf("%s: certificate %d, want %d", when, got, serial)
		}
	}
	want(1, "at first")

	next, nextKey := filepath.Join(dir, "next"), filepath.Join(dir, "next key")
	newPair(t, next, nextKey, 2)
	rename(t, next, cert)
	want(1, "with the key of the old one")
	rename(t, nextKey, key)
	want(2, "with both new")

	if err := os.WriteFile(cert, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(2, "with nonsense")
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	want(2, "without a key")
	newPair(t, cert, key, 3)
	want(3, "with another pair")

	cmd := labnetCommand(t, "say", "-a", addr, "--tls", "hi")
	cmd.Env = append(cmd.Env, "SSL_CERT_FILE="+cert)
	if runtime.GOOS == "linux" { // others have their roots elsewhere
		if out := run(t, cmd); out != "Message: hi\n" {
			t.Errorf("said %q", out)
		}
	}
	newPair(t, next, nextKey, 4)
	if stderr, code := fail(t, labnetCommand(t, "serve", "-l", "127.0.0.1:0", "--cert", next, "--key", key)); code != 1 || !strings.Contains(stderr, "private key does not match") {
		t.Errorf("exit %d, %s", code, stderr)
	}
}

// TestInviteToCertificate: who is invited to a server with a certificate checks that,
// and for the name in the invitation.
func TestInviteToCertificate(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("others have their roots elsewhere")
	}
	dir := t.TempDir()
	cert, key, tokens := filepath.Join(dir, "cert"), filepath.Join(dir, "key"), filepath.Join(dir, "tokens")
	newPair(t, cert, key, 1)
	first := labnetCommand(t, "invite", "first", "--tls", "--at", "lab.example.org", "--tokens", tokens)
	run(t, first)
	if made := must(os.ReadDir(first.Dir)); len(made) > 0 {
		t.Errorf("%v is made, although nothing is in the store", made)
	}
	addr, _ := startServe(t, "--cert", cert, "--key", key, "--tokens", tokens)
	line := run(t, labnetCommand(t, "invite", "alice", "--tls", "--at", "127.0.0.1:1", "--at", addr, "--tokens", tokens))
	join := func(roots string) *exec.Cmd {
		cmd := labnetCommand(t, "join")
		cmd.Env = append(cmd.Env, "HOME="+cmd.Dir, "XDG_CONFIG_HOME=", "SSL_CERT_FILE="+roots)
		cmd.Stdin = strings.NewReader(line)
		return cmd
	}
	if stderr, code := fail(t, join(os.DevNull)); code != 3 || !strings.Contains(stderr, "unknown authority") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	trusting := join(cert)
	run(t, trusting)
	say := labnetCommand(t, "say", "hi")
	say.Env = append(say.Env, trusting.Env...)
	if out := run(t, say); out != "Message: hi\n" {
		t.Errorf("said %q", out)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// serialOf returns the serial number of the certificate that a server shows.
func serialOf(t *testing.T, addr string) int64 {
	t.Helper()
	var serial *big.Int
	seen := errors.New("seen")
	_, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(s tls.ConnectionState) error {
		serial = s.PeerCertificates[0].SerialNumber
		return seen
	}})
	if !errors.Is(err, seen) {
		t.Fatal(err)
	}
	return serial.Int64()
}
