package link_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"

	"drydock/node/fleet"
	"drydock/node/link"
	"drydock/node/unit"
	"drydock/node/wire"
)

const id = "0123456789abcdef0123456789abcdef"

// samples holds one frame of each kind, with every field set.
func samples() []link.Frame {
	h := unit.Hash{1, 2, 3, 19: 20}
	frames := []link.Frame{
		{Hello: &link.Hello{Nonce: 1 << 63, Session: 7, Machine: fleet.Machine{
			ID: id, Name: "host", PrimaryIP: "10.0.0.1", Version: "1.2", Boot: "b", URLs: []string{"http://a:2379", "http://b:2379"},
			Metadata:  map[string]string{"disk": "ssd", "region": "us-east-1", "": "x"},
			Resources: map[string]int64{"cpu": 4000, "memory": 1 << 33},
		}}},
		{Beat: &link.Beat{Session: 7, Seq: 1<<32 + 1, Have: 300}},
		{Report: &link.Report{Report: fleet.Report{
			Machine: id, Session: 7, Seq: 3,
			States: []fleet.State{
				{Unit: "web@1.service", Gen: 5, Hash: h, Load: "loaded", Active: "failed", Sub: "failed", Result: "exit-code", Launched: true, Why: "it ended with 1"},
				{Unit: "x.timer"},
			},
			Gone: []fleet.Gone{{Unit: "old.service", Gen: 4}},
		}}},
		{Want: &link.Want{Session: 7, Hashes: []unit.Hash{h, {}}}},
		{Bye: &link.Bye{Session: 7, Why: "asked to end"}},
		{Welcome: &link.Welcome{Nonce: 9, Session: 7, Term: 2, Beat: 500 * time.Millisecond, Lease: 3 * time.Second, Drift: 500, Keep: true}},
		{Redirect: &link.Redirect{Leader: 3, URLs: []string{"http://c:2380"}}},
		{Sorry: &link.Sorry{Nonce: 9, Why: "another process has this id", After: time.Second}},
		{Ack: &link.Ack{Session: 7, Seq: 12, Term: 2, Version: 300, Terms: link.Terms{
			Beat: 500 * time.Millisecond, Lease: 3 * time.Second, Drift: 500, Keep: true,
		}}},
		{Orders: &link.Orders{Session: 7, Term: 2, Version: 300, Part: 1, Parts: 2, Total: 1002, Units: []link.Order{
			{Unit: "web@1.service", Gen: 5, Hash: h, Desired: fleet.Launched, Kick: 8},
			{Unit: "log.service", Gen: 6, Hash: h, Desired: fleet.Loaded, Global: true},
		}, Texts: []string{"[Service]\nExecStart=/bin/true\n"}}},
		{Texts: &link.Texts{Texts: []string{"a", ""}}},
		{Noted: &link.Noted{Session: 7, Seq: 3}},
		{Closed: &link.Closed{Session: 7, Why: "lease passed"}},
	}
	for i := range frames {
		frames[i].Cluster, frames[i].Machine = 0xfeedface, id
	}
	return frames
}

