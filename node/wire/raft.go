package wire

import (
	"go.etcd.io/raft/v3/raftpb"
)

// Bits of a message's flags byte.
const (
	flagReject = 1 << iota
	flagEntries
	flagContext
	flagVote
	flagKnown = flagReject | flagEntries | flagContext | flagVote
)

// mayCross says whether a message of type t may come from another member. Raft's
// messages to itself would make it believe what nobody has done; commands and
// snapshots travel in frames of their own.
func mayCross(t raftpb.MessageType) bool {
	switch t {
	case raftpb.MsgApp, raftpb.MsgAppResp, raftpb.MsgVote, raftpb.MsgVoteResp, raftpb.MsgPreVote, raftpb.MsgPreVoteResp,
		raftpb.MsgHeartbeat, raftpb.MsgHeartbeatResp, raftpb.MsgReadIndex, raftpb.MsgReadIndexResp,
		raftpb.MsgTransferLeader, raftpb.MsgTimeoutNow:
		return true
	}
	return false
}

// appendMessage encodes m. A snapshot is never part of a message here: it
// travels as a stream of its own (SnapChunk).
func appendMessage(b []byte, m *raftpb.Message) []byte {
	var flags byte
	if m.GetReject() {
		flags |= flagReject
	}
	if len(m.GetEntries()) > 0 {
		flags |= flagEntries
	}
	if len(m.GetContext()) > 0 {
		flags |= flagContext
	}
	if m.GetVote() != 0 {
		flags |= flagVote
	}
	b = append(b, byte(m.GetType()), flags)
	for _, v := range [...]uint64{m.GetTo(), m.GetFrom(), m.GetTerm(), m.GetLogTerm(), m.GetIndex(), m.GetCommit(), m.GetRejectHint()} {
		b = AppendUint(b, v)
	}
	if flags&flagVote != 0 {
		b = AppendUint(b, m.GetVote())
	}
	if flags&flagContext != 0 {
		b = AppendBytes(b, m.GetContext())
	}
	if flags&flagEntries != 0 {
		b = AppendUint(b, uint64(len(m.GetEntries())))
		for _, e := range m.GetEntries() {
			b = append(b, byte(e.GetType()))
			b = AppendUint(b, e.GetTerm())
			b = AppendUint(b, e.GetIndex())
			b = AppendBytes(b, e.GetData())
		}
	}
	return b
}

func readMessage(r *Reader) *raftpb.Message {
	t := r.Byte("message.type")
	flags := r.Byte("message.flags")
	if !mayCross(raftpb.MessageType(t)) || flags&^flagKnown != 0 {
		r.Fail("message", "a type or flag that no member sends")
		return nil
	}
	// One allocation holds what the message's optional fields point to.
	v := new(struct {
		typ                                                    raftpb.MessageType
		to, from, term, logTerm, index, commit, hint, voteFrom uint64
		reject                                                 bool
	})
	v.typ, v.reject = raftpb.MessageType(t), flags&flagReject != 0
	v.to, v.from, v.term = r.Uint("message.to"), r.Uint("message.from"), r.Uint("message.term")
	v.logTerm, v.index = r.Uint("message.logTerm"), r.Uint("message.index")
	v.commit, v.hint = r.Uint("message.commit"), r.Uint("message.rejectHint")
	m := &raftpb.Message{
		Type: &v.typ, To: &v.to, From: &v.from, Term: &v.term, LogTerm: &v.logTerm,
		Index: &v.index, Commit: &v.commit, RejectHint: &v.hint, Reject: &v.reject,
	}
	if flags&flagVote != 0 {
		v.voteFrom = r.Uint("message.vote")
		m.Vote = &v.voteFrom
	}
	if flags&flagContext != 0 {
		m.Context = r.Bytes("message.context", 1<<16)
	}
	if flags&flagEntries != 0 {
		m.Entries = readEntries(r)
	}
	return m
}

// readEntries decodes a slab: one allocation each for the entries, what their
// fields point to, and the list. Data aliases the frame.
func readEntries(r *Reader) []*raftpb.Entry {
	n := r.Count("entries", MaxFrameBytes/4)
	if n > r.Len()/4+1 {
		r.Fail("entries", "more than the bytes left can hold")
		return nil
	}
	type fields struct {
		typ         raftpb.EntryType
		term, index uint64
	}
	slab, vals, list := make([]raftpb.Entry, n), make([]fields, n), make([]*raftpb.Entry, n)
	for i := 0; i < n && r.Err() == nil; i++ {
		t := r.Byte("entry.type")
		if t > byte(raftpb.EntryConfChangeV2) {
			r.Fail("entry.type", "unknown")
			return nil
		}
		f := &vals[i]
		f.typ, f.term, f.index = raftpb.EntryType(t), r.Uint("entry.term"), r.Uint("entry.index")
		e := &slab[i]
		e.Type, e.Term, e.Index = &f.typ, &f.term, &f.index
		if data := r.Bytes("entry.data", MaxFrameBytes); len(data) > 0 {
			e.Data = data
		}
		list[i] = e
	}
	return list
}
