// Objects is what objects.sh needs beside labnet: an object store that takes
// everything and keeps nothing, and an upload by minio-go itself.
//
//	objects null ADDRFILE
//	objects put FILE BUCKET KEY
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/labnet/labnet/storage/s3/s3test"
)

func main() {
	log.SetFlags(0)
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "null":
		err = null(os.Args[2])
	case len(os.Args) == 5 && os.Args[1] == "put":
		err = put(os.Args[2], os.Args[3], os.Args[4])
	default:
		log.Fatal("usage: objects null ADDRFILE | objects put FILE BUCKET KEY")
	}
	if err != nil {
		log.Fatal(err)
	}
}

// null is an object store that verifies the sum of each part and forgets it.
func null(addrFile string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := os.WriteFile(addrFile, []byte(l.Addr().String()), 0o600); err != nil {
		return err
	}
	server := s3test.NewServer()
	server.Discard = true
	return http.Serve(l, server)
}

// put uploads a file as minio-go does by default, with its full-object CRC64NVME.
func put(file, bucket, key string) error {
	endpoint, err := url.Parse(os.Getenv("AWS_ENDPOINT_URL_S3"))
	if err != nil {
		return err
	}
	pem, err := os.ReadFile(os.Getenv("AWS_CA_BUNDLE"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	client, err := minio.New(endpoint.Host, &minio.Options{
		Creds: credentials.NewEnvAWS(), Secure: true, Region: "us-east-1", TrailingHeaders: true,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}},
	})
	if err != nil {
		return err
	}
	info, err := client.FPutObject(context.Background(), bucket, key, file,
		minio.PutObjectOptions{AutoChecksum: minio.ChecksumCRC64NVME})
	if err == nil {
		fmt.Println(info.Size, info.ChecksumCRC64NVME)
	}
	return err
}
