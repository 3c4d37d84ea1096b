package dir

// NeverBatch makes every file durable alone. It must be called before d is used.
func (d *Store) NeverBatch() { d.batch.from = 0 }

// Unname has every new file that cannot be resumed go without a name before its
// own, and reports whether the filesystem can do that.
func (d *Store) Unname() bool {
	d.os.findNameless()
	d.namelessFrom = 1
	return d.os.nameless != never
}
