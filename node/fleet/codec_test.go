package fleet

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/node/unit"
)

// commands are one of each kind, with all that it can hold.
func commands() map[string]Command {
	hash := unit.Hash([]byte("01234567890123456789"))
	return map[string]Command{
		"put":          {Put: &Put{Name: "a.service", Text: hello, Desired: ptr(Launched), Create: true, Restart: true}},
		"put nothing":  {Put: &Put{Name: "a.service"}},
		"put inactive": {Put: &Put{Name: "a.service", Desired: ptr(Inactive)}},
		"destroy":      {Destroy: &Destroy{Name: "a.service"}},
		"patch":        {Patch: &Patch{Ops: []PatchOp{{id(1), "zone", ptr("a")}, {id(1), "disk", nil}, {"any", "k", ptr("")}}}},
		"drain":        {Drain: &Drain{Machine: id(1), On: true}},
		"open": {Open: &Open{Term: 1 << 40, Was: 7, Empty: true, Machine: Machine{
			ID: id(1), Name: "one", PrimaryIP: "10.0.0.1", Version: "1.2", URLs: []string{"http://one:2379", "http://one:4001"},
			Metadata: map[string]string{"zone": "a", "disk": ""}, Resources: map[string]int64{"cpu": 4000, "memory": 1 << 40}, Boot: "boot",
		}}},
		"open of little": {Open: &Open{Term: 1, Machine: Machine{ID: id(1)}}},
		"close":          {Close: &Close{Term: 3, Machine: id(1), Why: "its lease has passed", Session: 9}},
		"report": {Report: &Report{
			Machine: id(1), Session: 9, Seq: 4, Gone: []Gone{{"b.service", 3}, {"c.service", 4}},
			States: []State{
				{Unit: "a.service", Gen: 5, Hash: hash, Load: "loaded", Active: "failed", Sub: "failed", Result: "exit-code", Launched: true, Why: "exit 1"},
				{Unit: "d.service"},
			},
		}},
		"report of nothing": {Report: &Report{Machine: id(1), Session: 9, Seq: 4}},
		"place": {Place: &Place{Term: 3, Moves: []Move{
			{Unit: "a.service", Changed: 4, From: id(1), To: id(2), Session: 9, Why: "machine is gone"},
			{Unit: "b.service", Changed: 5, To: id(2), Session: 9},
		}}},
	}
}

func TestCommandsComeBack(t *testing.T) {
	for name, c := range commands() {
		t.Run(name, func(t *testing.T) {
			b := c.AppendBinary([]byte("before"))
			got, err := DecodeCommand(b[len("before"):])
			if d := cmp.Diff(c, got); err != nil || d != "" {
				t.Fatalf("%v %s", err, d)
			}
			b = c.AppendBinary(nil)
			for cut := range b {
				if _, err := DecodeCommand(b[:cut]); !errors.Is(err, ErrCorrupt) {
					t.Errorf("cut to %d of %d: %v", cut, len(b), err)
				}
			}
			if _, err := DecodeCommand(append(b, 0)); !errors.Is(err, ErrCorrupt) || errors.Is(err, ErrUnknown) {
				t.Errorf("with more: %v", err)
			}
		})
	}
	if _, err := DecodeCommand([]byte{99}); !errors.Is(err, ErrUnknown) || !errors.Is(err, ErrCorrupt) {
		t.Errorf("an unknown kind: %v", err)
	}
}

