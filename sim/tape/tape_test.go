package tape_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/sim/tape"
)

// record tapes n events of which event odd, from 1, differs from the usual; 0
// is none.
func record(n, odd int) *tape.Tape {
	r := tape.NewRecorder([]string{"", "send", tape.ResponseKind})
	h := sha256.New()
	for i := 1; i <= n; i++ {
		data := binary.BigEndian.AppendUint64(nil, uint64(i))
		if i == odd {
			data = append(data, "odd"...)
		}
		h.Write(data)
		r.Add(time.Duration(i)*time.Millisecond, byte(i%7), byte(i%3), []byte{1}, data, func() []byte { return h.Sum(nil) })
	}
	return r.Tape(h.Sum(nil))
}

func TestCompare(t *testing.T) {
	tests := []struct {
		name     string
		was, is  *tape.Tape
		partly   bool
		from, to uint64 // 0: no difference
		after    time.Duration
	}{
		{"same", record(1000, 0), record(1000, 0), false, 0, 0, 0},
		{"first event", record(1000, 0), record(1000, 1), false, 1, 1, 0},
		{"in the middle", record(1000, 0), record(1000, 700), false, 700, 700, 512 * time.Millisecond},
		{"at a point", record(1000, 0), record(1000, 512), false, 512, 512, 256 * time.Millisecond},
		{"last event", record(1000, 0), record(1000, 1000), false, 1000, 1000, 768 * time.Millisecond},
		{"shorter", record(1000, 0), record(900, 0), false, 901, 901, 768 * time.Millisecond},
		{"longer", record(1000, 0), record(1010, 0), false, 1001, 1001, 768 * time.Millisecond},
		{"cut short on purpose", record(1000, 0), record(900, 0), true, 0, 0, 0},
		{"cut short, but another", record(1000, 0), record(900, 880), true, 880, 880, 768 * time.Millisecond},
		{"empty", record(1000, 0), record(0, 0), false, 1, 1, 0},
		{"no marks", stripped(record(1000, 0)), stripped(record(1000, 700)), false, 513, 768, 512 * time.Millisecond},
	}
	for _, tt := range tests {
		d := tape.Compare(tt.was, tt.is, tt.partly)
		switch {
		case d == nil && tt.from == 0:
		case d == nil || tt.from == 0 || d.From != tt.from || d.To != tt.to || d.After != tt.after:
			t.Errorf("%s: %+v, want %d-%d after %s", tt.name, d, tt.from, tt.to, tt.after)
		}
	}
	d := tape.Compare(record(1000, 0), record(900, 0), false)
	if !d.Exact() || d.Was == nil || d.Is != nil {
		t.Errorf("a trace that ends early: %+v", d)
	}
}

func stripped(t *tape.Tape) *tape.Tape {
	t.Marks = nil
	return t
}

func TestEncodeDecode(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 257, 5000} {
		want := record(n, 3)
		var b bytes.Buffer
		if err := tape.Encode(&b, want); err != nil {
			t.Fatal(err)
		}
		got, err := tape.Decode(&b)
		if err != nil {
			t.Fatalf("%d events: %v", n, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d events: %s", n, diff)
		}
	}
	if err := tape.Encode(new(bytes.Buffer), &tape.Tape{Trace: "x"}); err == nil {
		t.Error("a tape without a hash is written")
	}
}

func TestDecodeRefuses(t *testing.T) {
	var b bytes.Buffer
	if err := tape.Encode(&b, record(600, 0)); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	for name, text := range map[string][]byte{
		"nothing": nil, "text": []byte("drydock tape 1\n"), "cut": whole[:len(whole)/2],
		"flipped": append(append(bytes.Clone(whole[:40]), whole[40]^1), whole[41:]...),
	} {
		if _, err := tape.Decode(bytes.NewReader(text)); !errors.Is(err, tape.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDescribe(t *testing.T) {
	one := record(1, 0)
	for want, m := range map[string]tape.Mark{
		"x send": {Kind: 1}, "c2 response": {Kind: 2, Who: 1}, "n8 send": {Kind: 1, Who: 7}, "x event": {Kind: 99},
	} {
		if got := one.Describe(m, []string{"x"}); got != want {
			t.Errorf("%+v is %q, want %q", m, got, want)
		}
	}
}

func TestListenerWants(t *testing.T) {
	l := &tape.Listener{Node: "n2", From: 10, Until: 20, First: 5, Last: 9}
	tests := []struct {
		at    time.Duration
		event uint64
		node  string
		want  bool
	}{
		{10, 5, "n2", true},
		{20, 9, "n2", true},
		{9, 5, "n2", false},
		{21, 5, "n2", false},
		{15, 4, "n2", false},
		{15, 10, "n2", false},
		{15, 7, "n1", false},
	}
	for _, tt := range tests {
		if l.Wants(tt.at, tt.event, tt.node) != tt.want {
			t.Errorf("%+v", tt)
		}
	}
	if !new(tape.Listener).Wants(1, 1, "n1") {
		t.Error("no filter lets nothing pass")
	}
}

func FuzzDecode(f *testing.F) {
	for _, n := range []int{0, 3, 300} {
		var b bytes.Buffer
		if err := tape.Encode(&b, record(n, 0)); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := tape.Decode(bytes.NewReader(text))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := tape.Encode(&b, got); err != nil {
			t.Fatal(err)
		}
		again, err := tape.Decode(&b)
		if err != nil || !cmp.Equal(got, again) {
			t.Fatalf("%v: %s", err, cmp.Diff(got, again))
		}
	})
}
