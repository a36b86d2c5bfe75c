package wal

import "fmt"

// state is what the log says beside the entries.
type state struct {
	boot   uint64
	hard   HardState
	marker Marker
	// last is the index of the last entry, or the marker's if there is none.
	// Invariant: last >= marker.Index.
	last uint64
}

// apply takes b in, or says with ErrOrder why it does not continue the log; the
// state is then unchanged.
func (s *state) apply(b *Batch) error {
	next := *s
	if b.Marker != nil && b.Marker.Index < s.marker.Index {
		return fmt.Errorf("%w: marker %d after marker %d", ErrOrder, b.Marker.Index, s.marker.Index)
	}
	if b.Reset {
		if b.Marker == nil {
			return fmt.Errorf("%w: reset without a marker", ErrOrder)
		}
		next.marker, next.last = *b.Marker, b.Marker.Index
	}
	if n := uint64(len(b.Entries)); n > 0 {
		first := b.Entries[0].Index
		if first <= next.marker.Index || first > next.last+1 {
			return fmt.Errorf("%w: entry %d, but the log has %d to %d", ErrOrder, first, next.marker.Index+1, next.last)
		}
		next.last = first + n - 1
	}
	if b.Marker != nil {
		if b.Marker.Index > next.last {
			return fmt.Errorf("%w: marker %d, but the last entry is %d", ErrOrder, b.Marker.Index, next.last)
		}
		next.marker = *b.Marker
	}
	if b.Hard != nil {
		next.hard = *b.Hard
	}
	if b.Boot != 0 {
		next.boot = b.Boot
	}
	*s = next
	return nil
}

// checkEntries refuses a batch whose entries are not contiguous.
func checkEntries(entries []Entry) error {
	if len(entries) > MaxBatchEntries {
		return fmt.Errorf("%w: %d entries", ErrTooLarge, len(entries))
	}
	for i := range entries {
		if want := entries[0].Index + uint64(i); entries[i].Index != want || want == 0 {
			return fmt.Errorf("%w: entry %d where %d was due", ErrOrder, entries[i].Index, want)
		}
	}
	return nil
}
