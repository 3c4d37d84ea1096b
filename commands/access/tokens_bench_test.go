package access

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkTiming asks whether the time that find takes tells how much of a token is
// right, or which user's it is. It measures two kinds of tokens, each the one or the
// other by chance, and reports Welch's t of the two: beyond about 4.5 on either side,
// they differ. The last pair is known to, and shows that it would be seen.
func BenchmarkTiming(b *testing.B) {
	all := crowd(b, 100)
	right := numbered(99)
	for _, pair := range []struct{ name, one, other string }{
		{"nothing and all but a byte", strings.Repeat("x", len(right)), right[:len(right)-1] + "x"},
		{"nothing and the first byte", strings.Repeat("x", len(right)), right[:1] + strings.Repeat("x", len(right)-1)},
		{"first and last user", numbered(0), right},
		{"short and long", right, strings.Repeat(right, 4)},
	} {
		b.Run(pair.name, func(b *testing.B) {
			var times [2][]float64
			for b.Loop() {
				kind := rand.IntN(2)
				token := []string{pair.one, pair.other}[kind]
				begin := time.Now()
				all.find(token)
				times[kind] = append(times[kind], float64(time.Since(begin)))
			}
			b.ReportMetric(welch(times), "t")
		})
	}
}

// welch returns Welch's t of two samples without their slowest tenth, in which
// something else ran.
func welch(samples [2][]float64) float64 {
	var mean, spread [2]float64 // spread of the mean
	for i, s := range samples {
		slices.Sort(s)
		s = s[:len(s)*9/10]
		for _, x := range s {
			mean[i] += x / float64(len(s))
		}
		for _, x := range s {
			spread[i] += (x - mean[i]) * (x - mean[i]) / float64(len(s)) / float64(len(s)-1)
		}
	}
	return (mean[0] - mean[1]) / math.Sqrt(spread[0]+spread[1])
}
