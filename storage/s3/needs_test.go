package s3_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/labnet/labnet/storage/s3"
)

func TestNeeds(t *testing.T) {
	names := []string{"/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf"}
	for _, test := range []struct {
		location string
		env      map[string]string
		files    []string
		ports    []uint16
	}{
		{"s3://b", map[string]string{"AWS_ACCESS_KEY_ID": "k"}, names, []uint16{443}},
		{"s3://b?endpoint=http://s", map[string]string{"AWS_ACCESS_KEY_ID": "k"}, names, []uint16{80}},
		{"s3://b?endpoint=https://[::1]:9000", map[string]string{"AWS_ACCESS_KEY_ID": "k"}, names, []uint16{9000}},
		{"s3://b?endpoint=https://s:9000", nil, names, []uint16{9000, 80, 443}},
		{"s3://b?endpoint=https://s:9000", map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": "/run/token"},
			append(names, "/run/token"), []uint16{9000, 80, 443}},
	} {
		for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"} {
			t.Setenv(name, test.env[name])
		}
		l, err := s3.ParseLocation(test.location, func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		files, ports := l.Needs()
		if diff := cmp.Diff(test.files, files) + cmp.Diff(test.ports, ports); diff != "" {
			t.Errorf("%s with %v (-want +got):\n%s", test.location, test.env, diff)
		}
	}
}
