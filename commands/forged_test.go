package commands

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/minio/crc64nvme"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/dir"
	"github.com/labnet/labnet/storage/s3"
	"github.com/labnet/labnet/storage/s3/s3test"
	"github.com/labnet/labnet/wire"
)

// forge changes the last 8 bytes of b so that it has the CRC-64/NVME of like: the
// checksum is linear, so that anybody can.
func forge(b, like []byte) []byte {
	n := len(b) - 8
	register := ^crc64nvme.Update(0, like) // behind the last byte
	for range 64 {
		if register>>63 == 1 {
			register = (register^crc64nvme.NVME)<<1 | 1
		} else {
			register <<= 1
		}
	}
	before := ^crc64nvme.Update(0, b[:n])
	return binary.LittleEndian.AppendUint64(bytes.Clone(b[:n]), register^before)
}

// TestForged has a neighbour, who may write to the same folder and knows a file and
// the id of its upload, plant another file or partial of the same size and CRC-64.
// The owner's bytes are what is kept.
func TestForged(t *testing.T) {
	const size = 6 << 20 // two parts of an object store
	owners := bytes.Repeat([]byte("owner's."), size/8)
	for where, open := range map[string]func(*testing.T) (store storage.Store, file func(name string) []byte){
		"folder":  openFolder,
		"objects": openObjects,
	} {
		// What the neighbour plants, and how many bytes the owner's file begins with
		// that have the same CRC.
		for what, n := range map[string]int{"file": size, "partial": size - 1, "part": 5 << 20, "all of it": size} {
			for _, digest := range wire.Digests() {
				t.Run(where+"/"+what+"/"+digest.Name, func(t *testing.T) {
					store, file := open(t)
					l := countStore(t, store, nil)
					planted := forge(bytes.Repeat([]byte("planted."), size/8)[:n], owners[:n])
					a := wire.Announcement{Name: "f", ID: "guessed", Size: size, Digest: digest}
					if what == "file" {
						b := a
						b.ID = ""
						_, err := dialStore(t, l).Upload(t.Context(), b, bytes.NewReader(planted))
						must(t, err)
					} else {
						plant(t, l, a, planted)
					}
					saved, err := dialStore(t, l).Upload(t.Context(), a, bytes.NewReader(owners))
					must(t, err)
					if saved.Unchanged || saved.Resumed > 0 {
						t.Errorf("the owner is told: unchanged %v, resumed at %d", saved.Unchanged, saved.Resumed)
					}
					if !bytes.Equal(file(saved.Name), owners) {
						t.Errorf("%q is not the owner's", saved.Name)
					}
				})
			}
		}
	}
}

func openFolder(t *testing.T) (storage.Store, func(string) []byte) {
	folder := t.TempDir()
	d, err := dir.Open(folder, dir.Options{})
	must(t, err)
	return d, func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(folder, name))
		must(t, err)
		return b
	}
}

func openObjects(t *testing.T) (storage.Store, func(string) []byte) {
	server := s3test.NewServer()
	t.Setenv("AWS_ACCESS_KEY_ID", "x")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "x")
	s, err := s3.Open(t.Context(), s3.Location{
		Bucket: server.Bucket, Endpoint: "127.0.0.1:9", Insecure: true, Region: "us-east-1",
	}, s3.Options{Transport: server})
	must(t, err)
	return s, func(name string) []byte { return server.Objects()[name].Data }
}

func dialStore(t *testing.T, l net.Listener) *wire.Client {
	nc, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	c := wire.NewClient(nc, 0)
	t.Cleanup(func() { c.Close() })
	return c
}

// plant begins an upload of the first bytes, and returns when the server has put
// them away.
func plant(t *testing.T, l net.Listener, a wire.Announcement, b []byte) {
	nc, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	defer nc.Close()
	announcement := wire.Control{Word: a.Name, Fields: []wire.Field{
		{Key: "id", Value: a.ID}, {Key: "size", Value: strconv.FormatInt(a.Size, 10)},
		{Key: "digest", Value: a.Digest.Name}, {Key: "proof", Value: "blake3,sha256"},
	}}
	request := wire.DataHeader(uint64(len(b))).Append(wire.AppendString(nil, announcement.Text()))
	_, err = nc.Write(append(request, b...))
	must(t, err)
	must(t, nc.(*net.TCPConn).CloseWrite())
	_, err = io.Copy(io.Discard, nc)
	must(t, err)
}
