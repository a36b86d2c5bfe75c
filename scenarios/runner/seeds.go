package runner

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxSeeds bounds how many seeds one call runs.
const MaxSeeds = 10_000_000

// ParseSeeds reads a set of seeds: N stands for 1-N, A-B for all from A to B.
func ParseSeeds(text string) ([]uint64, error) {
	from, to, isRange := strings.Cut(text, "-")
	if !isRange {
		from, to = "1", from
	}
	a, errA := strconv.ParseUint(from, 10, 64)
	b, errB := strconv.ParseUint(to, 10, 64)
	switch {
	case errA != nil || errB != nil:
		return nil, fmt.Errorf("seeds %q are neither a number nor a range such as 1-1000", text)
	case b < a || b == 0:
		return nil, fmt.Errorf("seeds %q: there is none from %d to %d", text, a, b)
	case b-a >= MaxSeeds:
		return nil, fmt.Errorf("seeds %q: more than %d", text, MaxSeeds)
	}
	seeds := make([]uint64, 0, b-a+1)
	for seed := a; ; seed++ {
		seeds = append(seeds, seed)
		if seed == b {
			return seeds, nil
		}
	}
}
