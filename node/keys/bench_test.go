package keys

import (
	"fmt"
	"strings"
	"testing"
)

func filled(b *testing.B, n int) (*Store, []string) {
	s, value := New(), strings.Repeat("v", 256)
	paths := make([]string, n)
	for i := range paths {
		paths[i] = fmt.Sprintf("/app/%d/key%d", i%100, i)
		if _, err := s.Apply(&Command{Kind: Set, Path: paths[i], Value: value}, Stamp{}); err != nil {
			b.Fatal(err)
		}
	}
	s.DrainDirty()
	return s, paths
}

func BenchmarkSet(b *testing.B) {
	for _, n := range []int{1000, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			s, paths := filled(b, n)
			value := strings.Repeat("w", 256)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.Apply(&Command{Kind: Set, Path: paths[i*7919%n], Value: value}, Stamp{})
			}
		})
	}
}

func BenchmarkCreateInOrder(b *testing.B) {
	s := New()
	b.ReportAllocs()
	for b.Loop() {
		s.Apply(&Command{Kind: CreateInOrder, Path: "/queue", Value: "job"}, Stamp{})
	}
}

func BenchmarkGet(b *testing.B) {
	s, paths := filled(b, 100_000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Get(paths[i*7919%len(paths)], false, false, Stamp{})
	}
}

func BenchmarkList(b *testing.B) {
	s, _ := filled(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		s.Get("/app/7", false, true, Stamp{})
	}
}

// BenchmarkWatchFanOut is one write that a thousand streams see.
func BenchmarkWatchFanOut(b *testing.B) {
	s := New()
	for range 1000 {
		s.Watch("/app", true, true, 0)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Apply(&Command{Kind: Set, Path: "/app/k", Value: "v"}, Stamp{})
		if n := len(s.TakeDeliveries()); n != 1000 {
			b.Fatal(n)
		}
	}
}

// BenchmarkWatchIdle is one write among a hundred thousand watches of others.
func BenchmarkWatchIdle(b *testing.B) {
	s := New()
	for i := range 100_000 {
		s.Watch(fmt.Sprintf("/other/%d", i), false, false, 0)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Apply(&Command{Kind: Set, Path: "/app/k", Value: "v"}, Stamp{})
	}
}
