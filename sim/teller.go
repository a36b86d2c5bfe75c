package sim

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"drydock/node"
	"drydock/node/world"
	"drydock/sim/tape"
)

// kindNames names the kinds of a tape's marks, by their number.
var kindNames = [...]string{
	traceSend: "send", traceLost: "lost", traceDeliver: "receive", traceRequest: "request",
	traceResponse: tape.ResponseKind, traceJob: "job", traceApplied: "applied", traceRole: "role",
	traceFault: "fault", traceBoot: "boot", traceCrash: "crash", traceHalt: "halt",
	traceAnswer: "answer", traceBox: "machine", traceOp: "operation", traceRun: "unit", traceWish: "wish",
}

// maxTold bounds the text of a request or an answer in a moment.
const maxTold = 160

// teller tells a listener what happens, in words. It is called by the trace,
// and by a few places for what the trace has only by its effects.
type teller struct {
	w *World
	l *tape.Listener
	// frame is the one that is being delivered: the trace has its bytes only
	// where it was sent.
	frame []byte
}

// event tells of an event of the trace.
func (t *teller) event(at time.Duration, k traceKind, a, b uint64, data []byte) {
	node := ""
	switch k {
	case traceDeliver:
		node = t.machine(b)
	case traceResponse:
		node = t.client(a)
	default:
		node = t.machine(a)
	}
	if !t.l.Wants(at, t.w.trace.events, node) {
		return
	}
	t.l.Tell(tape.Moment{Event: t.w.trace.events, At: at, Node: node, What: kindNames[k], Text: t.words(k, a, b, data)})
}

// step tells of a node's step with its inputs.
func (t *teller) step(m *machine, inputs []node.Input) {
	if t == nil || !t.l.Wants(t.w.now(), t.w.trace.events, m.name) {
		return
	}
	words := make([]string, len(inputs))
	for i, in := range inputs {
		words[i] = t.input(in)
	}
	t.l.Tell(tape.Moment{At: t.w.now(), Node: m.name, What: "step", Text: strings.Join(words, "; ")})
}

func (t *teller) input(in node.Input) string {
	switch in := in.(type) {
	case node.Tick:
		return "tick"
	case node.Received:
		return "a frame: " + frameText(in.Frame)
	case node.JobDone:
		if in.Err != nil {
			return fmt.Sprintf("job %d failed: %v", in.ID, in.Err)
		}
		return fmt.Sprintf("job %d is done", in.ID)
	case node.Request:
		return fmt.Sprintf("request %d", in.Token)
	case node.Cancel:
		return fmt.Sprintf("request %d is cancelled", in.Token)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", in), "node.")
}

// words says what an event of the trace was.
func (t *teller) words(k traceKind, a, b uint64, data []byte) string {
	switch k {
	case traceSend:
		return fmt.Sprintf("to %s: %s", t.machine(b), frameText(data))
	case traceLost:
		return "to " + t.machine(b)
	case traceDeliver:
		return fmt.Sprintf("from %s: %s", t.machine(a), frameText(t.frame))
	case traceRequest:
		return fmt.Sprintf("of %s: %s", t.client(b), brief(data))
	case traceResponse:
		return fmt.Sprintf("%d %s", b, brief(data))
	case traceJob:
		return fmt.Sprintf("%s is done", data)
	case traceApplied:
		if len(data) < 16 {
			return ""
		}
		return fmt.Sprintf("index %d, term %d, revision %d, digest %s", binary.BigEndian.Uint64(data), b,
			binary.BigEndian.Uint64(data[8:]), hex.EncodeToString(data[16:min(20, len(data))]))
	case traceRole:
		lead := "nobody"
		if len(data) == 8 {
			if m := t.w.byID[world.MemberID(binary.BigEndian.Uint64(data))]; m != nil {
				lead = m.name
			}
		}
		return fmt.Sprintf("term %d, %s leads", b, lead)
	case traceHalt:
		return string(data)
	case traceAnswer:
		return fmt.Sprintf("to request %d: %s", b, data)
	}
	return ""
}

func (t *teller) machine(i uint64) string {
	if i < uint64(len(t.w.machines)) {
		return t.w.machines[i].name
	}
	return ""
}

func (t *teller) client(i uint64) string { return fmt.Sprintf("c%d", i+1) }

// brief is a text as one short line.
func brief(text []byte) string {
	s := strings.Join(strings.Fields(string(text)), " ")
	if len(s) > maxTold {
		s = s[:maxTold] + "…"
	}
	return s
}
