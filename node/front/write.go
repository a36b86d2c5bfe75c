package front

import (
	"errors"
	"net/http"
	"os"
	"strconv"
	"time"

	"drydock/node/api"
)

// writer is an answer on its way. It keeps the status for the metrics, and the
// time that the reader has.
type writer struct {
	http.ResponseWriter
	f      *Front
	rc     *http.ResponseController
	began  time.Time
	status int
	// entered says that the request counts as one that is carried out; long that
	// its duration says nothing.
	entered, long bool
}

// Unwrap lets an http.ResponseController through.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher. Errors show at the next write.
func (w *writer) Flush() { _ = w.rc.Flush() }

// WriteHeader implements http.ResponseWriter.
func (w *writer) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *writer) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		w.f.meter.refuse(limitSlowReader)
	}
	return n, err
}

// deadline gives the reader time for n bytes; none at all, that is for ever, if n
// is 0. A connection that knows no deadlines has none.
func (w *writer) deadline(n int) {
	var until time.Time
	if n > 0 {
		l := &w.f.limits
		until = time.Now().Add(l.WriteTime + time.Duration(n/l.MinRate)*time.Second)
	}
	_ = w.rc.SetWriteDeadline(until)
}

// largeAnswer is the size from which an answer gets a deadline of its own; below
// it the server's for all is enough.
const largeAnswer = 64 << 10

// answer writes what node/api has made.
func (w *writer) answer(resp *api.Response) {
	h := w.Header()
	for _, x := range resp.Headers {
		h[x.Name] = []string{x.Value}
	}
	if len(resp.Body) > largeAnswer {
		w.deadline(len(resp.Body))
	}
	w.WriteHeader(resp.Status)
	if len(resp.Body) > 0 {
		_, _ = w.Write(resp.Body) // a client that is gone needs no answer
	}
}

// text writes an answer for people.
func (w *writer) text(status int, body string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}

func (w *writer) notAllowed(allow string) {
	if allow != "" {
		w.Header().Set("Allow", allow)
	}
	w.text(http.StatusMethodNotAllowed, "Method Not Allowed\n")
}

// json writes a body that is JSON already.
func (w *writer) json(status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// unavailable says that the node has stopped or has no time.
func (w *writer) unavailable(err error) {
	w.Header().Set("Retry-After", "1")
	w.text(http.StatusServiceUnavailable, err.Error()+"\n")
}

// clusterID shows the cluster's id, as the endpoints of the keyspace and of the
// members do.
func (w *writer) clusterID() {
	w.Header().Set("X-Etcd-Cluster-Id", strconv.FormatUint(w.f.cluster, 16))
}

// cors lets pages of any origin use the API.
func cors(h http.Header) {
	h.Set("Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE")
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Allow-Headers", "accept, content-type, authorization")
}
