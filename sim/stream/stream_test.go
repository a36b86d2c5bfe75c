package stream

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func draw(r *rand.Rand, n int) []uint64 {
	out := make([]uint64, n)
	for i := range out {
		out[i] = r.Uint64()
	}
	return out
}

func read(t interface{ Fatal(...any) }, r io.Reader, n int) []byte {
	buf := make([]byte, n)
	if _, err := io.ReadFull(r, buf); err != nil {
		t.Fatal(err)
	}
	return buf
}

// TestStreamsArePinned fails when the derivation or a generator changes: every
// recorded seed would then mean another run.
func TestStreamsArePinned(t *testing.T) {
	s := New(1)
	want := []uint64{9006936188523195059, 17784747297354969727, 11825939630869685920}
	if diff := cmp.Diff(want, draw(s.Stream("net/n1-n2"), len(want))); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
	const wantBytes = "cef0ad9683740f6dc9efdff17bb57912"
	if got := hex.EncodeToString(read(t, s.Reader("raft/n1"), 16)); got != wantBytes {
		t.Errorf("bytes %s, want %s", got, wantBytes)
	}
}

func TestStreamsDiffer(t *testing.T) {
	seen := make(map[uint64]string)
	see := func(what string, v uint64) {
		if other, ok := seen[v]; ok {
			t.Errorf("%s and %s yield the same first number", what, other)
		}
		seen[v] = what
	}
	for _, seed := range []uint64{0, 1, 1 << 56} {
		for _, name := range []string{"", "a", "b", "a/b", "ab", "\x00"} {
			see("numbers "+name, New(seed).Stream(name).Uint64())
			// A reader's first bytes must not be its namesake's first number either.
			first := read(t, New(seed).Reader(name), 8)
			see("bytes "+name, binary.LittleEndian.Uint64(first))
		}
	}
}

func TestAskingAgainContinues(t *testing.T) {
	whole := draw(New(7).Stream("x"), 4)
	s := New(7)
	parts := append(draw(s.Stream("x"), 2), draw(s.Stream("x"), 2)...)
	if diff := cmp.Diff(whole, parts); diff != "" {
		t.Errorf("numbers (-whole +parts):\n%s", diff)
	}
	wholeBytes := read(t, New(7).Reader("x"), 32)
	partBytes := append(read(t, s.Reader("x"), 5), read(t, s.Reader("x"), 27)...)
	if !bytes.Equal(wholeBytes, partBytes) {
		t.Errorf("bytes %x, want %x", partBytes, wholeBytes)
	}
}

// TestDrawsElsewhereMoveNothing is the package's promise: whatever is drawn from
// other streams, before and between, a stream yields what it yields alone.
func TestDrawsElsewhereMoveNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		wantNumbers := draw(New(seed).Stream("me"), 16)
		wantBytes := read(t, New(seed).Reader("me"), 64)

		s := New(seed)
		disturb := func() {
			for range rapid.IntRange(0, 3).Draw(t, "disturbances") {
				name := rapid.SampledFrom([]string{"", "m", "me/", "you"}).Draw(t, "name")
				n := rapid.IntRange(0, 70).Draw(t, "amount")
				draw(s.Stream(name), n)
				read(t, s.Reader(name), n)
			}
		}
		var numbers []uint64
		var bytesRead []byte
		for range 16 {
			disturb()
			numbers = append(numbers, s.Stream("me").Uint64())
			disturb()
			bytesRead = append(bytesRead, read(t, s.Reader("me"), 4)...)
		}
		if diff := cmp.Diff(wantNumbers, numbers); diff != "" {
			t.Fatalf("numbers (-alone +disturbed):\n%s", diff)
		}
		if !bytes.Equal(wantBytes, bytesRead) {
			t.Fatalf("bytes %x, alone %x", bytesRead, wantBytes)
		}
	})
}

func TestSeed(t *testing.T) {
	if got := New(42).Seed(); got != 42 {
		t.Errorf("seed %d, want 42", got)
	}
}
