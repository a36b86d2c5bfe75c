package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// inOrder returns changes with those of one bucket that stand together in order of key,
// and those of one key in the order in which they came. bbolt keeps what a transaction
// has put into a page in one list: keys in order go to its end, others each move what
// comes after, which with hundreds of thousands of them takes minutes.
func inOrder(changes []Record) []Record {
	sorted := make([]Record, 0, len(changes))
	for len(changes) > 0 {
		n := 1
		for n < len(changes) && changes[n].Bucket == changes[0].Bucket {
			n++
		}
		sorted = appendSorted(sorted, changes[:n])
		changes = changes[n:]
	}
	return sorted
}

// sortKey stands for a record: most pairs are told apart by the bytes behind what all keys
// have in common, without a look at the keys themselves.
type sortKey struct {
	head uint64
	at   int
}

// appendSorted appends the records of a bucket in order.
func appendSorted(sorted, records []Record) []Record {
	common := records[0].Key
	inOrder := true
	for i := 1; i < len(records); i++ {
		n := 0
		for key := records[i].Key; n < len(common) && n < len(key) && key[n] == common[n]; {
			n++
		}
		common = common[:n]
		inOrder = inOrder && bytes.Compare(records[i-1].Key, records[i].Key) <= 0
	}
	if inOrder {
		return append(sorted, records...)
	}
	keys := make([]sortKey, len(records))
	for i := range records {
		var head [8]byte
		copy(head[:], records[i].Key[len(common):])
		keys[i] = sortKey{binary.BigEndian.Uint64(head[:]), i}
	}
	slices.SortFunc(keys, func(a, b sortKey) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		return cmp.Or(bytes.Compare(records[a.at].Key, records[b.at].Key), cmp.Compare(a.at, b.at))
	})
	for _, k := range keys {
		sorted = append(sorted, records[k.at])
	}
	return sorted
}
