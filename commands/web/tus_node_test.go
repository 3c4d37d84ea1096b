package web_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// sendByTus sends a file to a URL with the client of tus's authors. It says what checksum the
// contents have, if one is given.
const sendByTus = `
const tus = require('tus-js-client'), fs = require('fs')
const [file, endpoint, checksum] = process.argv.slice(2)
new tus.Upload(fs.readFileSync(file), {
  endpoint, metadata: { filename: 'from/node' },
  retryDelays: checksum ? null : Array(200).fill(1),
  onBeforeRequest: r => { if (checksum && r.getMethod() === 'PATCH') r.setHeader('Upload-Checksum', checksum) },
  onError: e => { console.error(String(e)); process.exit(1) },
  onSuccess: () => process.exit(0),
}).start()
`

// byTusJS returns the command that sends contents with tus-js-client to an address.
func byTusJS(t *testing.T, contents []byte, addr string, checksum ...string) *exec.Cmd {
	t.Helper()
	if exec.Command("node", "-e", "require('tus-js-client')").Run() != nil {
		t.Skip("needs node, and NODE_PATH to have tus-js-client")
	}
	folder := t.TempDir()
	file, script := filepath.Join(folder, "file"), filepath.Join(folder, "send.js")
	must(t, os.WriteFile(file, contents, 0o600))
	must(t, os.WriteFile(script, []byte(sendByTus), 0o600))
	return exec.Command("node", append([]string{script, file, "http://" + addr + "/tus/"}, checksum...)...)
}

// TestTusJSChecksum: contents that do not have their checksum are refused with the status
// that the client knows.
func TestTusJSChecksum(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	sum := sha1.Sum([]byte("hello"))
	checksum := "sha1 " + base64.StdEncoding.EncodeToString(sum[:])
	out, err := byTusJS(t, []byte("hallo"), w.addr, checksum).CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("response code: 460")) {
		t.Errorf("%v: %s", err, out)
	}
	w.wantFiles()
	if out, err := byTusJS(t, []byte("hello"), w.addr, checksum).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	w.wantFiles("from/node", "hello")
}

// TestTusJS: tus-js-client sends a file whole, though its connection is cut 20 times.
func TestTusJS(t *testing.T) {
	t.Parallel()
	w := start(t, nil)
	contents := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	var cuts atomic.Int32
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				up, err := net.Dial("tcp", w.addr)
				if err != nil {
					return
				}
				defer up.Close()
				go func() { io.Copy(c, up); c.Close() }()
				if cuts.Load() >= 20 {
					io.Copy(up, c)
				} else if n, _ := io.CopyN(up, c, 100_000); n == 100_000 {
					cuts.Add(1)
				}
			}()
		}
	}()
	out, err := byTusJS(t, contents, l.Addr().String()).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, w.log.String())
	}
	if cuts.Load() < 20 {
		t.Errorf("it was cut %d times", cuts.Load())
	}
	w.wantFiles("from/node", string(contents))
}
