package kv

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"drydock/bench/load"
)

// Workload is a kind of work, by name.
type Workload struct {
	// Name is what flags and reports call it, About what it does.
	Name, About string
	// leastConns is how many connections it takes.
	leastConns int
	// steady says that every connection always has a request to send, as the open
	// loop needs.
	steady bool
	make   func(job) load.Work
}

// Workloads are all there are.
func Workloads() []Workload {
	return []Workload{
		{"put", "write a key of many", 1, true, func(j job) load.Work { return &puts{random: newRandom(j)} }},
		{"get", "read a key of many, as the asked member has it", 1, true, func(j job) load.Work { return &gets{random: newRandom(j)} }},
		{
			"linear-get", "read a key of many, linearizably (quorum=true)", 1, true,
			func(j job) load.Work { return &gets{random: newRandom(j), query: "?quorum=true"} },
		},
		{
			"cas", "write a key of the connection's own if its index is as last seen", 1, true,
			func(j job) load.Work { return &swaps{job: j, index: make([]int64, j.conns)} },
		},
		{"append", "create the next key of a directory, in order", 1, true, func(j job) load.Work { return &appends{job: j} }},
		{
			"watch", "write a key when all watchers, by long polls, have seen the write before", 2, false,
			func(j job) load.Work { return newFan(j) },
		},
		{
			"mixed", "nine local reads to a write, of keys of many", 1, true,
			func(j job) load.Work {
				return &mixed{puts: puts{random: newRandom(j)}, gets: gets{random: newRandom(j)}, wrote: make([]bool, j.conns)}
			},
		},
	}
}

// job is what a workload is made for.
type job struct {
	host        string // of the server that is asked
	conns, keys int
	value       []byte
	seed        uint64
	// dir is where the work may create keys, begun the index of etcd at its start.
	dir   string
	begun int64
}

// keyDir is where the keys are that are read and written at random.
const keyDir = "/v2/keys/bench/"

// errAnswer says that an answer isn't what its request should have.
var errAnswer = errors.New("kv: unexpected answer")

// expect holds an answer to its action, and to a size that a node with the whole
// value has.
func expect(a *load.Answer, action string, size int) error {
	if a.Status != 200 && a.Status != 201 || len(a.Body) < size || !bytes.HasPrefix(a.Body, []byte(action)) {
		return fmt.Errorf("%w: status %d, %d bytes: %.120s; want it to begin with %s", errAnswer, a.Status, len(a.Body), a.Body, action)
	}
	return nil
}

func appendGet(b []byte, host, path string) []byte {
	b = append(append(b, "GET "...), path...)
	return append(append(append(b, " HTTP/1.1\r\nHost: "...), host...), "\r\n\r\n"...)
}

