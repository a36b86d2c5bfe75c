package wire

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/world"
)

// Limits on frames.
const (
	// MaxFrameBytes bounds a frame on the wire.
	MaxFrameBytes = 16 << 20
	// MaxCommands bounds the commands of one Forward or Refuse.
	MaxCommands = 4096
	// MaxAsked bounds the units of one Ask, MaxWhyBytes a reason in its answer.
	MaxAsked    = 1024
	MaxWhyBytes = 4 << 10
	// MaxMessages bounds the raft messages of one frame, PackBytes their size
	// unless a single one is larger.
	MaxMessages = 1024
	PackBytes   = 1 << 20

	version     = 1
	magic       = 'D'
	headerBytes = 3 + 3*8
	crcBytes    = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Kind says what a frame's body is.
type Kind uint8

// The kinds of frames.
const (
	KindRaft Kind = 1 + iota
	KindForward
	KindRefuse
	KindSnapChunk
	KindSnapAck
	// KindHello came with release 2; members of release 1 drop it.
	KindHello
	// KindAsk and KindTell came with release 3.
	KindAsk
	KindTell
)

// Since returns the release that introduced the kind, as package state counts
// them; 0 for a kind that no release has.
func (k Kind) Since() uint64 {
	switch k {
	case KindRaft, KindForward, KindRefuse, KindSnapChunk, KindSnapAck:
		return 1
	case KindHello:
		return 2
	case KindAsk, KindTell:
		return 3
	}
	return 0
}

// Frame is one decoded unit of sending. Exactly the field of its Kind is set.
type Frame struct {
	Kind     Kind
	Cluster  uint64
	From, To world.MemberID

	Raft    []*raftpb.Message
	Forward *Forward
	Refuse  *Refuse
	Chunk   *SnapChunk
	Ack     *SnapAck
	Hello   *Hello
	Asked   *Ask
	Told    *Tell
}

// Hello tells the leader of a term which release its sender speaks.
type Hello struct {
	Release, Term uint64
}

// Ask asks the leader why units aren't as they are wanted.
type Ask struct {
	// ID is the asker's; the answer carries it.
	ID    uint64
	Units []string
}

// Tell answers an Ask.
type Tell struct {
	ID uint64
	// Leads is false if the member that was asked can't say: it doesn't lead.
	Leads bool
	// Why has a reason for each unit that was asked for, empty for none.
	Why []string
}

// Forward hands commands to the leader, which proposes them under the ids that
// their origin gave them.
type Forward struct {
	// Batch holds the commands as package state encodes them, ids included.
	Batch []byte
	// Conf marks a membership change, Batch being its encoded request.
	Conf bool
}

// Refuse tells the origin of a Forward that its commands were not proposed by
// this copy of it. It is a hint to try elsewhere, no proof: another copy of the
// same frame may have been proposed.
type Refuse struct {
	Seqs   []uint64
	Reason string
}

// SnapChunk is a piece of a snapshot stream.
type SnapChunk struct {
	// Stream names the transfer; it is the index of the snapshot's last entry.
	Stream uint64
	// Term is the sender's raft term.
	Term          uint64
	Offset, Total uint64
	Data          []byte
}

// SnapAck tells the sender how much of a stream has been written, or that it
// can't go on.
type SnapAck struct {
	Stream uint64
	// Offset is the next byte that the receiver wants.
	Offset uint64
	// Done says that the whole snapshot was verified.
	Done bool
	// Failed says that the receiver gave up; the sender starts anew.
	Failed bool
}

// Encode returns the frame's bytes.
func (f *Frame) Encode() []byte {
	b := make([]byte, 0, f.sizeHint())
	b = append(b, magic, version, byte(f.Kind))
	b = binary.BigEndian.AppendUint64(b, f.Cluster)
	b = binary.BigEndian.AppendUint64(b, uint64(f.From))
	b = binary.BigEndian.AppendUint64(b, uint64(f.To))
	switch f.Kind {
	case KindRaft:
		b = AppendUint(b, uint64(len(f.Raft)))
		for _, m := range f.Raft {
			b = appendMessage(b, m)
		}
	case KindForward:
		b = append(b, boolByte(f.Forward.Conf))
		b = AppendBytes(b, f.Forward.Batch)
	case KindRefuse:
		b = AppendString(b, f.Refuse.Reason)
		b = AppendUint(b, uint64(len(f.Refuse.Seqs)))
		for _, s := range f.Refuse.Seqs {
			b = AppendUint(b, s)
		}
	case KindSnapChunk:
		c := f.Chunk
		for _, v := range [...]uint64{c.Stream, c.Term, c.Offset, c.Total} {
			b = AppendUint(b, v)
		}
		b = AppendBytes(b, c.Data)
	case KindSnapAck:
		a := f.Ack
		b = AppendUint(b, a.Stream)
		b = AppendUint(b, a.Offset)
		b = append(b, boolByte(a.Done), boolByte(a.Failed))
	case KindHello:
		b = AppendUint(b, f.Hello.Release)
		b = AppendUint(b, f.Hello.Term)
	case KindAsk:
		b = appendStrings(AppendUint(b, f.Asked.ID), f.Asked.Units)
	case KindTell:
		b = append(AppendUint(b, f.Told.ID), boolByte(f.Told.Leads))
		b = appendStrings(b, f.Told.Why)
	default:
		panic(fmt.Sprintf("wire: frame of unknown kind %d", f.Kind))
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func (f *Frame) sizeHint() int {
	n := headerBytes + crcBytes + 16
	for _, m := range f.Raft {
		n += MessageBytes(m)
	}
	if f.Forward != nil {
		n += len(f.Forward.Batch)
	}
	if f.Chunk != nil {
		n += 40 + len(f.Chunk.Data)
	}
	return n
}

// MessageBytes is about how much of a frame m takes, rather too much.
func MessageBytes(m *raftpb.Message) int {
	n := 64 + len(m.GetContext())
	for _, e := range m.GetEntries() {
		n += 24 + len(e.GetData())
	}
	return n
}

// Decode reads a frame. The result aliases b.
func Decode(b []byte) (*Frame, error) {
	if len(b) > MaxFrameBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFrame, len(b), MaxFrameBytes)
	}
	if len(b) < headerBytes+crcBytes {
		return nil, fmt.Errorf("%w: %d bytes are too few", ErrFrame, len(b))
	}
	body, sum := b[:len(b)-crcBytes], binary.BigEndian.Uint32(b[len(b)-crcBytes:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, fmt.Errorf("%w: checksum differs", ErrFrame)
	}
	if body[0] != magic || body[1] != version {
		return nil, fmt.Errorf("%w: magic %#x version %d, want %#x version %d", ErrFrame, body[0], body[1], magic, version)
	}
	f := &Frame{
		Kind:    Kind(body[2]),
		Cluster: binary.BigEndian.Uint64(body[3:]),
		From:    world.MemberID(binary.BigEndian.Uint64(body[11:])),
		To:      world.MemberID(binary.BigEndian.Uint64(body[19:])),
	}
	r := NewReader(body[headerBytes:])
	f.readBody(r)
	if err := r.Done("frame"); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *Frame) readBody(r *Reader) {
	switch f.Kind {
	case KindRaft:
		n := r.Count("messages", MaxMessages)
		f.Raft = make([]*raftpb.Message, 0, n)
		for i := 0; i < n && r.Err() == nil; i++ {
			f.Raft = append(f.Raft, readMessage(r))
		}
	case KindForward:
		f.Forward = &Forward{Conf: r.Byte("forward.conf") == 1, Batch: r.Bytes("forward.batch", MaxFrameBytes)}
	case KindRefuse:
		f.Refuse = &Refuse{Reason: r.String("refuse.reason", 1024)}
		n := r.Count("refuse.seqs", MaxCommands)
		for i := 0; i < n && r.Err() == nil; i++ {
			f.Refuse.Seqs = append(f.Refuse.Seqs, r.Uint("refuse.seq"))
		}
	case KindSnapChunk:
		f.Chunk = &SnapChunk{
			Stream: r.Uint("chunk.stream"), Term: r.Uint("chunk.term"),
			Offset: r.Uint("chunk.offset"), Total: r.Uint("chunk.total"),
			Data: r.Bytes("chunk.data", MaxFrameBytes),
		}
	case KindSnapAck:
		f.Ack = &SnapAck{
			Stream: r.Uint("ack.stream"), Offset: r.Uint("ack.offset"),
			Done: r.Byte("ack.done") == 1, Failed: r.Byte("ack.failed") == 1,
		}
	case KindHello:
		f.Hello = &Hello{Release: r.Uint("hello.release"), Term: r.Uint("hello.term")}
	case KindAsk:
		f.Asked = &Ask{ID: r.Uint("ask.id"), Units: readStrings(r, "ask.units", maxNameBytes)}
	case KindTell:
		f.Told = &Tell{ID: r.Uint("tell.id"), Leads: r.Byte("tell.leads") == 1, Why: readStrings(r, "tell.why", MaxWhyBytes)}
	default:
		r.Fail("kind", fmt.Sprintf("unknown kind %d", f.Kind))
	}
}

// maxNameBytes bounds the name of a unit.
const maxNameBytes = 256

func appendStrings(b []byte, list []string) []byte {
	b = AppendUint(b, uint64(len(list)))
	for _, s := range list {
		b = AppendString(b, s)
	}
	return b
}

func readStrings(r *Reader, field string, most int) []string {
	n := r.Count(field, MaxAsked)
	list := make([]string, 0, min(n, MaxAsked))
	for i := 0; i < n && r.Err() == nil; i++ {
		list = append(list, r.String(field, most))
	}
	return list
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}
