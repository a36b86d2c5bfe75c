package tape

import (
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"time"
)

// PointEvery is the number of events from one point to the next.
const PointEvery = 256

// MaxMarks bounds the events that have marks of their own.
const MaxMarks = 4 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Mark is one event in short.
type Mark struct {
	// Kind is the world's number for the kind of event, Who that of the machine
	// or client it happened at, Sum a checksum of all its bytes.
	Kind, Who, Sum byte
}

// Point is the trace at one event.
type Point struct {
	// Event counts events from 1; At is the time of that one.
	Event uint64
	At    time.Duration
	// Hash is the beginning of the trace's hash after the event.
	Hash [8]byte
}

// Tape is the record of one trace.
type Tape struct {
	// Trace is the hash of the whole trace in hex, Events its length.
	Trace  string
	Events uint64
	// Kinds are the names of the kinds of events, by their numbers.
	Kinds []string
	// Points are in order of event, the last one at the trace's end; Marks[i]
	// is event i+1.
	Points []Point
	Marks  []Mark
}

// Recorder makes a tape.
type Recorder struct {
	tape Tape
	at   time.Duration
}

// NewRecorder returns a recorder of events of these kinds, by their numbers.
func NewRecorder(kinds []string) *Recorder {
	return &Recorder{tape: Tape{Kinds: kinds}}
}

// Add takes the next event: its bytes are head and data, and sum returns the
// hash of the trace with it.
func (r *Recorder) Add(at time.Duration, kind, who byte, head, data []byte, sum func() []byte) {
	t := &r.tape
	t.Events++
	r.at = at
	if len(t.Marks) < MaxMarks {
		crc := crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, data)
		t.Marks = append(t.Marks, Mark{Kind: kind, Who: who, Sum: byte(crc)})
	}
	if t.Events%PointEvery == 0 {
		r.point(sum())
	}
}

func (r *Recorder) point(sum []byte) {
	p := Point{Event: r.tape.Events, At: r.at}
	copy(p.Hash[:], sum)
	r.tape.Points = append(r.tape.Points, p)
}

// Tape ends the tape; sum is the hash of the whole trace.
func (r *Recorder) Tape(sum []byte) *Tape {
	r.tape.Trace = hex.EncodeToString(sum)
	if n := len(r.tape.Points); r.tape.Events > 0 && (n == 0 || r.tape.Points[n-1].Event != r.tape.Events) {
		r.point(sum)
	}
	return &r.tape
}

// Describe says what a mark stands for in a world of these nodes: "n3 job".
func (t *Tape) Describe(m Mark, nodes []string) string {
	kind, who := "event", fmt.Sprintf("n%d", m.Who+1)
	if int(m.Kind) < len(t.Kinds) && t.Kinds[m.Kind] != "" {
		kind = t.Kinds[m.Kind]
	}
	switch {
	case kind == ResponseKind:
		who = fmt.Sprintf("c%d", m.Who+1)
	case int(m.Who) < len(nodes):
		who = nodes[m.Who]
	}
	return who + " " + kind
}

// ResponseKind is the name of the one kind of event that happens at clients.
const ResponseKind = "response"

// Difference is where two traces part.
type Difference struct {
	// From and To bound the first event that differs; they are equal if the
	// marks name it. To is 0 if only the end is known to differ.
	From, To uint64
	// After is the time of the last point that both share.
	After time.Duration
	// Was and Is are the marks of event From in the two tapes; nil where a
	// trace has ended, or nothing is known.
	Was, Is *Mark
}

// Exact tells whether the difference names one event.
func (d *Difference) Exact() bool { return d.From == d.To }

// Compare returns where is first differs from was, or nil if they are one
// trace. With partly set, is may end early.
func Compare(was, is *Tape, partly bool) *Difference {
	if was.Trace == is.Trace {
		return nil
	}
	d := &Difference{From: 1}
	for i := 0; i < len(was.Points) && i < len(is.Points); i++ {
		if was.Points[i] != is.Points[i] {
			if was.Points[i].Event != is.Points[i].Event {
				break // one of them ends between two points
			}
			d.To = was.Points[i].Event
			break
		}
		d.From, d.After = was.Points[i].Event+1, was.Points[i].At
	}
	n := min(len(was.Marks), len(is.Marks))
	for i := int(min(d.From-1, uint64(n))); i < n && (d.To == 0 || uint64(i) < d.To); i++ {
		if was.Marks[i] != is.Marks[i] {
			d.From, d.To, d.Was, d.Is = uint64(i+1), uint64(i+1), &was.Marks[i], &is.Marks[i]
			return d
		}
	}
	if d.To != 0 {
		return d
	}
	if partly && is.Events <= was.Events {
		return nil
	}
	if was.Events != is.Events && n == int(min(was.Events, is.Events)) {
		d.From, d.To = uint64(n+1), uint64(n+1)
		if n < len(was.Marks) {
			d.Was = &was.Marks[n]
		}
		if n < len(is.Marks) {
			d.Is = &is.Marks[n]
		}
	}
	return d
}