// appendForm appends a request whose body is a form with one value, which needs no
// escapes.
func appendForm(b []byte, method, host string, path, value []byte) []byte {
	b = append(append(append(b, method...), ' '), path...)
	b = append(append(b, " HTTP/1.1\r\nHost: "...), host...)
	b = append(b, "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len("value=")+len(value)), 10)
	return append(append(b, "\r\n\r\nvalue="...), value...)
}

// appendKey appends the path of a numbered key.
func appendKey(b []byte, n int) []byte {
	return strconv.AppendInt(append(append(b, keyDir...), 'k'), int64(n), 10)
}

// newValue returns a value of a size, in letters.
func newValue(size int) []byte {
	v := make([]byte, size)
	for i := range v {
		v[i] = 'a' + byte(i%26)
	}
	return v
}

// random draws keys, for each connection from a stream of its own.
type random struct {
	job
	rngs []*rand.Rand
	path [][]byte // a buffer for each connection
}

func newRandom(j job) random {
	r := random{job: j, path: make([][]byte, j.conns)}
	for i := range j.conns {
		r.rngs = append(r.rngs, rand.New(rand.NewPCG(j.seed, uint64(i))))
	}
	return r
}

func (r *random) draw(conn int) []byte {
	r.path[conn] = appendKey(r.path[conn][:0], r.rngs[conn].IntN(r.keys))
	return r.path[conn]
}

// puts writes.
type puts struct{ random }

// Append implements load.Work.
func (w *puts) Append(b []byte, conn int, _ time.Duration) []byte {
	return appendForm(b, "PUT", w.host, w.draw(conn), w.value)
}

// Judge implements load.Work.
func (w *puts) Judge(_ int, a *load.Answer) (load.Verdict, error) {
	return load.Verdict{}, expect(a, `{"action":"set"`, len(w.value))
}

// gets reads.
type gets struct {
	random
	query string
}

// Append implements load.Work.
func (w *gets) Append(b []byte, conn int, _ time.Duration) []byte {
	b = append(append(append(b, "GET "...), w.draw(conn)...), w.query...)
	return append(append(append(b, " HTTP/1.1\r\nHost: "...), w.host...), "\r\n\r\n"...)
}

// Judge implements load.Work.
func (w *gets) Judge(_ int, a *load.Answer) (load.Verdict, error) {
	return load.Verdict{}, expect(a, `{"action":"get"`, len(w.value))
}

// mixed reads mostly.
type mixed struct {
	puts  puts
	gets  gets
	wrote []bool // by connection: the open request is a write
}

// writeEvery makes one of so many requests of the mixed workload a write.
const writeEvery = 10

// Append implements load.Work.
func (w *mixed) Append(b []byte, conn int, now time.Duration) []byte {
	w.wrote[conn] = w.puts.rngs[conn].IntN(writeEvery) == 0
	if w.wrote[conn] {
		return w.puts.Append(b, conn, now)
	}
	return w.gets.Append(b, conn, now)
}

// Judge implements load.Work.
func (w *mixed) Judge(conn int, a *load.Answer) (load.Verdict, error) {
	if w.wrote[conn] {
		return w.puts.Judge(conn, a)
	}
	return w.gets.Judge(conn, a)
}

// swaps compares and swaps, by index as clients do who read before.
type swaps struct {
	job
	index []int64 // by connection: its key's, 0 before the first write
}

// Append implements load.Work.
func (w *swaps) Append(b []byte, conn int, _ time.Duration) []byte {
	var room [128]byte
	path := strconv.AppendInt(append(append(room[:0], w.dir...), "/c"...), int64(conn), 10)
	if w.index[conn] > 0 {
		path = strconv.AppendInt(append(path, "?prevIndex="...), w.index[conn], 10)
	}
	return appendForm(b, "PUT", w.host, path, w.value)
}

// Judge implements load.Work.
func (w *swaps) Judge(conn int, a *load.Answer) (load.Verdict, error) {
	first := w.index[conn] == 0
	action := `{"action":"compareAndSwap"`
	if first {
		action = `{"action":"set"`
	}
	err := expect(a, action, len(w.value))
	if err == nil {
		w.index[conn], err = modified(a.Body)
	}
	return load.Verdict{Silent: first}, err
}

// modified finds the modifiedIndex of the answer's node, which comes before that
// of the node that was.
func modified(body []byte) (int64, error) {
	const name = `"modifiedIndex":`
	at := bytes.Index(body, []byte(name))
	if at < 0 {
		return 0, fmt.Errorf("%w: no modifiedIndex in %.200s", errAnswer, body)
	}
	var n int64
	for _, c := range body[at+len(name):] {
		if c < '0' || c > '9' || n > 1<<58 {
			break
		}
		n = n*10 + int64(c-'0')
	}
	if n == 0 {
		return 0, fmt.Errorf("%w: no modifiedIndex in %.200s", errAnswer, body)
	}
	return n, nil
}

// appends creates keys in order.
type appends struct{ job }

// Append implements load.Work.
func (w *appends) Append(b []byte, _ int, _ time.Duration) []byte {
	var room [128]byte
	return appendForm(b, "POST", w.host, append(append(room[:0], w.dir...), "/queue"...), w.value)
}

// Judge implements load.Work.
func (w *appends) Judge(_ int, a *load.Answer) (load.Verdict, error) {
	return load.Verdict{}, expect(a, `{"action":"create"`, len(w.value))
}

// fan is one writer, connection 0, and watchers. An operation is an event that a
// watcher got; its latency counts from when the write was sent, which the value
// says.
type fan struct {
	job
	index []int64 // by connection: the next that it waits for
	heard int     // watchers that have the last write
	// stamped is the value, with the time of its write at the front.
	stamped []byte
}

// stampDigits is the length of the time at the front of a value.
const stampDigits = 19

func newFan(j job) *fan {
	f := &fan{job: j, index: make([]int64, j.conns), heard: j.conns - 1, stamped: bytes.Clone(j.value)}
	if len(f.stamped) < stampDigits {
		f.stamped = newValue(stampDigits)
	}
	for i := range f.index {
		f.index[i] = j.begun + 1
	}
	return f
}

// Append implements load.Work.
func (w *fan) Append(b []byte, conn int, now time.Duration) []byte {
	var room [128]byte
	path := append(append(room[:0], w.dir...), "/watched"...)
	if conn > 0 {
		path = strconv.AppendInt(append(path, "?wait=true&waitIndex="...), w.index[conn], 10)
		b = append(append(append(b, "GET "...), path...), " HTTP/1.1\r\nHost: "...)
		return append(append(b, w.host...), "\r\n\r\n"...)
	}
	if w.heard < w.conns-1 {
		return b
	}
	w.heard = 0
	at := int64(now)
	for i := stampDigits - 1; i >= 0; i-- {
		w.stamped[i] = '0' + byte(at%10)
		at /= 10
	}
	return appendForm(b, "PUT", w.host, path, w.stamped)
}

// Judge implements load.Work.
func (w *fan) Judge(conn int, a *load.Answer) (load.Verdict, error) {
	if err := expect(a, `{"action":"set"`, len(w.stamped)); err != nil || conn == 0 {
		return load.Verdict{Silent: true}, err
	}
	seen, err := modified(a.Body)
	if err != nil {
		return load.Verdict{}, err
	}
	sent, err := stamp(a.Body)
	if err != nil {
		return load.Verdict{}, err
	}
	w.index[conn] = seen + 1
	w.heard++
	return load.Verdict{Since: sent, Wake: w.heard == w.conns-1}, nil
}

// stamp reads the time at the front of the answer's value.
func stamp(body []byte) (time.Duration, error) {
	const name = `"value":"`
	at := bytes.Index(body, []byte(name))
	if at < 0 || len(body) < at+len(name)+stampDigits {
		return 0, fmt.Errorf("%w: no time in %.200s", errAnswer, body)
	}
	n, err := strconv.ParseInt(string(body[at+len(name):][:stampDigits]), 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%w: no time in %.200s", errAnswer, body)
	}
	return max(1, time.Duration(n)), nil
}
