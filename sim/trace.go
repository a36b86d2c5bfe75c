package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"time"
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
)

// trace hashes every event of a run, in order.
type trace struct {
	h      hash.Hash
	buf    [64]byte
	events uint64
}

func newTrace() *trace { return &trace{h: sha256.New()} }

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
}

func (t *trace) sum() string { return hex.EncodeToString(t.h.Sum(nil)) }
