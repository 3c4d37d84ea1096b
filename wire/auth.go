package wire

import "strings"

// Limits of a token, in bytes. A shorter one could be guessed.
const (
	MinToken = 16
	MaxToken = 1024
)

func authOf(token string) Control { return Control{Word: wordAuth}.with("token", token) }

// tokenOf returns the token if text is the request that shows one.
func tokenOf(text string) (token string, ok bool) {
	if !strings.HasPrefix(text, wordAuth+"\x00") {
		return "", false
	}
	ctl, err := ParseControl(text)
	return ctl.Get("token"), err == nil
}
