package direct

import (
	"errors"
	"net"
	"time"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/host"
)

// ErrUnsupported is matched when this system has no way to serve directly.
var ErrUnsupported = errors.New("direct: not on this system")

// Verdict is what a Handler makes of a request.
type Verdict uint8

// The verdicts.
const (
	// Ask has the exchange's Call carried out; Finish gets the answer.
	Ask Verdict = iota
	// Reply has Finish write the exchange's Refusal.
	Reply
	// HandOver leaves the request, and the connection with it, to net/http.
	HandOver
)

// Exchange is one request on its way. Each connection has one, again and again.
type Exchange struct {
	// Method is the request's, Began when it had come. Target is for the Handler's use.
	Method string
	Target string
	Began  time.Time
	// Remote is the client's address.
	Remote net.Addr
	// Call is what is asked of the node; Answer what it said.
	Call   api.Call
	Answer node.Answer
	// Refusal is the answer to a request that never went to the node.
	Refusal *api.Response
	// BodyBytes is for the Handler's own account.
	BodyBytes int64
	// Counted says that the exchange counts among the requests that are carried out;
	// Told that the head of a watch's answer is out.
	Counted, Told bool
}

// Handler says what is to be done with requests. Its methods are called by the
// shards' goroutines, must not block, and may be called by several at once for
// different exchanges.
type Handler interface {
	// Begin judges a request. Method, Began and Remote of the exchange are set.
	Begin(x *Exchange, r *Request) Verdict
	// Finish appends the answer to b: to Call, if it was asked, else the Refusal. It is
	// called once for each exchange that began by Ask or Reply, also for those whose
	// client is gone. Now is when the answer was there.
	Finish(x *Exchange, b []byte, f *api.Frame, now time.Time) []byte
	// Tell appends what a watch has to tell, and says whether the answer is complete with
	// that; nil news end it, since its client is gone or the server stops. The first is
	// the head; a watch that could not begin is answered by Finish.
	Tell(x *Exchange, n *node.WatchNews, b []byte, f *api.Frame) (out []byte, over bool)
	// Heavy says whether Finish may take long, and had better have a goroutine of its
	// own.
	Heavy(x *Exchange) bool
	// TooSlow is called for a connection that is closed because its first request did
	// not come in time, or an answer found no reader in time.
	TooSlow(reader bool)
}

// Host is what package direct needs of a *host.Host.
type Host interface {
	// Post hands calls over; Cancel says that nobody waits for one any more.
	Post(list []host.Asked)
	Cancel(token uint64)
}

// Options are what a Server is given.
type Options struct {
	// Host carries the calls out.
	Host Host
	// Handler judges requests and writes answers.
	Handler Handler
	// HandOver takes a connection that is for net/http: its first reads return what
	// was read of it here. Owner is what Adopt was given.
	HandOver func(owner any, c net.Conn)
	// Closed is told that an adopted connection is closed.
	Closed func(owner any)
	// Lines are header lines that every answer has.
	Lines []byte
	// HeadBytes and BodyBytes are above what size a head or a body is handed over
	// (default, and at most, 8 KiB and 64 KiB).
	HeadBytes, BodyBytes int
	// HeaderTime, IdleTime and WriteTime bound how long a head takes to come, a
	// connection is silent between requests, and an answer waits for its reader, to
	// which each MinRate bytes add a second. All must be set.
	HeaderTime, IdleTime, WriteTime time.Duration
	MinRate                         int
	// BodyTime is how long the rest of a body may take before the request is handed
	// over (default 100 ms).
	BodyTime time.Duration
	// Shards is how many goroutines there are (default half of the processors, at
	// least one).
	Shards int

	_ struct{}
}

// The sizes up to which requests are served here.
const (
	maxHead = 8 << 10
	maxBody = 64 << 10
)

// defaultBodyTime is for clients that send head and body apart.
const defaultBodyTime = 100 * time.Millisecond

func (o *Options) bounds() bounds {
	most := bounds{head: maxHead, body: maxBody}
	if o.HeadBytes > 0 {
		most.head = min(most.head, o.HeadBytes)
	}
	if o.BodyBytes > 0 {
		most.body = min(most.body, o.BodyBytes)
	}
	return most
}
