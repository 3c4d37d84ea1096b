package storage

// NeverBatch makes every file durable alone. It must be called before d is used.
func (d *Dir) NeverBatch() { d.batch.from = 0 }
