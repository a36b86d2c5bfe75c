package checkpoint

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestInOrder: buckets stay where they are, keys are in order within each stretch of one,
// and of one key the last that came is the last.
func TestInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 200 {
		var list []Record
		for i := range n {
			key := fmt.Sprintf("%s%d", []string{"", "service-", "service-1@", "s"}[r.IntN(4)], r.IntN(30))
			list = append(list, Record{Bucket: []string{"a", "b"}[i/40%2], Key: []byte(key), Value: []byte{byte(i)}})
		}
		want := slices.Clone(list)
		for from := 0; from < len(want); from += 40 {
			slices.SortStableFunc(want[from:min(from+40, len(want))], func(a, b Record) int { return bytes.Compare(a.Key, b.Key) })
		}
		if d := cmp.Diff(want, inOrder(list)); d != "" && n > 0 {
			t.Fatalf("%d records: %s", n, d)
		}
	}
}
