package front

import (
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"drydock/node/api"
	"drydock/node/consensus"
)

// metrics are what the Front counts itself. What the node and its host know is
// asked of them when somebody wants to see it; see collector.
type metrics struct {
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	refused   *prometheus.CounterVec
	undone    *prometheus.CounterVec
	watches   prometheus.Gauge
	events    prometheus.Counter
	rejected  prometheus.Counter
	build     *prometheus.GaugeVec
	conns     prometheus.Gauge
	kinds     kinds
	etcd      etcdMetrics
	rates     rates
}

func newMetrics(version string) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "drydock_http_requests_total", Help: "Requests of clients that were answered.",
		}, []string{"endpoint", "method", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "drydock_http_request_seconds", Help: "How long answers took, watches not counted.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 4, 10),
		}, []string{"endpoint"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "drydock_http_refused_total", Help: "What was refused or ended because it exceeded a limit.",
		}, []string{"limit"}),
		undone: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "drydock_operations_not_done_total", Help: "Operations that ended refused or unknown.",
		}, []string{"kind", "outcome"}),
		watches: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "drydock_http_watches", Help: "Watches that are open by HTTP.",
		}),
		events: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "drydock_http_watch_events_total", Help: "Events that were written to watches.",
		}),
		rejected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "etcd_server_proposals_failed_total", Help: "Writes that ended refused or unknown.",
		}),
		build: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "drydock_build_info", Help: "1, with the product's version.",
		}, []string{"version"}),
		conns: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "drydock_http_connections", Help: "Connections of clients that are open.",
		}),
	}
	m.build.WithLabelValues(version).Set(1)
	m.etcd.init()
	for _, l := range allLimits {
		m.refused.WithLabelValues(string(l)) // so that it shows as 0
	}
	return m
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{
		m.etcd.received, m.etcd.failed, m.etcd.took, m.etcd.version, m.requests,
		m.durations, m.refused, m.undone, m.watches, m.events, m.rejected, m.build, m.conns,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}
}

func (m *metrics) refuse(l limit) { m.refused.WithLabelValues(string(l)).Inc() }

// failed counts an operation that was not done.
func (m *metrics) failed(k api.CallKind, s consensus.Status) {
	m.undone.WithLabelValues(k.String(), s.String()).Inc()
	if k == api.Write {
		m.rejected.Inc()
	}
}

// served counts an answer.
func (m *metrics) served(endpoint, method string, w *writer) {
	switch method {
	case "GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS":
	default:
		method = "other" // clients may send any word
	}
	m.requests.WithLabelValues(endpoint, method, strconv.Itoa(w.status)).Inc()
	took := time.Since(w.began).Seconds()
	if !w.long {
		m.durations.WithLabelValues(endpoint).Observe(took)
	}
	if endpoint == "keys" {
		m.etcd.served(method, w, took)
	}
}

// kinds are the metrics of requests of the keyspace by method and status: looking them
// up by their labels takes longer than counting.
type kinds [len(directMethods)][600]atomic.Pointer[kindMetrics]

// directMethods are those that the direct way serves.
var directMethods = [...]string{"GET", "PUT", "POST", "DELETE"}

type kindMetrics struct {
	requests, received, failed prometheus.Counter
	durations, took            prometheus.Observer
}

func (m *metrics) newKind(method string, status int) *kindMetrics {
	x := &kindMetrics{
		requests:  m.requests.WithLabelValues("keys", method, strconv.Itoa(status)),
		durations: m.durations.WithLabelValues("keys"),
		received:  m.etcd.received.WithLabelValues(method),
	}
	if status >= http.StatusBadRequest {
		x.failed = m.etcd.failed.WithLabelValues(method, strconv.Itoa(status))
	} else {
		x.took = m.etcd.took.WithLabelValues(method)
	}
	return x
}

// servedKeys counts an answer of the direct way, as served does those of the other.
// The time that a long one took says nothing.
func (m *metrics) servedKeys(method string, status int, took float64, long bool) {
	place := &m.kinds[slices.Index(directMethods[:], method)][status]
	x := place.Load()
	if x == nil {
		x = m.newKind(method, status)
		place.Store(x)
	}
	x.requests.Inc()
	x.received.Inc()
	if !long {
		x.durations.Observe(took)
	}
	switch {
	case x.failed != nil:
		x.failed.Inc()
	case !long:
		x.took.Observe(took)
	}
}

// etcdMetrics are what etcd counts of /v2/keys, by its names.
type etcdMetrics struct {
	received, failed *prometheus.CounterVec
	took             *prometheus.HistogramVec
	version          *prometheus.GaugeVec
}

func (m *etcdMetrics) init() {
	m.received = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "etcd_http_received_total", Help: "Requests of the keyspace.",
	}, []string{"method"})
	m.failed = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "etcd_http_failed_total", Help: "Requests of the keyspace that failed.",
	}, []string{"method", "code"})
	m.took = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "etcd_http_successful_duration_seconds", Help: "How long requests of the keyspace took that succeeded.",
		Buckets: prometheus.ExponentialBuckets(0.0005, 2, 13),
	}, []string{"method"})
	m.version = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "etcd_server_version", Help: "1, with the version of etcd whose API this is.",
	}, []string{"server_version"})
	m.version.WithLabelValues(dialectServer).Set(1)
}

func (m *etcdMetrics) served(method string, w *writer, took float64) {
	m.received.WithLabelValues(method).Inc()
	switch {
	case w.status >= http.StatusBadRequest:
		m.failed.WithLabelValues(method, strconv.Itoa(w.status)).Inc()
	case !w.long:
		m.took.WithLabelValues(method).Observe(took)
	}
}

// scrape serves /metrics.
func scrape(reg *prometheus.Registry) func(*writer, *http.Request) {
	h := promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
	return func(w *writer, r *http.Request) { h.ServeHTTP(w, r) }
}

// rate is what went over the links in a second.
type rate struct{ packages, bytes float64 }

// rates turns counters into rates between two looks, a second apart at least.
type rates struct {
	mu         sync.Mutex
	at         time.Time
	got, sent  Link
	recv, send rate
}

func (x *rates) take(now time.Time, got, sent Link) (recv, send rate) {
	x.mu.Lock()
	defer x.mu.Unlock()
	passed := now.Sub(x.at).Seconds()
	if passed < 1 {
		return x.recv, x.send
	}
	if !x.at.IsZero() && passed < 60 {
		x.recv = rate{per(got.Received, x.got.Received, passed), per(got.ReceivedBytes, x.got.ReceivedBytes, passed)}
		x.send = rate{per(sent.Sent, x.sent.Sent, passed), per(sent.SentBytes, x.sent.SentBytes, passed)}
	} else {
		x.recv, x.send = rate{}, rate{}
	}
	x.at, x.got, x.sent = now, got, sent
	return x.recv, x.send
}

// per is how much a counter grew per second. One that went back was begun anew.
func per(now, before uint64, seconds float64) float64 {
	if now < before {
		return 0
	}
	return float64(now-before) / seconds
}
