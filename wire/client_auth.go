package wire

import "fmt"

var errToken = &SourceError{fmt.Errorf("a token is %d to %d bytes of UTF-8 without NUL, and sent inside TLS only", MinToken, MaxToken)}

// Authenticate shows the server a token. It must be called first, and does not
// wait: the token is sent with the next request, which fails with an *Error with
// CodeDenied if the token is not valid. A token is never sent in the clear.
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

// checkGreeting returns why the answer to a token does not accept it, or nil.
func checkGreeting(r serverReply) error {
	if e := r.refusal(); e != nil {
		return e
	}
	if r.Word != wordOK {
		return errReply
	}
	return nil
}
