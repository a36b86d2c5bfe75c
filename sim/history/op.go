package history

// Status is how an operation ended for the client that asked for it.
type Status string

// The ends of an operation.
const (
	// OK: the store answered. A refused condition (code 101, 105, …) or a
	// missing key (100) is an answer, so it is OK with Code set.
	OK Status = "ok"
	// Refused: it is certain that the operation never took and never will take
	// effect.
	Refused Status = "refused"
	// Unknown: the operation may take effect, now, later or never.
	Unknown Status = "unknown"
)

// Kind is what an operation asks for.
type Kind string

// The kinds of operations on the keyspace. Put is an unconditional set; Append
// is the in-order creation of a child of Key (POST); List reads a directory's
// children in order.
const (
	Get    Kind = "get"
	List   Kind = "list"
	Put    Kind = "put"
	Create Kind = "create"
	Update Kind = "update"
	CAS    Kind = "cas"
	Delete Kind = "delete"
	CAD    Kind = "cad"
	Append Kind = "append"
	// Expire is the removal of a key whose time to live was over. No client
	// asks for it; it is known from the disks (see Expiries).
	Expire Kind = "expire"
)

// The kinds of operations on other things than the keyspace, for histories of
// other systems. RegRead and RegWrite are the same as Get and Put.
const (
	RegRead  Kind = "read"
	RegWrite Kind = "write"
	Acquire  Kind = "acquire"
	Release  Kind = "release"
	Enqueue  Kind = "enqueue"
	Dequeue  Kind = "dequeue"
)

// Reads says that an operation of this kind never changes anything.
func (k Kind) Reads() bool { return k == Get || k == List || k == RegRead }

// Known says that the kind is one of this package's.
func (k Kind) Known() bool {
	switch k {
	case Get, List, Put, Create, Update, CAS, Delete, CAD, Append, Expire,
		RegRead, RegWrite, Acquire, Release, Enqueue, Dequeue:
		return true
	}
	return false
}

// Op is one operation as its client saw it: one line of a history file.
type Op struct {
	// ID numbers the operations of a run in order of their call, from 1.
	ID int `json:"id"`
	// Client is the client's name; a client has one operation open at a time.
	Client string `json:"client"`
	// Node is the member that answered (or was last asked), if known.
	Node string `json:"node,omitempty"`
	Kind Kind   `json:"op"`
	Key  string `json:"key"`
	// Token is the request's id, as the client sent it with the request; it is
	// how a command in a member's log is known to be this operation.
	Token string `json:"token,omitempty"`
	// Value is what a write writes, and is unique in a run for every write
	// that makes a value.
	Value string `json:"value,omitempty"`
	// PrevValue and PrevIndex are the conditions of cas and cad.
	PrevValue *string `json:"prevValue,omitempty"`
	PrevIndex uint64  `json:"prevIndex,omitempty"`
	// TTL is the time to live that a write gives its key, in seconds; 0 is none.
	// Refresh marks a write that renews the ttl, keeps the value and is not
	// shown to watches; Value is then empty.
	TTL     uint64 `json:"ttl,omitempty"`
	Refresh bool   `json:"refresh,omitempty"`
	// Left is the time to live that the answer showed, in seconds rounded up.
	Left uint64 `json:"left,omitempty"`
	// Stale marks a read that was asked of one member's own copy; it promises
	// a prefix of history, not the latest.
	Stale bool `json:"stale,omitempty"`

	// Call and Return are times in nanoseconds on one clock that all clients
	// share. Return is 0 when no answer came (Status unknown).
	Call   int64  `json:"call"`
	Return int64  `json:"return,omitempty"`
	Status Status `json:"status"`
	// Code is the store's error code: 0, 100 not found, 101 compare failed,
	// 105 exists, 102 not a file, 104 not a directory.
	Code int `json:"code,omitempty"`
	// Revision is the place of the operation in the store's total order, one
	// per command; for a read, the revision of the state it was served from.
	// 0: the system under test gives none.
	Revision uint64 `json:"revision,omitempty"`
	// Index is the answer's etcd index; Modified and Created the node's.
	Index    uint64 `json:"index,omitempty"`
	Modified uint64 `json:"modified,omitempty"`
	Created  uint64 `json:"created,omitempty"`
	// Out is the value read by get, or the previous value answered to a write.
	Out *string `json:"out,omitempty"`
	// Fresh says that the answer to a write showed that nothing was there before;
	// without it, an Out that is missing says nothing.
	Fresh bool `json:"fresh,omitempty"`
	// Items are the children read by list, in order.
	Items []Item `json:"items,omitempty"`
	// Settled says what is known of an unknown write from the disks of the
	// run: "" nothing, "never" not in the committed log, "applied" in it, then
	// SettledRevision is its place.
	Settled         string `json:"settled,omitempty"`
	SettledRevision uint64 `json:"settledRevision,omitempty"`
	// Error is what the client was told, for people.
	Error string `json:"error,omitempty"`
}

// Item is one child in a listing.
type Item struct {
	Key     string `json:"key"`
	Value   string `json:"value"`
	Created uint64 `json:"created,omitempty"`
}
