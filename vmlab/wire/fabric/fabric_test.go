package fabric

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"
)

// rig is a fabric whose deliveries are written down.
type rig struct {
	f     *Fabric
	now   time.Duration
	out   strings.Builder
	count uint64
	quiet bool
}

func newRig(cfg Config) *rig {
	r := &rig{}
	r.f = New(cfg, func(port int, frame []byte) {
		if !r.quiet {
			fmt.Fprintf(&r.out, "%v: %s is sent %s\n", r.f.queue.Now(), r.f.ports[port].Name, describe(frame))
		}
	})
	r.f.Watch(func(e Event) {
		if e.Kind == Dropped && !r.quiet {
			fmt.Fprintf(&r.out, "%v: %s>%s drops %s: %s\n", r.f.queue.Now(), r.f.ports[e.From].Name, r.f.ports[e.To].Name, describe(e.Frame), e.Why)
		}
	})
	return r
}

// testMAC is the address of a number; "all" is everybody's.
func testMAC(text string) MAC {
	switch text {
	case "all":
		return MAC{255, 255, 255, 255, 255, 255}
	case "bridges":
		return MAC{1, 0x80, 0xc2}
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		panic("no number of an address: " + text)
	}
	return MAC{2, 0, 0, 0, 0, byte(n)}
}

// testFrame makes a frame whose payload is its number, again and again.
func testFrame(from, to MAC, size int, number uint64) []byte {
	frame := append(append([]byte{}, to[:]...), from[:]...)
	frame = append(frame, 0x88, 0xb5) // for experiments
	for len(frame) < size {
		frame = binary.BigEndian.AppendUint64(frame, number)
	}
	return frame[:size]
}

// describe names a frame by its number, and says what of it is wrong.
func describe(frame []byte) string {
	if len(frame) < headerBytes+8 {
		return fmt.Sprintf("%d bytes", len(frame))
	}
	number := binary.BigEndian.Uint64(frame[len(frame)-(len(frame)-headerBytes)%8-8:])
	first := binary.BigEndian.Uint64(frame[headerBytes:])
	if number != first || len(frame) > headerBytes+16 && binary.BigEndian.Uint64(frame[headerBytes+8:]) != first {
		return "a corrupt frame"
	}
	return fmt.Sprintf("#%d", number)
}

func (r *rig) take() string {
	text := r.out.String()
	r.out.Reset()
	if text == "" {
		return "nothing\n"
	}
	return text
}

// args reads key=value arguments.
type args struct {
	t *testing.T
	d *datadriven.TestData
}

func (a args) text(key, standard string) string {
	if a.d.HasArg(key) {
		a.d.ScanArgs(a.t, key, &standard)
	}
	return standard
}

func (a args) number(key string, standard int) int {
	if a.d.HasArg(key) {
		a.d.ScanArgs(a.t, key, &standard)
	}
	return standard
}

func (a args) time(key string, standard time.Duration) time.Duration {
	text := a.text(key, standard.String())
	d, err := time.ParseDuration(text)
	if err != nil {
		a.d.Fatalf(a.t, "%s: %v", key, err)
	}
	return d
}

// TestScripts runs the scripts of testdata. Their commands:
//
//	new [seed=N] [age=D] [hold=D] [addresses=N] [frames=N]   another fabric
//	port NAME [mac=N] [down]      adds a port
//	up NAME, down NAME, remove NAME
//	send FROM src=N dst=N|all|bridges [size=N] [n=COUNT] [every=D] [quiet]
//	run FOR                       lets time pass
//	rule                          holds a rule, given as JSON
//	heal ID|all
//	report
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		r := newRig(Config{Seed: 1})
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			a := args{t, d}
			switch d.Cmd {
			case "new":
				r = newRig(Config{
					Seed: uint64(a.number("seed", 1)), Age: a.time("age", 0), Hold: a.time("hold", 0),
					Addresses: a.number("addresses", 0), QueueFrames: a.number("frames", 0),
				})
				return ""
			case "send":
				return r.send(a)
			case "run":
				return r.run(a)
			case "rule":
				return r.rule(a)
			case "heal":
				return r.heal(a)
			case "report":
				return r.f.Report(r.now).String()
			}
			return r.port(a)
		})
	})
}

