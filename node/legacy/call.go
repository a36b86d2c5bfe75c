package legacy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/consensus"
	"drydock/node/host"
	"drydock/node/keys"
)

// Error codes that only the interfaces of the time have. (etcd v2 API, "Errors")
const (
	codeValueRequired        = 200
	codeTimeoutNaN           = 205
	codeNameRequired         = 206
	codeIndexOrValueRequired = 207
	codeIndexValueMutex      = 208
	codeLeaderElect          = 301
)

var oldMessages = map[int]string{
	codeValueRequired:        "Value is Required in POST form",
	codeTimeoutNaN:           "The given timeout in POST form is not a number",
	codeNameRequired:         "Name is required in POST form",
	codeIndexOrValueRequired: "Index or value is required",
	codeIndexValueMutex:      "Index and value cannot both be specified",
	codeLeaderElect:          "During Leader Election",
}

// failure is an error of the keyspace or of a request, as a client is told of it.
type failure struct {
	Code    int    `json:"errorCode"`
	Message string `json:"message"`
	Cause   string `json:"cause,omitempty"`
	Index   uint64 `json:"index"`
	status  int
}

// Error implements error. The form is that of the client which the modules of the
// time were built on.
func (f *failure) Error() string {
	return fmt.Sprintf("%d: %s (%s) [%d]", f.Code, f.Message, f.Cause, f.Index)
}

// fail makes the failure of a code that is answered 400, or by what the keyspace
// knows of it.
func fail(code int, cause string, index uint64) *failure {
	if text := oldMessages[code]; text != "" {
		status := http.StatusBadRequest
		if code == codeLeaderElect {
			status = http.StatusInternalServerError
		}
		return &failure{Code: code, Message: text, Cause: cause, Index: index, status: status}
	}
	return fromKeys(&keys.Error{Code: code, Cause: cause, Index: index})
}

func fromKeys(e *keys.Error) *failure {
	return &failure{Code: e.Code, Message: e.Message(), Cause: e.Cause, Index: e.Index, status: e.Status()}
}

// isCode says whether err is a failure of that code.
func isCode(err error, code int) bool {
	var f *failure
	return errors.As(err, &f) && f.Code == code
}

// denied is a guard's refusal: the whole answer.
type denied struct{ resp *api.Response }

// Error implements error.
func (d *denied) Error() string { return fmt.Sprintf("not allowed: status %d", d.resp.Status) }

// errGone says that the request is over: the client has gone, or the member stops.
var errGone = errors.New("the member is stopping; ask another")

// do carries out a call for a request; ctx may end before the request does.
func (s *server) do(ctx context.Context, r *http.Request, call *api.Call) (node.Answer, error) {
	if err := s.check(r, call); err != nil {
		return node.Answer{}, err
	}
	a := s.h.Do(ctx, call)
	switch {
	case a.Status != consensus.Done && r.Context().Err() != nil:
		return a, errGone
	case a.Status != consensus.Done:
		return a, fromKeys(&keys.Error{Code: keys.CodeRaftInternal, Cause: a.Reason})
	case a.Err != nil:
		return a, fromKeys(a.Err)
	}
	return a, nil
}

// check asks the guard, and refuses what no replica could apply: the decoder that
// stands before the keyspace elsewhere has not seen this call.
func (s *server) check(r *http.Request, call *api.Call) error {
	if !keys.IsClean(call.Path) || len(call.Path) > keys.MaxPathBytes {
		return fail(keys.CodeInvalidField, "key", 0)
	}
	if call.Kind == api.Write {
		if _, err := keys.DecodeCommand(call.Write.AppendBinary(nil)); err != nil {
			return fail(keys.CodeInvalidField, err.Error(), 0)
		}
	}
	if s.guard != nil {
		if resp := s.guard.Keys(r, call); resp != nil {
			return &denied{resp: resp}
		}
	}
	return nil
}

// write is a call that writes.
func write(c keys.Command) *api.Call { return &api.Call{Kind: api.Write, Path: c.Path, Write: c} }

// read is a call that reads one level of path.
func read(path string, linearizable bool) *api.Call {
	return &api.Call{Kind: api.Read, Path: path, Sorted: true, Linearizable: linearizable}
}

// watchOnce waits for the first event of path since index, 0 being what comes. It
// returns nil when the watch ended without one and is to be begun again.
func (s *server) watchOnce(ctx context.Context, r *http.Request, path string, since uint64) (*node.WatchNews, error) {
	call := &api.Call{Kind: api.Watch, Path: path, Since: since}
	if err := s.check(r, call); err != nil {
		return nil, err
	}
	w, err := s.h.Watch(ctx, call)
	if err != nil {
		return nil, asFailure(ctx, err)
	}
	defer w.Close()
	for {
		n, err := w.Next(ctx)
		switch {
		case errors.Is(err, host.ErrWatchOver), errors.Is(err, host.ErrLagging):
			return nil, nil
		case err != nil:
			return nil, asFailure(ctx, err)
		case n.Err != nil:
			return nil, fromKeys(n.Err)
		case n.Event != nil:
			return &n, nil
		case n.Last:
			return nil, nil
		}
	}
}

// asFailure is what a client is told when the node has not taken a watch.
func asFailure(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fromKeys(&keys.Error{Code: keys.CodeRaftInternal, Cause: err.Error()})
}

// sendJSON sends a failure as the keyspace's own errors are sent.
func sendJSON(w http.ResponseWriter, f *failure, contentType string) {
	body, err := json.Marshal(f)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Etcd-Index", strconv.FormatUint(f.Index, 10))
	w.WriteHeader(f.status)
	sendBody(w, append(body, '\n'))
}

// sendDenied sends a guard's answer.
func sendDenied(w http.ResponseWriter, resp *api.Response) {
	for _, h := range resp.Headers {
		w.Header().Set(h.Name, h.Value)
	}
	w.WriteHeader(resp.Status)
	sendBody(w, resp.Body)
}

// sendText sends plain text; an empty one has no type, as then.
func sendText(w http.ResponseWriter, text string) {
	if text != "" {
		w.Header().Set("Content-Type", textPlain)
	}
	w.WriteHeader(http.StatusOK)
	sendBody(w, []byte(text))
}

const (
	textPlain       = "text/plain; charset=utf-8"
	applicationJSON = "application/json"
)

func sendBody(w io.Writer, b []byte) {
	// A client that is gone misses nothing by it.
	_, _ = w.Write(b)
}
