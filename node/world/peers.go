package world

// MemberID names a member of the cluster for ever. It is drawn when the member
// joins; a wiped disk never comes back under its old id. Zero is no member.
type MemberID uint64

// Peers sends frames to other members.
type Peers interface {
	// Send hands a frame to the network. It never blocks and may drop: the
	// frame may be lost, repeated, delayed or overtaken. The callee owns the
	// frame from here on.
	Send(to MemberID, frame []byte)
}