func TestFramesComeBackAsTheyWere(t *testing.T) {
	for _, f := range samples() {
		got, err := link.Decode(f.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(&f, got); d != "" {
			t.Error(d)
		}
	}
}

func TestDecodedFramesDontAliasTheirBytes(t *testing.T) {
	for _, f := range samples() {
		b := f.Encode()
		got, err := link.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		clear(b)
		if d := cmp.Diff(&f, got); d != "" {
			t.Error(d)
		}
	}
}

func TestEveryFlippedBitAndCutIsRefused(t *testing.T) {
	for _, f := range samples() {
		b := f.Encode()
		for i := range b {
			bad := bytes.Clone(b)
			bad[i] ^= 0x10
			if _, err := link.Decode(bad); !errors.Is(err, link.ErrFrame) {
				t.Fatalf("byte %d flipped: err = %v", i, err)
			}
			if _, err := link.Decode(b[:i]); !errors.Is(err, link.ErrFrame) {
				t.Fatalf("cut to %d bytes: err = %v", i, err)
			}
		}
	}
}

// TestGolden keeps the bytes of each kind as they are: other releases send them.
func TestGolden(t *testing.T) {
	datadriven.RunTest(t, "testdata/frames", func(t *testing.T, d *datadriven.TestData) string {
		var out strings.Builder
		for _, f := range samples() {
			if b := f.Encode(); fmt.Sprint(b[2]) == d.CmdArgs[0].Key {
				out.WriteString(hex.Dump(b))
			}
		}
		return out.String()
	})
}

// seal makes a frame of a kind with a body, with the right checksum.
func seal(kind byte, body []byte) []byte {
	b := binary.BigEndian.AppendUint64([]byte{'M', 1, kind}, 7)
	b = append(wire.AppendString(b, "m"), body...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

func TestErrorsNameTheField(t *testing.T) {
	uints := func(vs ...uint64) (b []byte) {
		for _, v := range vs {
			b = wire.AppendUint(b, v)
		}
		return b
	}
	order := func(desired, global byte) []byte {
		b := append(wire.AppendString(uints(1, 1, 1, 0, 1, 1, 1), "a.service"), 0)
		return append(append(b, make([]byte, 20)...), desired, global, 0, 0)
	}
	metadata := append(append(uints(1, 1), make([]byte, 6)...), 2, 1, 'b', 0, 1, 'a', 0, 0)
	for _, tc := range []struct {
		name, want string
		frame      []byte
	}{
		{"no kind", "kind: unknown kind 0", seal(0, nil)},
		{"a later kind", "kind: unknown kind 14", seal(14, nil)},
		{"bytes after the end", "frame: 1 bytes too many", seal(12, append(uints(1, 1), 0))},
		{"a field missing", "noted.seq: bad varint", seal(12, uints(1))},
		{"part beyond parts", "orders.part: part 2 of 2", seal(10, uints(1, 1, 1, 2, 2, 0, 0, 0))},
		{"too many parts", "orders.part: part 0 of 9999", seal(10, uints(1, 1, 1, 0, 9999, 0, 0, 0))},
		{"unit count beyond the bytes", "orders.units: count 200", seal(10, uints(1, 1, 1, 0, 1, 200, 200, 0))},
		{"more units than fit", "orders.total: 99999999 units", seal(10, uints(1, 1, 1, 0, 1, 99999999, 0, 0))},
		{"unknown desired state", "order.desired: unknown state 3", seal(10, order(3, 0))},
		{"half true", "order.global: 2 is neither 0 nor 1", seal(10, order(1, 2))},
		{"half a hash", "want.hashes: missing", seal(4, append(uints(1, 1), 1, 2))},
		{"keys out of order", `hello.metadata: "a" comes after "b"`, seal(1, metadata)},
		{"endless lease", "welcome.lease: longer than time can be", seal(6, uints(1, 1, 1, 1, 1<<63, 0, 0))},
		{"clock that may stand", "welcome.drift: 1000000", seal(6, uints(1, 1, 1, 1, 1, 1000000, 0))},
		{"long explanation", "closed.why: length 5000", seal(13, append(uints(1, 5000), make([]byte, 5000)...))},
		{"another version", "version 2", append([]byte{'M', 2}, seal(12, uints(1, 1))[2:]...)},
		{"too long", "4194305 bytes, at most", make([]byte, link.MaxFrameBytes+1)},
	} {
		if tc.name == "another version" {
			body := tc.frame[:len(tc.frame)-4]
			tc.frame = binary.BigEndian.AppendUint32(bytes.Clone(body), crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
		}
		_, err := link.Decode(tc.frame)
		if !errors.Is(err, link.ErrFrame) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: err = %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestAFrameHoldsOneMessage(t *testing.T) {
	for _, f := range []link.Frame{{}, {Beat: &link.Beat{}, Ack: &link.Ack{}}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v was encoded", f)
				}
			}()
			f.Encode()
		}()
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4 { // or nearly no input gets past the checksum
			body := b[:len(b)-4]
			b = binary.BigEndian.AppendUint32(bytes.Clone(body), crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
		}
		got, err := link.Decode(b)
		if err != nil {
			if !errors.Is(err, link.ErrFrame) {
				t.Fatalf("err = %v, which isn't ErrFrame", err)
			}
			return
		}
		again, err := link.Decode(got.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(got, again); d != "" {
			t.Fatal(d)
		}
	})
}

// TestLeasesOfTheSlowAndTheFast: whatever two clocks do within the bound, the
// machine's lease ends before the leader's.
func TestLeasesOfTheSlowAndTheFast(t *testing.T) {
	for _, d := range []time.Duration{1, 999, time.Millisecond + 1, 3 * time.Second, 90*time.Second + 7, 24 * time.Hour} {
		for _, drift := range []int{0, 1, 200, 500, 10_000, 100_000} {
			machine, leader := link.Shorten(d, drift), link.Stretch(d, drift)
			// True time is what a clock shows divided by its rate.
			slow, fast := 1-float64(drift)/1e6, 1+float64(drift)/1e6
			if a, b := float64(machine)/slow, float64(leader)/fast; a > b+1e-3 {
				t.Errorf("lease %v, drift %d: the machine stops after %.1f ns, the leader waits %.1f", d, drift, a, b)
			}
			if machine > d || leader < d || d >= time.Second && drift <= 500 && leader-machine > d/900 {
				t.Errorf("lease %v, drift %d: %v and %v", d, drift, machine, leader)
			}
		}
	}
}
