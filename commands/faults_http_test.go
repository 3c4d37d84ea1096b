package commands_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"testing"
	"time"

	"github.com/labnet/labnet/storage/storagetest"
)

// TestFaultsOverHTTP sends through a network that does what networks do, by PUT with a
// digest, and by tus with one until all has come: what is said to be safe is there as it
// was, and nothing torn has a name.
func TestFaultsOverHTTP(t *testing.T) {
	const size = 70_000
	store := storagetest.MemoryDir(t)
	addr, _ := startServe(t, "--store", store)
	random := rand.New(rand.NewPCG(6, 7))
	visible := func(t *testing.T) map[string][]byte {
		files := map[string][]byte{}
		must(t, visibleFiles(store, func(name string, contents []byte) { files[name] = contents }))
		return files
	}
	t.Run("faults", func(t *testing.T) {
		for i, network := range faultyNetworks(size) {
			contents := make([]byte, size)
			for i := range contents {
				contents[i] = byte(random.Uint32())
			}
			resign(contents)
			t.Run(network.name, func(t *testing.T) {
				t.Parallel()
				wantSaved := func(name string, contents []byte) {
					if !bytes.Equal(visible(t)[name], contents) {
						t.Errorf("%q was said to be safe", name)
					}
				}
				timeout := time.Second // with a short one a stall is a failure, not a wait
				if network.harmless {
					timeout = patience
				}
				sender := newWebSender(startProxy(t, addr, network.plan).addr)
				defer sender.close()
				sender.client.Timeout = timeout
				sum := sha256.Sum256(contents)
				h, err := sender.do(t.Context(), "PUT", fmt.Sprintf("/put %d", i), contents, "Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":")
				if err == nil {
					name, err := savedAs(h)
					must(t, err)
					wantSaved(name, contents)
				} else if network.harmless {
					t.Errorf("PUT: %v", err)
				}

				again := newWebSender(startProxy(t, addr, network.plan).addr)
				defer again.close()
				again.client.Timeout = timeout
				u := &tusUpload{contents: append([]byte(nil), contents...)}
				u.contents[size-1]++ // else the server would know it
				resign(u.contents)
				name, err := again.tus(t.Context(), fmt.Sprintf("tus %d", i), u, 3)
				for tries := 0; err != nil && tries < 20; tries++ {
					if _, lost := errors.AsType[*url.Error](err); !lost {
						u.at = "" // the server has understood something else
					}
					if u.at == "" {
						name, err = again.tus(t.Context(), fmt.Sprintf("tus %d", i), u, 3)
					} else {
						name, _, err = again.resume(t.Context(), u)
					}
				}
				if err != nil {
					t.Errorf("tus: %v", err)
				} else {
					wantSaved(name, u.contents)
				}
			})
		}
	})
	for name, contents := range visible(t) {
		if !isSigned(contents) {
			t.Errorf("%s: %d bytes that nobody sent", name, len(contents))
		}
	}
}
