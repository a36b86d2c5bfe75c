package state_test

import (
	"fmt"
	"strings"
	"testing"

	"drydock/node/keys"
	"drydock/node/state"
)

// BenchmarkApplyEntry applies entries of so many writes of so many bytes to a
// thousand keys: ns/op is of an entry. The entry is encoded outside of the time.
func BenchmarkApplyEntry(b *testing.B) {
	for _, size := range []struct{ commands, bytes int }{{1, 256}, {64, 64}, {64, 256}, {512, 256}, {64, 4096}} {
		b.Run(fmt.Sprintf("commands=%d/bytes=%d", size.commands, size.bytes), func(b *testing.B) {
			s, value := state.New(founders), strings.Repeat("v", size.bytes)
			list := make([]state.Command, size.commands)
			seq := uint64(0)
			b.SetBytes(int64(size.commands * size.bytes))
			b.ReportAllocs()
			b.StopTimer()
			for range b.N {
				for i := range list {
					seq++
					list[i] = put(1, 1, seq, seq, "")
					list[i].Keys = keys.Command{Kind: keys.Set, Path: fmt.Sprintf("/bench/%d", seq%1000), Value: value}
				}
				data := batch(1, list...)
				index, _ := s.Applied()
				b.StartTimer()
				_, err := s.Apply(index+1, 2, data)
				b.StopTimer()
				if err != nil {
					b.Fatal(err)
				}
				if seq%8192 < uint64(size.commands) {
					s.DrainDirty()
				}
			}
		})
	}
}
