// Package excused ranges over maps with and without a reason.
package excused

func sum(m map[string]int) (total int) {
	// any order: addition does not mind
	for _, n := range m {
		total += n
	}

	for _, n := range m { // any order: addition does not mind
		total += n
	}
	for _, n := range m {
		total += n
	}
	// any order:
	for _, n := range m {
		total += n
	}
	return total
}