func (r *rig) port(a args) string {
	name := a.d.CmdArgs[0].Key
	number, there := r.f.Find(name)
	switch a.d.Cmd {
	case "port":
		var p Port
		p.Name = name
		if a.d.HasArg("mac") {
			p.MAC = testMAC(a.text("mac", ""))
		}
		n, err := r.f.AddPort(p)
		if err != nil {
			return err.Error() + "\n"
		}
		r.f.SetUp(r.now, n, !a.d.HasArg("down"))
		return fmt.Sprintf("number %d\n", n)
	case "up", "down":
		if !there {
			a.d.Fatalf(a.t, "no port %s", name)
		}
		r.f.SetUp(r.now, number, a.d.Cmd == "up")
	case "remove":
		return fmt.Sprintf("%v\n", r.f.RemovePort(r.now, number))
	default:
		a.d.Fatalf(a.t, "unknown command")
	}
	return ""
}

func (r *rig) send(a args) string {
	number, ok := r.f.Find(a.d.CmdArgs[0].Key)
	if !ok {
		a.d.Fatalf(a.t, "no such port")
	}
	r.quiet = a.d.HasArg("quiet")
	for i := range a.number("n", 1) {
		if i > 0 {
			r.now += a.time("every", 0)
		}
		r.count++
		from, to := testMAC(a.text("src", "")), testMAC(a.text("dst", "all"))
		r.f.Receive(r.now, number, testFrame(from, to, a.number("size", 60), r.count))
	}
	return r.take()
}

func (r *rig) run(a args) string {
	d, err := time.ParseDuration(a.d.CmdArgs[0].Key)
	if err != nil {
		a.d.Fatalf(a.t, "%v", err)
	}
	r.quiet = a.d.HasArg("quiet")
	r.now += d
	r.f.Advance(r.now)
	return r.take()
}

func (r *rig) rule(a args) string {
	var said Rule
	decoder := json.NewDecoder(strings.NewReader(a.d.Input))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&said); err != nil {
		a.d.Fatalf(a.t, "%v", err)
	}
	id, err := r.f.Impair(r.now, said)
	if err != nil {
		return err.Error() + "\n"
	}
	return fmt.Sprintf("%d: %v: %v\n", id, listPairs(said.Pairs), said.Effect)
}

func (r *rig) heal(a args) string {
	who := a.d.CmdArgs[0].Key
	if who == "all" {
		return fmt.Sprintf("%d healed\n", r.f.HealAll(r.now))
	}
	id, err := strconv.ParseUint(who, 10, 64)
	if err != nil {
		a.d.Fatalf(a.t, "%v", err)
	}
	return fmt.Sprintf("%v\n", r.f.Heal(r.now, RuleID(id)))
}

func TestMACText(t *testing.T) {
	for text, want := range map[string]MAC{
		"02:00:00:00:00:01": {2, 0, 0, 0, 0, 1},
		"FF:ff:Ff:ff:ff:ff": {255, 255, 255, 255, 255, 255},
	} {
		if got, err := ParseMAC(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "02", "02:00:00:00:00", "02:00:00:00:00:0g", "0200:00:00:00::01", "02:00:00:00:00:01:02", "02-00-00-00-00-01"} {
		if got, err := ParseMAC(text); err == nil {
			t.Errorf("%q is taken as %v", text, got)
		}
	}
	var p Port
	if err := json.Unmarshal([]byte(`{"name":"a","mac":"02:00:00:00:00:07"}`), &p); err != nil || p.MAC != (MAC{2, 0, 0, 0, 0, 7}) {
		t.Errorf("%+v, %v", p, err)
	}
	text, err := json.Marshal([]Port{p, {Name: "b"}})
	if want := `[{"name":"a","mac":"02:00:00:00:00:07"},{"name":"b"}]`; err != nil || string(text) != want {
		t.Errorf("%s, %v; want %s", text, err, want)
	}
}

func TestReportsAreJSON(t *testing.T) {
	r := newRig(Config{})
	for _, name := range []string{"a", "b"} {
		if _, err := r.f.AddPort(Port{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	rule := Rule{Name: "slow", Pairs: []Pair{{From: "a"}}, Effect: Effect{Delay: time.Second, Loss: 0.5}, Base: true}
	if _, err := r.f.Impair(0, rule); err != nil {
		t.Fatal(err)
	}
	want := r.f.Report(0)
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Report
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("after a round trip (-want +got):\n%s", diff)
	}
}