func TestBadCommandsAreRefusedOnBothSides(t *testing.T) {
	long := strings.Repeat("x", MaxValueBytes+1)
	many := func(n int) map[string]string {
		m := make(map[string]string)
		for i := range n {
			m[fmt.Sprint(i)] = ""
		}
		return m
	}
	machine := func(tune func(*Machine)) Command {
		m := Machine{ID: id(1)}
		tune(&m)
		return Command{Open: &Open{Machine: m}}
	}
	for name, tc := range map[string]struct {
		c    Command
		want error
	}{
		"unit's name":     {Command{Put: &Put{Name: long}}, ErrTooLarge},
		"unit's text":     {Command{Put: &Put{Name: "a.service", Text: strings.Repeat("x", MaxTextBytes+1)}}, ErrTooLarge},
		"desired":         {Command{Put: &Put{Name: "a.service", Desired: ptr(Desired(9))}}, ErrDesired},
		"destroyed name":  {Command{Destroy: &Destroy{long}}, ErrTooLarge},
		"drained":         {Command{Drain: &Drain{Machine: long}}, ErrTooLarge},
		"ops":             {Command{Patch: &Patch{make([]PatchOp, MaxOps+1)}}, ErrTooLarge},
		"key":             {Command{Patch: &Patch{[]PatchOp{{id(1), "", nil}}}}, ErrMetadata},
		"value":           {Command{Patch: &Patch{[]PatchOp{{id(1), "a", &long}}}}, ErrTooLarge},
		"id":              {machine(func(m *Machine) { m.ID = strings.ToUpper(id(10)) }), ErrMachine},
		"machine's name":  {machine(func(m *Machine) { m.Name = long }), ErrTooLarge},
		"urls":            {machine(func(m *Machine) { m.URLs = make([]string, MaxURLs+1) }), ErrTooLarge},
		"url":             {machine(func(m *Machine) { m.URLs = []string{long} }), ErrTooLarge},
		"metadata":        {machine(func(m *Machine) { m.Metadata = many(MaxMetadata + 1) }), ErrTooLarge},
		"metadata's key":  {machine(func(m *Machine) { m.Metadata = map[string]string{"a\nb": ""} }), ErrMetadata},
		"metadata's":      {machine(func(m *Machine) { m.Metadata = map[string]string{"a": long} }), ErrTooLarge},
		"resource":        {machine(func(m *Machine) { m.Resources = map[string]int64{"cpu": -1} }), ErrMachine},
		"name that acts":  {machine(func(m *Machine) { m.Name = "a\x1b[2J" }), ErrMachine},
		"URL that acts":   {machine(func(m *Machine) { m.URLs = []string{"http://a\n"} }), ErrMachine},
		"value that acts": {machine(func(m *Machine) { m.Metadata = map[string]string{"zone": "\u009b"} }), ErrMachine},
		"reason":          {Command{Close: &Close{Why: long}}, ErrTooLarge},
		"states":          {Command{Report: &Report{States: make([]State, MaxReported+1)}}, ErrTooLarge},
		"state":           {Command{Report: &Report{States: []State{{Active: long}}}}, ErrTooLarge},
		"state's reason":  {Command{Report: &Report{States: []State{{Why: long}}}}, ErrTooLarge},
		"gone":            {Command{Report: &Report{Gone: []Gone{{Unit: long}}}}, ErrTooLarge},
		"moves":           {Command{Place: &Place{Moves: make([]Move, MaxMoves+1)}}, ErrTooLarge},
		"move":            {Command{Place: &Place{Moves: []Move{{Why: long}}}}, ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tc.c.Check(); !errors.Is(err, tc.want) {
				t.Errorf("check: %v, want %v", err, tc.want)
			}
			if _, err := DecodeCommand(tc.c.AppendBinary(nil)); !errors.Is(err, ErrCorrupt) {
				t.Errorf("decode: %v", err)
			}
		})
	}
}

