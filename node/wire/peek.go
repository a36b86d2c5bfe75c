package wire

import "go.etcd.io/raft/v3/raftpb"

// Head is the outside of a raft message: what an observer of the wire asks for.
type Head struct {
	Type       raftpb.MessageType
	Term       uint64
	Reject     bool
	Index      uint64
	Commit     uint64
	Entries    int
	FirstIndex uint64
}

// Heads reads the messages of a raft frame without building them. The frame's
// checksum is the receiver's to check.
func Heads(frame []byte, each func(Head)) error {
	if len(frame) < headerBytes+crcBytes || Kind(frame[2]) != KindRaft {
		return nil
	}
	r := NewReader(frame[headerBytes : len(frame)-crcBytes])
	n := r.Count("messages", MaxMessages)
	for i := 0; i < n && r.Err() == nil; i++ {
		h := readHead(r)
		if r.Err() == nil {
			each(h)
		}
	}
	return r.Done("frame")
}

func readHead(r *Reader) Head {
	h := Head{Type: raftpb.MessageType(r.Byte("message.type"))}
	flags := r.Byte("message.flags")
	h.Reject = flags&flagReject != 0
	r.Uint("message.to")
	r.Uint("message.from")
	h.Term = r.Uint("message.term")
	r.Uint("message.logTerm")
	h.Index = r.Uint("message.index")
	h.Commit = r.Uint("message.commit")
	r.Uint("message.rejectHint")
	if flags&flagVote != 0 {
		r.Uint("message.vote")
	}
	if flags&flagContext != 0 {
		r.Bytes("message.context", 1<<16)
	}
	if flags&flagEntries == 0 {
		return h
	}
	h.Entries = r.Count("entries", MaxFrameBytes/4)
	for i := 0; i < h.Entries && r.Err() == nil; i++ {
		r.Byte("entry.type")
		r.Uint("entry.term")
		index := r.Uint("entry.index")
		if i == 0 {
			h.FirstIndex = index
		}
		r.Bytes("entry.data", MaxFrameBytes)
	}
	return h
}
