package s3

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/labnet/labnet/storage"
)

// copies lists the objects that have the name or a numbered one of it, by number.
func (s *Store) copies(ctx context.Context, name string) (map[int]object, error) {
	found := make(map[int]object)
	first, exists, err := s.client.stat(ctx, s.root+name)
	if err != nil {
		return nil, err
	}
	if exists {
		found[1] = first
	}
	before, after := aroundNumber(name)
	err = s.client.list(ctx, s.root+before, 0, func(o object) error {
		number, ok := strings.CutSuffix(o.key[len(s.root+before):], after)
		n, err := strconv.Atoi(number)
		if ok && err == nil && n >= 2 && o.key == s.root+storage.NumberedName(name, n) {
			found[n] = o
		}
		return nil
	})
	return found, err
}

// aroundNumber is what stands around the number in a numbered name. (A name that
// is too long for one loses more where the number has more digits: then only
// numbers of one digit are found, and others when they are tried.)
func aroundNumber(name string) (before, after string) {
	second := storage.NumberedName(name, 2)
	i := strings.LastIndex(second, "2)")
	return second[:i], second[i+1:]
}

// firstFree is the least number that is not among the copies, from n on.
func firstFree(copies map[int]object, n int) int {
	for ; ; n++ {
		if _, taken := copies[n]; !taken {
			return n
		}
	}
}

// same finds the copy of the least number that has the contents of p.
func (p *partial) same(ctx context.Context, copies map[int]object) (n int, err error) {
	for _, n := range numbers(copies) {
		o := copies[n]
		if o.size != p.size {
			continue
		}
		if o.sum == "" { // lists do not tell it
			var exists bool
			if o, exists, err = p.store.client.stat(ctx, o.key); err != nil {
				return 0, err
			}
			if !exists {
				continue
			}
			o.key = copies[n].key
		}
		if same, err := p.isSame(ctx, o); same || err != nil {
			return n, err
		}
	}
	return 0, nil
}

func numbers(copies map[int]object) []int {
	list := make([]int, 0, len(copies))
	for n := range copies {
		list = append(list, n)
	}
	slices.Sort(list)
	return list
}