func FuzzDecodeCommand(f *testing.F) {
	for _, c := range commands() {
		f.Add(c.AppendBinary(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeCommand(b)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		again, err := DecodeCommand(c.AppendBinary(nil))
		if d := cmp.Diff(c, again); err != nil || d != "" {
			t.Fatalf("%v %s", err, d)
		}
		full := someFleet(t)
		if _, err := full.try(c); err == nil && full.Digest() != full.Recompute() {
			t.Fatal("the digest is another one from scratch")
		}
	})
}

// someFleet has a bit of everything.
func someFleet(t testing.TB) *fleet {
	f := begin(t)
	f.put("a.service", hello, Launched)
	f.put("b.service", "[X-Fleet]\nConflicts=%p*\n", Launched)
	f.put("g.service", "[X-Fleet]\nGlobal=true\n", Launched)
	f.put("t@.service", fmt.Sprintf(replicated, 2), Loaded)
	f.do(Command{Patch: &Patch{Ops: []PatchOp{{id(3), "zone", ptr("x")}, {id(1), "gone", nil}}}})
	for n := 1; n <= 3; n++ {
		f.join(n)
	}
	f.place(f.moveTo("a.service", 0, 1), f.moveTo("b.service", 0, 2), f.moveTo("g.service", 0, 1), f.moveTo("g.service", 0, 2))
	f.report(1, Report{States: []State{{Unit: "a.service", Gen: f.revision, Active: "active", Launched: true, Why: "why"}}})
	f.place(f.moveTo("a.service", 1, 2))
	f.do(Command{Destroy: &Destroy{"b.service"}})
	f.leave(3)
	return f
}

func TestDamagedRecordsAreRefused(t *testing.T) {
	f := someFleet(t)
	records := f.Records()
	load := func(records []Record) (*Store, error) {
		l := NewLoader()
		for _, r := range records {
			if err := l.Take(r); err != nil {
				return nil, err
			}
		}
		return l.Done()
	}
	if s, err := load(records); err != nil || s.Digest() != f.Digest() {
		t.Fatal(err)
	}
	if s, err := load(nil); err != nil || !s.Empty() || s.Digest() != New().Digest() {
		t.Errorf("no records: %v", err)
	}
	bad := func(what string, i int, tune func(*Record)) {
		list := append([]Record(nil), records...)
		list[i].Key, list[i].Value = bytes.Clone(list[i].Key), bytes.Clone(list[i].Value)
		tune(&list[i])
		if _, err := load(list); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s %q with %s: %v", list[i].Bucket, list[i].Key, what, err)
		}
	}
	for i := range records {
		bad("another key", i, func(r *Record) { r.Key[0]++ })
		bad("a shorter key", i, func(r *Record) { r.Key = r.Key[1:] })
		bad("another bucket", i, func(r *Record) { r.Bucket = "fleet.none" })
		bad("more", i, func(r *Record) { r.Value = append(r.Value, 0) })
		for at := range records[i].Value {
			bad(fmt.Sprintf("another byte %d", at), i, func(r *Record) { r.Value[at] ^= 1 })
			bad("less", i, func(r *Record) { r.Value = r.Value[:at] })
		}
		if _, err := load(append(append([]Record(nil), records[:i]...), records[i+1:]...)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("without %s %q: %v", records[i].Bucket, records[i].Key, err)
		}
		if _, err := load(append(append([]Record(nil), records...), records[i])); records[i].Bucket != buckets[recordText] && !errors.Is(err, ErrCorrupt) {
			t.Errorf("with %s %q twice: %v", records[i].Bucket, records[i].Key, err)
		}
	}
}

// FuzzLoad puts another record among good ones, and looks away from the digest.
func FuzzLoad(f *testing.F) {
	records := someFleet(f).Records()
	for i, r := range records {
		f.Add(i, r.Key, r.Value)
	}
	f.Fuzz(func(t *testing.T, i int, key, value []byte) {
		list := append([]Record(nil), records...)
		i = max(i, -i) % len(list)
		if i < 0 {
			return
		}
		list[i].Key, list[i].Value = key, value
		l := NewLoader()
		for _, r := range list {
			if err := l.Take(r); err != nil {
				if !errors.Is(err, ErrCorrupt) {
					t.Fatalf("an error of another kind: %v", err)
				}
				return
			}
		}
		if l.build() != nil {
			return
		}
		if l.s.Digest() != l.s.Recompute() {
			t.Fatal("the digest is another one from scratch")
		}
		for k := range 3 {
			m, _ := l.s.Machine(id(k + 1))
			_, _ = l.s.Apply(Env{Revision: 1000 + uint64(k), Term: 1, Now: time.Hour}, &Command{Open: &Open{Term: 1, Was: m.Session, Empty: true, Machine: Machine{ID: id(k + 1)}}})
			l.s.OrdersFor(id(k + 1))
		}
		if l.s.Digest() != l.s.Recompute() {
			t.Fatal("the digest is another one from scratch, later")
		}
	})
}

func TestWordsForWhatIsDesired(t *testing.T) {
	for d := Inactive; d <= Launched; d++ {
		if got, err := ParseDesired(d.String()); err != nil || got != d {
			t.Errorf("%v: %v, %v", d, got, err)
		}
	}
	if _, err := ParseDesired("bogus"); !errors.Is(err, ErrDesired) {
		t.Error(err)
	}
	if got := Desired(7).String(); got != "desired(7)" {
		t.Error(got)
	}
}
