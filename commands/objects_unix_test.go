//go:build unix

package commands_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/labnet/labnet/storage/s3/s3test"
)

// TestKillWithObjects is TestKill with a real object store.
func TestKillWithObjects(t *testing.T) {
	gateway := s3test.NewGateway(t)
	testKill(t, min(*kills, 4), func(t *testing.T) place {
		bucket, folder := gateway.Bucket(t)
		return place{"s3://" + bucket + "/kept", filepath.Join(folder, "kept")}
	})
}

// TestCutsWithObjects is TestCuts with a real object store.
func TestCutsWithObjects(t *testing.T) {
	bucket, folder := s3test.NewGateway(t).Bucket(t)
	folder = filepath.Join(folder, "kept")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "lock"), nil, 0o600); err != nil { // or the folder goes when it is empty
		t.Fatal(err)
	}
	testCuts(t, "s3://"+bucket+"/kept", folder)
}
