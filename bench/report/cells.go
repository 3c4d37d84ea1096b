package report

import "fmt"

// figure writes a number with three digits that mean something.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}

func seconds(s Spread) string {
	if s.Count == 0 {
		return "–"
	}
	if s.Count == 1 {
		return figure(s.Median) + " s"
	}
	return fmt.Sprintf("%s s (%s … %s)", figure(s.Median), figure(s.Min), figure(s.Max))
}

func cpu(e Entry) string {
	client := e.of(func(r *Run) float64 { return r.ClientCPU.Seconds() }).Median
	server := e.of(func(r *Run) float64 { return r.ServerCPU.Seconds() }).Median
	if e.Local {
		return fmt.Sprintf("%.2f s", client)
	}
	return fmt.Sprintf("%.2f + %.2f s", client, server)
}

func memory(e Entry) string {
	client, server := e.peaks()
	if e.Local {
		return fmt.Sprintf("%.0f MiB", client/(1<<20))
	}
	return fmt.Sprintf("%.0f + %.0f MiB", client/(1<<20), server/(1<<20))
}

// peaks are the most that client and server needed in any round, in bytes.
func (e Entry) peaks() (client, server float64) {
	return e.of(func(r *Run) float64 { return float64(r.ClientPeak) }).Max,
		e.of(func(r *Run) float64 { return float64(r.ServerPeak) }).Max
}

// A memoryLimit is a bar for labnet's memory, in bytes.
type memoryLimit struct {
	title            string
	atMost, measured float64
}

// memoryLimits are those of which something was measured.
func memoryLimits(r Report) (list []memoryLimit) {
	var client, server float64
	for _, w := range r.Workloads {
		if e, ok := w.entry(w.Reference); ok {
			c, s := e.peaks()
			client, server = max(client, c), max(server, s)
		}
	}
	const kib, mib = 1 << 10, 1 << 20
	if client > 0 {
		list = append(list,
			memoryLimit{"memory of the client, all work", 24 * mib, client},
			memoryLimit{"memory of the server, all work", 24 * mib, server})
	}
	for _, m := range r.Memory {
		if m.Name == "labnet" && m.Peak > 0 {
			list = append(list, memoryLimit{fmt.Sprintf("memory for %d uploads at once", m.Uploads), 256 * mib, float64(m.Peak)})
		}
		if m.Name == "labnet" && m.Each > 0 {
			list = append(list, memoryLimit{"memory for an idle connection", 16 * kib, float64(m.Each)})
		}
	}
	return list
}

func percent(part float64) string { return fmt.Sprintf("%.2f %%", 100*part) }

func size(n float64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%.1f MiB", n/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", n/(1<<10))
}
