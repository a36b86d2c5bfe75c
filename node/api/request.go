package api

import "drydock/node/keys"

// The bounds of a request.
const (
	// MaxFormBytes is the size of the largest form body.
	MaxFormBytes = 10 << 20
	// MaxTokenBytes is the length of the longest request id.
	MaxTokenBytes = 64
	// MaxDepth is how many directories deep a key may be: what walks the tree
	// takes a level of the stack for each.
	MaxDepth = 256
)

// The headers that are the product's own.
const (
	// HeaderToken carries the client's id of the request.
	HeaderToken = "X-Drydock-Request"
	// HeaderRevision carries the place of the answer in the store's total
	// order: of the command, or of the state that a read was served from.
	HeaderRevision = "X-Drydock-Revision"
	// HeaderOutcome tells of an operation that was not done whether it is
	// certain that it never will be: "refused" or "unknown".
	HeaderOutcome = "X-Drydock-Outcome"
)

// Request is what of an HTTP request matters here.
type Request struct {
	Method string
	// Target is path?query as on the request line.
	Target      string
	ContentType string
	Body        []byte
	// Token is the value of HeaderToken: up to MaxTokenBytes printable ASCII
	// characters, or empty.
	Token string
	// ClusterID, unless zero, is shown in the answer to a request error.
	ClusterID uint64

	_ struct{}
}

// Header is one line of an answer's head.
type Header struct{ Name, Value string }

// Response is an answer, or the head of one.
type Response struct {
	Status  int
	Headers []Header
	Body    []byte
}

// Get returns the value of a header, or "". Names are compared as written.
func (r *Response) Get(name string) string {
	for _, h := range r.Headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

// CallKind is what a Call asks of the store.
type CallKind uint8

// The kinds of calls.
const (
	Read CallKind = iota
	Write
	Watch
)

// String names the kind as traces print it.
func (k CallKind) String() string {
	switch k {
	case Read:
		return "read"
	case Write:
		return "write"
	case Watch:
		return "watch"
	}
	return "unknown"
}

// Call is a decoded request.
type Call struct {
	Kind CallKind
	// Write is the command of a Write.
	Write keys.Command
	// Path is the key, for every kind.
	Path string
	// Recursive and Sorted are a read's; Recursive is a watch's as well.
	Recursive, Sorted bool
	// Linearizable asks for a read that sees every write that was answered
	// before it began (quorum=true).
	Linearizable bool
	// Stream keeps a watch open after its first event.
	Stream bool
	// Since is the first index that a watch wants; 0 is what comes next.
	Since uint64
	// NoValueOnSuccess trims the answer of a successful write to its action.
	NoValueOnSuccess bool
	// Head asks for a read's status and headers alone.
	Head bool
	// Token is the client's id of the request, if it gave one.
	Token string
}

// Meta is what an answer tells of the member and cluster that gave it.
type Meta struct {
	ClusterID           uint64
	RaftIndex, RaftTerm uint64
	// EtcdIndex is the store's index: when the watch began, for a watch.
	EtcdIndex uint64
	// Revision is the answer's place in the total order; 0 is not shown.
	Revision uint64
}

// Outcome is what became of an operation that was not done.
type Outcome uint8

// The outcomes of failure.
const (
	// Refused operations never took and never will take effect.
	Refused Outcome = iota + 1
	// Unknown operations may take effect now, later or never.
	Unknown
)

// String is the outcome as HeaderOutcome spells it.
func (o Outcome) String() string {
	switch o {
	case Refused:
		return "refused"
	case Unknown:
		return "unknown"
	}
	return "invalid"
}
