package legacy

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"drydock/node/keys"
)

// lockPrefix is where the keyspace holds the locks.
const lockPrefix = "/_etcd/mod/lock/"

// maxTTL bounds times to live and time-outs of locks, in seconds: a year.
const maxTTL = 366 * 24 * 3600

// errLock is a failure that the modules tell in plain words.
type errLock string

// Error implements error.
func (e errLock) Error() string { return string(e) }

const (
	errNotFree  errLock = "failed to acquire lock"
	errLockLost errLock = "lock lost: its key was released or has expired"
	errWaiters  errLock = "too many requests are waiting for locks"
)

// lock serves the lock module.
func (s *server) lock(w http.ResponseWriter, r *http.Request, key string) {
	dir := lockPrefix + key
	if !keys.IsClean(dir) {
		http.NotFound(w, r)
		return
	}
	if err := r.ParseForm(); err != nil {
		s.lockAnswer(w, "", fail(keys.CodeInvalidForm, err.Error(), 0))
		return
	}
	var text string
	var err error
	switch r.Method {
	case "GET", "HEAD":
		text, err = s.lockGet(r, dir, r.Form.Get("field"))
	case "POST":
		text, err = s.lockAcquire(r, dir, r.Form.Get("value"))
	case "PUT":
		err = s.lockRenew(r, dir)
	case "DELETE":
		err = s.lockRelease(r, dir, r.Form.Get("index"), r.Form.Get("value"))
	default:
		http.NotFound(w, r)
		return
	}
	s.lockAnswer(w, text, err)
}

// leaderModule serves the leader module: a lock whose value is the leader's name.
func (s *server) leaderModule(w http.ResponseWriter, r *http.Request, key string) {
	dir := lockPrefix + key
	if !keys.IsClean(dir) {
		http.NotFound(w, r)
		return
	}
	if err := r.ParseForm(); err != nil {
		s.lockAnswer(w, "", fail(keys.CodeInvalidForm, err.Error(), 0))
		return
	}
	name := r.Form.Get("name")
	var text string
	var err error
	switch {
	case r.Method == "GET" || r.Method == "HEAD":
		text, err = s.lockGet(r, dir, "value")
	case r.Method == "PUT" && name == "":
		err = fail(codeNameRequired, "Set", 0)
	case r.Method == "PUT":
		text, err = s.lockAcquire(r, dir, name)
	case r.Method == "DELETE" && name == "":
		err = fail(codeNameRequired, "Delete", 0)
	case r.Method == "DELETE":
		err = s.lockRelease(r, dir, "", name)
	default:
		http.NotFound(w, r)
		return
	}
	s.lockAnswer(w, text, err)
}

// lockAnswer sends what the modules answer: a text, or an error. What a request
// got wrong is JSON; what was looked up in vain is plain.
func (s *server) lockAnswer(w http.ResponseWriter, text string, err error) {
	var d *denied
	var f *failure
	switch {
	case err == nil:
		sendText(w, text)
	case errors.As(err, &d):
		sendDenied(w, d.resp)
	case errors.As(err, &f) && f.Index == 0 && f.Code != keys.CodeRaftInternal:
		sendJSON(w, f, textPlain)
	case errors.Is(err, errGone), errors.Is(err, errWaiters):
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	default:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// ticket is one key of a lock's queue.
type ticket struct {
	index     uint64
	key       string
	value     string
	etcdIndex uint64 // of the node's last change
}

// queue reads a lock's keys in the order in which they came, and the store's index
// at that moment.
func (s *server) queue(ctx context.Context, r *http.Request, dir string) ([]ticket, uint64, error) {
	a, err := s.do(ctx, r, read(dir, true))
	if err != nil {
		return nil, 0, err
	}
	var list []ticket
	// Names have a fixed width, so their order is that of their indexes.
	for _, n := range a.Event.Node.Nodes {
		index, err := strconv.ParseUint(n.Key[strings.LastIndexByte(n.Key, '/')+1:], 10, 64)
		if err == nil && !n.Dir {
			list = append(list, ticket{index: index, key: n.Key, value: n.Value, etcdIndex: n.Modified})
		}
	}
	return list, a.Meta.EtcdIndex, nil
}

func (s *server) lockGet(r *http.Request, dir, field string) (string, error) {
	list, _, err := s.queue(r.Context(), r, dir)
	if err != nil || len(list) == 0 {
		return "", err
	}
	switch field {
	case "index":
		return strconv.FormatUint(list[0].index, 10), nil
	case "", "value":
		return list[0].value, nil
	}
	return "", fail(keys.CodeInvalidField, "Get", 0)
}

func (s *server) lockRenew(r *http.Request, dir string) error {
	ttl, err := strconv.ParseUint(r.Form.Get("ttl"), 10, 64)
	if err != nil || ttl > maxTTL {
		return fail(keys.CodeTTLNaN, "Renew", 0)
	}
	index, value := r.Form.Get("index"), r.Form.Get("value")
	if index == "" && value == "" {
		return fail(codeIndexOrValueRequired, "Renew", 0)
	}
	t, err := s.find(r, dir, index, value, "Renew")
	if err != nil {
		return err
	}
	c := keys.Command{Kind: keys.Update, Path: t.key, Value: value, HasTTL: true, TTL: ttl}
	if value == "" || value == t.value {
		c.Value, c.Refresh = "", true
	}
	_, err = s.do(r.Context(), r, write(c))
	return err
}

func (s *server) lockRelease(r *http.Request, dir, index, value string) error {
	switch {
	case index == "" && value == "":
		return fail(codeIndexOrValueRequired, "Release", 0)
	case index != "" && value != "":
		return fail(codeIndexValueMutex, "Release", 0)
	}
	t, err := s.find(r, dir, index, value, "Release")
	if err != nil {
		return err
	}
	_, err = s.do(r.Context(), r, write(keys.Command{Kind: keys.Delete, Path: t.key}))
	return err
}

// find looks a ticket up, by its index if one is given, else by its value. One
// that is not there is error 100: of the keyspace for an index, of the command
// (what) for a value.
func (s *server) find(r *http.Request, dir, index, value, what string) (ticket, error) {
	list, at, err := s.queue(r.Context(), r, dir)
	if err != nil {
		return ticket{}, err
	}
	for _, t := range list {
		if (index == "" && t.value == value) || (index != "" && strings.TrimLeft(index, "0") == strconv.FormatUint(t.index, 10)) {
			return t, nil
		}
	}
	if index != "" {
		return ticket{}, fail(keys.CodeKeyNotFound, dir+"/"+index, at)
	}
	return ticket{}, fail(keys.CodeKeyNotFound, what, 0)
}

// seconds reads a time-out; absent is for ever, which is negative.
func seconds(text string) (time.Duration, bool) {
	if text == "" {
		return -1, true
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, false
	}
	if n < 0 || n > maxTTL {
		return -1, true
	}
	return time.Duration(n) * time.Second, true
}
