package wire

import "time"

// publish has the store publish a file of which the client sent all, beside
// what the connection still receives, so that many become durable together. It
// is answered in its order, with word.
func (c *conn) publish(u *upload, word string, want Sum) {
	place := c.out.reserve(u.Name)
	c.srv.publishes(u)
	to := u.to
	u.to = nil // whatever comes of it
	c.publishing.Add(1)
	go func() {
		defer c.publishing.Done()
		defer c.survive()
		saved, err := c.keep(u, to, want)
		if err != nil {
			c.out.answerControl(place, c.refusal(err, u.number))
		} else {
			c.out.answerControl(place, saved.control(about(word, u.number), u.Digest))
		}
		c.out.push()
		c.srv.settle(c)
	}()
}

// keep has the store publish a file, and reports it. The store finishes what it
// began, whatever becomes of the connection.
func (c *conn) keep(u *upload, to Upload, want Sum) (Saved, error) {
	if u.begun.IsZero() { // it is empty, or all was there
		u.resumed = u.got
		c.srv.long.begin(u)
	}
	saved, err := func() (Saved, error) {
		defer c.srv.long.end(u)
		defer c.giveFile()
		defer c.srv.release(u)
		c.heart.begin()
		defer c.heart.end()
		return c.srv.commit(to, want)
	}()
	if err != nil {
		return saved, u.because(err)
	}
	c.received(Event{
		Op: u.op(), Name: saved.Name, Path: saved.Path, Size: &saved.Size, Digest: u.Digest, Sum: saved.Digest,
		Unchanged: saved.Unchanged, Took: time.Since(u.begun), Resumed: u.resumed,
	})
	return saved, nil
}

// control appends what a client wants to know of a kept file to a reply.
func (s Saved) control(ctl Control, d Digest) Control {
	ctl = ctl.with("name", s.Name).withSum(d, s.Sum)
	if s.Unchanged {
		ctl = ctl.with("unchanged", "1")
	}
	return ctl
}
