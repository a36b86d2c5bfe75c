package front

import "time"

// Limits bound what clients can take. Zero fields get their default.
type Limits struct {
	// TargetBytes bounds the path and query of a request line (default 256 KiB),
	// HeaderBytes all of a request's head (default 512 KiB).
	TargetBytes, HeaderBytes int
	// FormBytes bounds a request's body (default, and at most for the keyspace,
	// 10 MiB), BodyBytes those of all requests that are being read or carried
	// out (default 256 MiB).
	FormBytes, BodyBytes int64
	// HeaderTime, BodyTime and IdleTime bound how long a head (default 10 s) and
	// a body (30 s) take to come and how long a connection may be silent between
	// requests (5 min).
	HeaderTime, BodyTime, IdleTime time.Duration
	// WriteTime is how long an answer, or one event of a watch, may wait for its
	// reader (default 10 s); each MinRate bytes (default 64 KiB) add a second.
	WriteTime time.Duration
	MinRate   int
	// Connections bounds those that are open (default 20000), Requests those
	// that are carried out at a time, watches not counted (default 4096).
	Connections, Requests int

	_ struct{}
}

func (l *Limits) setDefaults() {
	def(&l.TargetBytes, 256<<10)
	def(&l.HeaderBytes, 512<<10)
	def(&l.FormBytes, 10<<20)
	def(&l.BodyBytes, 256<<20)
	def(&l.HeaderTime, 10*time.Second)
	def(&l.BodyTime, 30*time.Second)
	def(&l.IdleTime, 5*time.Minute)
	def(&l.WriteTime, 10*time.Second)
	def(&l.MinRate, 64<<10)
	def(&l.Connections, 20000)
	def(&l.Requests, 4096)
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// limit names a bound in the metric that counts what it refused.
type limit string

// The bounds.
const (
	limitTarget      limit = "target_bytes"
	limitHeader      limit = "header_bytes"
	limitForm        limit = "form_bytes"
	limitBodies      limit = "body_bytes"
	limitBodyTime    limit = "body_time"
	limitRequests    limit = "requests"
	limitQueue       limit = "queue"
	limitWatches     limit = "watches"
	limitLag         limit = "watch_lag"
	limitSlowReader  limit = "slow_reader"
	limitConnections limit = "connections"
	limitHeaderTime  limit = "header_time"
	limitPath        limit = "key"
)

var allLimits = [...]limit{
	limitTarget, limitHeader, limitForm, limitBodies, limitBodyTime, limitRequests, limitQueue, limitWatches,
	limitLag, limitSlowReader, limitConnections, limitHeaderTime, limitPath,
}
