package storage

// NeverBatch makes every file durable alone. It must be called before d is used.
func (d *Dir) NeverBatch() { d.batch.from = 0 }

// Fault says what is wrong with a name on a system, or "".
func (n Names) Fault(name, system string) string { return n.fault(name, system) }

// DefaultNamesOn is what DefaultNames returns on a system.
func DefaultNamesOn(system string) Names { return defaultNames(system) }

// Unname has every new file that cannot be resumed go without a name before its
// own, and reports whether the filesystem can do that.
func (d *Dir) Unname() bool {
	d.os.findNameless()
	d.namelessFrom = 1
	return d.os.nameless != never
}
