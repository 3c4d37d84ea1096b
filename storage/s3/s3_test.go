package s3_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/s3"
	"github.com/labnet/labnet/storage/s3/s3test"
	"github.com/labnet/labnet/storage/storagetest"
)

// open opens a store in an object store in memory.
func open(t testing.TB, server *s3test.Server, o s3.Options) *s3.Store {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "testsecret")
	if o.Transport == nil {
		o.Transport = server
	}
	store, err := s3.Open(context.Background(), s3.Location{
		Bucket: server.Bucket, Prefix: "some/prefix/", Endpoint: "127.0.0.1:9", Insecure: true, Region: "us-east-1",
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return store
}

// visible is what a person would see in the bucket below the prefix.
func visible(server *s3test.Server) fs.FS {
	files := fstest.MapFS{}
	for key, o := range server.Objects() {
		name, ok := strings.CutPrefix(key, "some/prefix/")
		if !ok {
			name = "outside/" + key
		}
		add(files, name, o.Data, o.Meta)
	}
	return files
}

func add(files fstest.MapFS, name string, data []byte, meta http.Header) {
	if folder, ok := strings.CutSuffix(name, "/"); ok {
		f := &fstest.MapFile{Mode: fs.ModeDir | 0o755}
		if mode, err := strconv.ParseUint(meta.Get("X-Amz-Meta-Mode"), 8, 32); err == nil {
			f.Mode = fs.ModeDir | fs.FileMode(mode&0o777)
		}
		files[folder] = f
		return
	}
	f := &fstest.MapFile{Data: data, Mode: 0o666}
	if s := meta.Get("X-Amz-Meta-Mtime"); s != "" {
		abs, before := strings.CutPrefix(s, "-")
		seconds, nanos, _ := strings.Cut(abs, ".")
		sec, _ := strconv.ParseInt(seconds, 10, 64)
		nsec, _ := strconv.ParseInt(nanos, 10, 64)
		if before {
			sec, nsec = -sec, -nsec
		}
		f.ModTime = time.Unix(sec, nsec)
	}
	if s := meta.Get("X-Amz-Meta-Mode"); s != "" {
		mode, _ := strconv.ParseUint(s, 8, 32)
		f.Mode = fs.FileMode(mode & 0o7777)
	}
	files[name] = f
}

// runAll runs the suite that all stores pass and that of those with offers.
func runAll(t *testing.T, open storagetest.Open) {
	storagetest.Run(t, open)
	t.Run("offers", func(t *testing.T) { storagetest.RunOffers(t, open) })
}

func TestContract(t *testing.T) {
	runAll(t, func(t *testing.T, c storage.Conflict) (storage.Store, func() fs.FS) {
		server := s3test.NewServer()
		return open(t, server, s3.Options{OnConflict: c}), func() fs.FS { return visible(server) }
	})
}

// TestPortableNames has a store refuse what only some system can keep.
func TestPortableNames(t *testing.T) {
	server := s3test.NewServer()
	store := open(t, server, s3.Options{Names: storage.Portable})
	for _, name := range []string{".env", "aux.c", "dot.", "a/.git"} {
		var bad *storage.NameError
		if _, err := store.Create(t.Context(), storage.File{Name: name}); !errors.As(err, &bad) {
			t.Errorf("%q: error %v", name, err)
		}
		if err := store.MakeFolder(t.Context(), name, nil); !errors.As(err, &bad) {
			t.Errorf("folder %q: error %v", name, err)
		}
	}
	if err := store.MakeFolder(t.Context(), "a", nil); err != nil {
		t.Error(err)
	}
}

// TestCarelessObjectStore: a store is not opened in an object store that would overwrite
// files.
func TestCarelessObjectStore(t *testing.T) {
	server := s3test.NewServer()
	open(t, server, s3.Options{}) // which can be
	server.Careless = true
	store, err := s3.Open(t.Context(), s3.Location{
		Bucket: server.Bucket, Endpoint: "127.0.0.1:9", Insecure: true, Region: "us-east-1",
	}, s3.Options{Transport: server})
	if err == nil {
		store.Close()
	}
	if err == nil || !strings.Contains(err.Error(), "does not honour If-None-Match") {
		t.Errorf("error %v", err)
	}
}

// TestUnlistableNames: what XML cannot hold could be stored, but never listed.
func TestUnlistableNames(t *testing.T) {
	store := open(t, s3test.NewServer(), s3.Options{})
	for _, name := range []string{"\uffff", "a/b\ufffe"} {
		var bad *storage.NameError
		if _, err := store.Create(t.Context(), storage.File{Name: name}); !errors.As(err, &bad) {
			t.Errorf("%q: error %v", name, err)
		}
	}
}

// TestContractInParts has many files in parts, which are no larger than memory. In
// parts, the same contents that are sent several times at once (100,000 bytes in
// the suite) are kept once, too, but under any of their names.
func TestContractInParts(t *testing.T) {
	runAll(t, func(t *testing.T, c storage.Conflict) (storage.Store, func() fs.FS) {
		server := s3test.NewServer()
		server.MinPart = 0
		store := open(t, server, s3.Options{OnConflict: c, PartSize: 100_000, Memory: 1 << 20})
		return store, func() fs.FS { return visible(server) }
	})
}

// TestContractOfGateway is on a real object store.
func TestContractOfGateway(t *testing.T) {
	gateway := s3test.NewGateway(t)
	runAll(t, func(t *testing.T, c storage.Conflict) (storage.Store, func() fs.FS) {
		bucket, _ := gateway.Bucket(t)
		l, err := s3.ParseLocation("s3://"+bucket+"/a/prefix", os.Getenv)
		if err != nil {
			t.Fatal(err)
		}
		store, err := s3.Open(context.Background(), l, s3.Options{OnConflict: c})
		if err != nil {
			t.Fatal(err)
		}
		return store, func() fs.FS { return fetch(t, l) }
	})
}

// fetch reads all that is in a store, by other means than the store's.
func fetch(t *testing.T, l s3.Location) fs.FS {
	transport := &http.Transport{TLSClientConfig: trusting(t)}
	defer transport.CloseIdleConnections()
	client, err := minio.New(l.Endpoint, &minio.Options{Creds: credentials.NewEnvAWS(), Secure: true, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	ctx := context.Background()
	for info := range client.ListObjectsIter(ctx, l.Bucket, minio.ListObjectsOptions{Prefix: l.Prefix, Recursive: true}) {
		if info.Err != nil {
			t.Fatal(info.Err)
		}
		o, err := client.GetObject(ctx, l.Bucket, info.Key, minio.GetObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(o)
		if err != nil {
			t.Fatalf("%q: %v", info.Key, err)
		}
		stat, err := o.Stat()
		if err != nil {
			t.Fatal(err)
		}
		add(files, strings.TrimPrefix(info.Key, l.Prefix), data, stat.Metadata)
	}
	return files
}
