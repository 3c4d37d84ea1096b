package web_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// sendByTus sends a file to a URL with the client of tus's authors.
const sendByTus = `
const tus = require('tus-js-client'), fs = require('fs')
const [file, endpoint] = process.argv.slice(2)
new tus.Upload(fs.readFileSync(file), {
  endpoint, metadata: { filename: 'from/node' },
  retryDelays: Array(200).fill(1),
  onError: e => { console.error(String(e)); process.exit(1) },
  onSuccess: () => process.exit(0),
}).start()
`

// TestTusJS: tus-js-client sends a file whole, though its connection is cut 20 times.
func TestTusJS(t *testing.T) {
	t.Parallel()
	if exec.Command("node", "-e", "require('tus-js-client')").Run() != nil {
		t.Skip("needs node, and NODE_PATH to have tus-js-client")
	}
	w := start(t, nil)
	contents := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	folder := t.TempDir()
	file, script := filepath.Join(folder, "file"), filepath.Join(folder, "send.js")
	must(t, os.WriteFile(file, contents, 0o600))
	must(t, os.WriteFile(script, []byte(sendByTus), 0o600))
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
	out, err := exec.Command("node", script, file, "http://"+l.Addr().String()+"/tus/").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, w.log.String())
	}
	if cuts.Load() < 20 {
		t.Errorf("it was cut %d times", cuts.Load())
	}
	w.wantFiles("from/node", string(contents))
}
