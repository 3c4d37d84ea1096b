package s3

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Scheme is what a location begins with.
const Scheme = "s3://"

// A Location says where a store is: in a bucket, below a prefix.
type Location struct {
	Bucket string
	// Prefix comes before every name; if it is not empty it ends in a slash.
	Prefix string
	// Endpoint is the host, and the port unless it is that of the scheme, of
	// the object store. Empty stands for that of AWS in the region.
	Endpoint string
	// Insecure means HTTP without TLS.
	Insecure bool
	// Region is "us-east-1" if nothing else is said.
	Region string
	// PathStyle says that the bucket is in the path of a URL rather than in the
	// host's name; nil stands for true of all but AWS.
	PathStyle *bool
}

// ParseLocation reads s3://bucket/prefix?endpoint=https://host&region=…&path-style=true.
// What it does not say comes from the environment, which getenv reads:
// AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION and AWS_DEFAULT_REGION.
func ParseLocation(s string, getenv func(string) string) (Location, error) {
	u, err := url.Parse(s)
	if err != nil {
		var bad *url.Error
		if errors.As(err, &bad) {
			err = bad.Err
		}
		return Location{}, err
	}
	if u.Scheme+"://" != Scheme || u.Host == "" || u.User != nil || u.Fragment != "" || u.Port() != "" {
		return Location{}, fmt.Errorf("is not of the form %sBUCKET/PREFIX?endpoint=URL&region=REGION", Scheme)
	}
	l := Location{Bucket: u.Host}
	if prefix := strings.Trim(u.Path, "/"); prefix != "" {
		l.Prefix = prefix + "/"
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return Location{}, err
	}
	for key, values := range query {
		if len(values) != 1 || values[0] == "" {
			return Location{}, fmt.Errorf("%s needs one value", key)
		}
		switch key {
		case "endpoint", "region":
		case "path-style":
			on, err := strconv.ParseBool(values[0])
			if err != nil {
				return Location{}, fmt.Errorf("path-style=%s is neither true nor false", values[0])
			}
			l.PathStyle = &on
		default:
			return Location{}, fmt.Errorf("%q is none of endpoint, region and path-style", key)
		}
	}
	l.Region = cmp.Or(query.Get("region"), getenv("AWS_REGION"), getenv("AWS_DEFAULT_REGION"), "us-east-1")
	endpoint := cmp.Or(query.Get("endpoint"), getenv("AWS_ENDPOINT_URL_S3"), getenv("AWS_ENDPOINT_URL"))
	if endpoint == "" {
		return l, nil
	}
	e, err := url.Parse(endpoint)
	if err != nil || e.Scheme != "http" && e.Scheme != "https" || e.Host == "" || strings.Trim(e.Path, "/") != "" ||
		e.User != nil || e.RawQuery != "" || e.Fragment != "" {
		return Location{}, fmt.Errorf("endpoint %q is not of the form https://HOST:PORT", endpoint)
	}
	l.Endpoint, l.Insecure = e.Host, e.Scheme == "http"
	return l, nil
}

// String is the location as a person would write it.
func (l Location) String() string { return Scheme + l.Bucket + "/" + l.Prefix }
