package wal

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// samples are batches of every shape.
var samples = []Batch{
	{},
	{Hard: &HardState{Term: 3, Vote: 1 << 60, Commit: 7}},
	{Marker: &Marker{Index: 9, Term: 2}, Reset: true},
	{Boot: 12},
	{Entries: []Entry{{Index: 1, Term: 1}}},
	{
		Entries: []Entry{
			{Index: 1 << 40, Term: 5, Type: 1, Data: []byte("a")},
			{Index: 1<<40 + 1, Term: 1 << 50, Type: 255, Data: bytes.Repeat([]byte("xy"), 400)},
			{Index: 1<<40 + 2, Term: 6},
		},
		Hard: &HardState{Term: 6}, Marker: &Marker{Index: 1 << 40, Term: 5}, Boot: 1, Reset: true,
	},
}

func TestBatchRoundTrip(t *testing.T) {
	for i := range samples {
		b := &samples[i]
		p := appendBatch(nil, b)
		if int64(len(p)) > batchBound(b) {
			t.Errorf("sample %d takes %d bytes, bound %d", i, len(p), batchBound(b))
		}
		got, err := decodeBatch(p)
		if err != nil {
			t.Fatalf("sample %d: %v", i, err)
		}
		if diff := cmp.Diff(*b, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("sample %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestBatchRefusesBadBytes(t *testing.T) {
	for i := range samples {
		p := appendBatch(nil, &samples[i])
		for n := range len(p) {
			if _, err := decodeBatch(p[:n]); !errors.Is(err, errPayload) {
				t.Errorf("sample %d cut to %d of %d bytes: %v", i, n, len(p), err)
			}
		}
		if _, err := decodeBatch(append(p, 0)); !errors.Is(err, errPayload) {
			t.Errorf("sample %d with a byte more: %v", i, err)
		}
	}
	for name, p := range map[string][]byte{
		"unknown flag":         {0x80, 0},
		"too many entries":     {0, 0xff, 0xff, 0xff, 0x7f},
		"entries without room": {0, 5, 1, 2, 3, 4},
		"index overflow":       {0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0},
		"endless varint":       {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	} {
		if _, err := decodeBatch(p); !errors.Is(err, errPayload) {
			t.Errorf("%s: %v, want errPayload", name, err)
		}
	}
}

func TestFrameRefusesEveryFlippedBit(t *testing.T) {
	rec := appendBatch(beginFrame(nil), &samples[4])
	n := len(rec)
	rec, _ = finishFrame(rec, frame{kind: kindBatch, prev: 1, generation: 2, synced: mark{3, 4}})
	if f, err := parseFrame(rec); err != nil || f.kind != kindBatch || f.prev != 1 || f.generation != 2 || f.synced != (mark{3, 4}) {
		t.Fatalf("%+v, %v", f, err)
	}
	for bit := range n * 8 {
		rec[bit/8] ^= 1 << (bit % 8)
		if _, err := parseFrame(rec); err == nil {
			t.Errorf("bit %d of byte %d flipped unnoticed", bit%8, bit/8)
		}
		rec[bit/8] ^= 1 << (bit % 8)
	}
	for n := range rec {
		if _, err := parseFrame(rec[:n]); err == nil {
			t.Errorf("cut to %d bytes unnoticed", n)
		}
	}
}

func TestHeaderRoundTrip(t *testing.T) {
	h := header{
		Identity: Identity{Cluster: 1, Member: 2}, sequence: 3, previous: 4,
		state: state{boot: 5, hard: HardState{6, 7, 8}, marker: Marker{9, 10}, last: 11},
	}
	p := appendHeader(nil, h)
	got, err := decodeHeader(p)
	if err != nil || got != h {
		t.Fatalf("got %+v, %v", got, err)
	}
	if _, err := decodeHeader(p[1:]); !errors.Is(err, errPayload) {
		t.Errorf("short header: %v", err)
	}
	p[0]++
	if _, err := decodeHeader(p); !errors.Is(err, errPayload) {
		t.Errorf("unknown version: %v", err)
	}
	h.state.last = 8
	if _, err := decodeHeader(appendHeader(nil, h)); !errors.Is(err, errPayload) {
		t.Errorf("last entry below the marker: %v", err)
	}
}

func FuzzDecodeBatch(f *testing.F) {
	for i := range samples {
		f.Add(appendBatch(nil, &samples[i]))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		b, err := decodeBatch(p)
		if err != nil {
			return
		}
		// What is accepted says the same when it is written again.
		again, err := decodeBatch(appendBatch(nil, &b))
		if err != nil {
			t.Fatalf("%x decodes, but not once it is encoded again: %v", p, err)
		}
		if diff := cmp.Diff(b, again, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%x (-first +again):\n%s", p, diff)
		}
	})
}

func FuzzParseFrame(f *testing.F) {
	for i := range samples {
		rec, _ := finishFrame(appendBatch(beginFrame(nil), &samples[i]), frame{kind: kindBatch, generation: 1})
		f.Add(rec)
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		got, err := parseFrame(p)
		if err == nil && (got.size > int64(len(p)) || got.size < frameBytes+int64(len(got.payload))) {
			t.Fatalf("record of %d bytes with a payload of %d in %d", got.size, len(got.payload), len(p))
		}
	})
}

// FuzzOpen gives Open a segment with a tail of arbitrary bytes.
func FuzzOpen(f *testing.F) {
	f.Add([]byte{}, uint16(0))
	f.Add([]byte("LWDD and something that is no record, or is it?"), uint16(300))
	f.Fuzz(func(t *testing.T, junk []byte, at uint16) {
		fs := newFS(t)
		opts := Options{SegmentBytes: MinSegmentBytes}
		log, err := Create(fs, opts)
		if err != nil {
			t.Fatal(err)
		}
		for i := range uint64(3) {
			if err := log.Append(&Batch{Entries: []Entry{{Index: i + 1, Term: 1, Data: make([]byte, 50)}}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
		file, err := fs.Open(segmentName(1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.WriteAt(junk, int64(at)%MinSegmentBytes); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
		log, got, err := Open(fs, opts)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrIdentity) {
				t.Fatal(err)
			}
			return
		}
		if len(got.Entries) > 3 {
			t.Fatalf("%d entries of 3", len(got.Entries))
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
