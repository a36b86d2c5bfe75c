package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"time"

	"drydock/sim/tape"
)

// traceKind says what an event of the trace is.
type traceKind byte

// The kinds of trace events. Their values are part of every hash.
const (
	traceSend traceKind = 1 + iota
	traceLost
	traceDeliver
	traceRequest
	traceResponse
	traceJob
	traceApplied
	traceRole
	traceFault
	traceBoot
	traceCrash
	traceHalt
	traceAnswer
	traceBox
	traceOp
	traceRun
	traceWish
)

// trace hashes every event of a run, in order. What looks on, a tape or a
// listener, changes nothing.
type trace struct {
	h      hash.Hash
	buf    [64]byte
	events uint64
	tape   *tape.Recorder
	told   *teller
}

func newTrace(w *World) *trace {
	t := &trace{h: sha256.New()}
	if w.cfg.Tape {
		t.tape = tape.NewRecorder(kindNames[:])
	}
	if w.cfg.Listen != nil {
		t.told = &teller{w: w, l: w.cfg.Listen}
	}
	return t
}

// add hashes one event. A and B are the numbers of what takes part.
func (t *trace) add(at time.Duration, k traceKind, a, b uint64, data []byte) {
	t.events++
	buf := append(t.buf[:0], byte(k))
	buf = binary.BigEndian.AppendUint64(buf, uint64(at))
	buf = binary.BigEndian.AppendUint64(buf, a)
	buf = binary.BigEndian.AppendUint64(buf, b)
	buf = binary.BigEndian.AppendUint64(buf, uint64(len(data)))
	t.h.Write(buf)
	t.h.Write(data)
	if t.tape != nil {
		t.tape.Add(at, byte(k), byte(a), buf, data, func() []byte { return t.h.Sum(nil) })
	}
	if t.told != nil {
		t.told.event(at, k, a, b, data)
	}
}

func (t *trace) sum() string { return hex.EncodeToString(t.h.Sum(nil)) }

// taped is the tape of the run, nil if none was asked for.
func (t *trace) taped() *tape.Tape {
	if t.tape == nil {
		return nil
	}
	return t.tape.Tape(t.h.Sum(nil))
}
