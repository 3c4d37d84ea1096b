package wire

// blob stores a Data under a name that the store makes.
func (c *conn) blob(size uint64, unsure bool) error {
	u := &upload{Announcement: Announcement{Size: -1, Digest: digests[0]}, conn: c}
	err := u.fits(size, c.srv.limits.MaxSize)
	if err == nil {
		u.Size = int64(size)
		err = c.createFile(opBlob, u)
	}
	if err != nil {
		c.out.addInOrder(c.refusal(u.because(err), 0))
		return c.discard(size)
	}
	defer c.drop(u)
	if err := c.receive(u, u.Size); err != nil || u.to == nil {
		return err
	}
	if unsure {
		if ends, err := c.labEnd(0, false); err != nil {
			return err
		} else if !ends {
			return errUnsized
		}
	}
	c.publish(u, wordOK, Sum{Size: u.Size})
	return nil
}

// createFile begins a file that was not announced, if the limits and the client's
// rights allow it.
func (c *conn) createFile(op string, u *upload) error {
	err := c.allow(op, u.Announcement)
	if err == nil {
		err = c.startUploading()
	}
	if err != nil {
		return err
	}
	c.acquireSlot(u, true)
	u.to, err = c.storeFile(op, u.Announcement)
	if err != nil {
		c.releaseSlot(u)
	}
	return err
}
