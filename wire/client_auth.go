package wire

import "fmt"

var errToken = &SourceError{fmt.Errorf("a token is %d to %d bytes of UTF-8 without NUL, and sent inside TLS only", MinToken, MaxToken)}

// Authenticate shows the server a token, before anything else is asked. It does
// not wait: the token goes with what is asked next, and if it is not valid, that
// fails with an *Error of CodeDenied. A token is never sent in the clear.
func (c *Client) Authenticate(token string) error {
	if c.link.tls == nil || !isToken(token) {
		return errToken
	}
	p, err := c.expectPlain()
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.greeting = p
	c.mu.Unlock()
	c.out = authOf(token).append(c.out)
	return nil
}

func isToken(token string) bool {
	return len(token) >= MinToken && len(token) <= MaxToken && !IsControl(token)
}

// checkGreeting takes the answer to the token.
func checkGreeting(r serverReply) error {
	if e := r.refusal(); e != nil {
		return e
	}
	if r.Word != wordOK {
		return errReply
	}
	return nil
}
