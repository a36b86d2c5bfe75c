package front

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"drydock/node/api"
	"drydock/node/host"
	"drydock/node/world"
)

// Guard decides who may do what. Both methods return nil if the request is
// allowed, or else the answer to it. They may be called by many at once.
type Guard interface {
	// Keys judges a call on the keyspace.
	Keys(r *http.Request, call *api.Call) *api.Response
	// Admin judges a request that only an administrator may make.
	Admin(r *http.Request) *api.Response
}

// opener is what a Guard may be beside: Open says that nobody is asked who he is, so
// that Keys and Admin would allow everything.
type opener interface{ Open() bool }

// Links tells of the connections to other members.
type Links interface {
	// Links returns one Link for each other member, in any order.
	Links() []Link
}

// Link is what is known of the connection to one member.
type Link struct {
	ID world.MemberID
	// Connected says that frames can go out now.
	Connected bool
	// Sent and Received count frames, SentBytes and ReceivedBytes their bytes.
	Sent, Received, SentBytes, ReceivedBytes uint64
	// Failed counts frames that were dropped or could not be sent.
	Failed uint64
	// Latency is of round trips; its zero value says that none was measured.
	Latency Latency
}

// Latency describes the round trips of a link.
type Latency struct {
	Current, Average, Deviation, Minimum, Maximum time.Duration
}

// Mount is a handler of its own.
type Mount struct {
	// Name stands for it in metrics.
	Name string
	// Path is where it is: with a slash at the end all below, too; else only
	// exactly there. Of two that match the longer counts.
	Path string
	// Handler answers. It may take its time, but what it writes has to be read in
	// time, and the body of a request is bounded by Limits.FormBytes and BodyTime.
	Handler http.Handler
	// Private answers may be read by pages of other origins only if Options.CORS lists
	// them.
	Private bool
}

// Options are what a Front is given.
type Options struct {
	// Host is the node. Cluster is the cluster's id.
	Host    *host.Host
	Cluster uint64
	// Version is the product's own.
	Version string
	// Guard, if not nil, is asked before anything is done for a client.
	Guard Guard
	// Links, if not nil, tells of other members.
	Links Links
	// Mounts are further handlers. They come before the Front's own paths.
	Mounts []Mount
	// CORS lists the origins whose pages may use the API, separated by commas;
	// empty or "*" means all, as etcd's default does.
	CORS string
	// Limits has defaults for what is zero.
	Limits Limits
	// OnlyNetHTTP serves all requests by net/http. Else package direct serves plain
	// requests of the keyspace, where it can.
	OnlyNetHTTP bool
	// Pprof serves /debug/pprof/.
	Pprof bool
	// Registry takes the metrics; nil makes one.
	Registry *prometheus.Registry
	// Log takes what an operator may want to know; nil for none.
	Log *slog.Logger

	_ struct{}
}
