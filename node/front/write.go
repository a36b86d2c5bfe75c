package front

import (
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
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
	// it may take its time, and only what is written has to be read in time.
	entered, long bool
	// timed says that the reading of the body has had its deadline.
	timed bool
}

// Unwrap lets an http.ResponseController through.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher. Errors show at the next write.
func (w *writer) Flush() { _ = w.FlushError() }

// FlushError is Flush for an http.ResponseController.
func (w *writer) FlushError() error {
	if w.long {
		w.deadline(largeAnswer)
	}
	err := w.rc.Flush()
	w.judge(err)
	return err
}

// judge counts a reader that was too slow.
func (w *writer) judge(err error) {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		w.f.meter.refuse(limitSlowReader)
	}
}

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
	if w.long || len(b) > largeAnswer {
		w.deadline(len(b))
	}
	n, err := w.ResponseWriter.Write(b)
	w.judge(err)
	return n, err
}

// deadline gives the reader time for n bytes from now. A connection that knows no
// deadlines has none.
func (w *writer) deadline(n int) {
	l := &w.f.limits
	_ = w.rc.SetWriteDeadline(time.Now().Add(l.WriteTime + time.Duration(n/l.MinRate)*time.Second))
}

// readBy gives the request's body so much time from now, or no bound if d is 0.
func (w *writer) readBy(d time.Duration) {
	w.timed = true
	var until time.Time
	if d > 0 {
		until = time.Now().Add(d)
	}
	_ = w.rc.SetReadDeadline(until)
}

// last makes this the connection's last answer: what is left of the request won't
// be read.
func (w *writer) last() { w.Header().Set("Connection", "close") }

// largeAnswer is the size above which a piece of an answer gets a deadline of its
// own; below it the server's for all is enough.
const largeAnswer = 64 << 10

// answer writes what node/api has made.
func (w *writer) answer(resp *api.Response) {
	h := w.Header()
	for _, x := range resp.Headers {
		if !strings.HasPrefix(x.Name, "Access-Control-") {
			h[x.Name] = []string{x.Value}
		}
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

// cors lets pages of other origins use the API, what is private only if they are
// listed.
func (f *Front) cors(h http.Header, r *http.Request, private bool) {
	origin := "*"
	if private && f.origins == nil {
		return
	}
	if f.origins != nil {
		h.Set("Vary", "Origin")
		if origin = r.Header.Get("Origin"); !slices.Contains(f.origins, origin) {
			return
		}
	}
	h.Set("Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE")
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Headers", "accept, content-type, authorization")
}

// timedBody is the body of a request for a handler of others: it has to come in
// time once it is wanted, and its end lifts the deadline.
type timedBody struct {
	io.ReadCloser
	w     *writer
	begun bool
}

// Read implements io.Reader.
func (b *timedBody) Read(p []byte) (int, error) {
	if !b.begun {
		b.begun = true
		b.w.readBy(b.w.f.limits.BodyTime)
	}
	n, err := b.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		b.w.readBy(0)
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.w.f.meter.refuse(limitBodyTime)
	}
	return n, err
}
