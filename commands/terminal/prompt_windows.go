package terminal

// newEditor returns nil: the console of Windows edits lines, and recalls them,
// by itself.
func newEditor(*Console, Completer, bool) editor { return nil }
