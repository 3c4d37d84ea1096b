//go:build windows && labnet_no_s3

package commands

import "errors"

// become would replace this program by another one; Windows has no way.
func become(program string, _ []string) error {
	return errors.New("run " + program + " in its place")
}
