package transport

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"go.etcd.io/raft/v3/raftpb"

	"drydock/node/wire"
	"drydock/node/world"
)

// The outside of a frame as package wire lays it out.
const (
	frameHead = 3 + 3*8
	frameSum  = 4
	frameKind = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// envelope is the outside of a frame.
type envelope struct {
	cluster  uint64
	from, to world.MemberID
}

// openEnvelope reads the outside of a frame and checks its sum. What is inside
// is the node's to judge.
func openEnvelope(frame []byte) (envelope, error) {
	if len(frame) < frameHead+frameSum {
		return envelope{}, fmt.Errorf("%w: frame of %d bytes", errStream, len(frame))
	}
	body, sum := frame[:len(frame)-frameSum], binary.BigEndian.Uint32(frame[len(frame)-frameSum:])
	if crc32.Checksum(body, castagnoli) != sum {
		return envelope{}, fmt.Errorf("%w: a frame's checksum differs", errStream)
	}
	return envelope{
		cluster: binary.BigEndian.Uint64(body[3:]),
		from:    world.MemberID(binary.BigEndian.Uint64(body[11:])),
		to:      world.MemberID(binary.BigEndian.Uint64(body[19:])),
	}, nil
}

// lane is where a frame waits.
type lane uint8

const (
	laneUrgent lane = iota
	laneBulk
	laneSnapshot
)

// sortFrame says where a frame waits and how many raft appends it has. An append
// is bulk even without entries: before those that it follows it would be refused.
func sortFrame(frame []byte) (where lane, appends int) {
	if len(frame) < frameHead+frameSum {
		return laneBulk, 0
	}
	switch wire.Kind(frame[frameKind]) {
	case wire.KindSnapChunk:
		return laneSnapshot, 0
	case wire.KindSnapAck, wire.KindRefuse:
		return small(frame), 0
	case wire.KindRaft:
		err := wire.Heads(frame, func(h wire.Head) {
			if h.Type == raftpb.MsgApp {
				appends++
			}
		})
		if err == nil && appends == 0 {
			return small(frame), 0
		}
	}
	return laneBulk, appends
}

// small lets only what fits into one part be urgent.
func small(frame []byte) lane {
	if len(frame) > partBytes {
		return laneBulk
	}
	return laneUrgent
}
