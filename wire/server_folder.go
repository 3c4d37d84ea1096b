package wire

import "net"

// checkedFolder ends the name of a folder that is to be checked: servers that do not
// know checks refuse such names, and make nothing.
const checkedFolder = "/."

// makeFolder makes a folder, or checks that it is there, and answers once it is durable.
func (c *conn) makeFolder(name string, u *upload) error {
	err := func() error {
		if len(name) > MaxName {
			return errLongName
		}
		store, err := c.permit(opUpload)
		if err != nil {
			return err
		}
		c.heart.begin()
		defer c.heart.end()
		defer c.srv.beginCall()()
		if u.Check {
			return store.CheckFolder(c.ctx, name)
		}
		return store.MakeFolder(c.ctx, name, u.folderModes(name))
	}()
	if c.ctx.Err() != nil {
		return net.ErrClosed
	}
	if err != nil {
		c.refuse(u.because(err), u.number)
		return nil
	}
	if !u.Check {
		c.received(Event{Op: "folder", Name: name})
	}
	c.out.addControl(c.withWindow(about(wordSaved, u.number), u.number).with("name", name))
	return nil
}
