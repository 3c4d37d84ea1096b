package storage

// Fault says what is wrong with a name on a system, or "".
func (n Names) Fault(name, system string) string { return n.fault(name, system) }

// DefaultNamesOn is what DefaultNames returns on a system.
func DefaultNamesOn(system string) Names { return defaultNames(system) }
