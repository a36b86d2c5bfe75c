package keeper

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"drydock/vmlab/lab"
)

// socketName is the keeper's socket in the lab's directory.
const socketName = "keeper.sock"

// socketPath is a path of a directory's socket that is short however long the
// directory's is, and the file that it is good as long as. (unix(7): 108 bytes)
func socketPath(dir string) (string, *os.File, error) {
	whole := filepath.Join(dir, socketName)
	if len(whole) < 100 {
		return whole, nil, nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return filepath.Join("/proc/self/fd", strconv.Itoa(int(f.Fd())), socketName), f, nil
}

func listen(dir string) (net.Listener, error) {
	path, f, err := socketPath(dir)
	if err != nil {
		return nil, err
	}
	if f != nil {
		defer func() { _ = f.Close() }()
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(filepath.Join(dir, socketName), 0o600)
}

// answer is the last line of a stream of events, and the whole of other answers'
// refusals.
type answer struct {
	Done  bool   `json:"done"`
	Error string `json:"error,omitempty"`
}

// call is what a command asks for.
type call struct {
	Machines []string `json:"machines,omitempty"`
	Now      bool     `json:"now,omitempty"`
	Faults   []int    `json:"faults,omitempty"`
	Wanted   *Wanted  `json:"wanted,omitempty"`
	// Snapshot is what to go back to.
	Snapshot string `json:"snapshot,omitempty"`
}

func (k *Keeper) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /alive", func(w http.ResponseWriter, _ *http.Request) { reply(w, answer{Done: true}, nil) })
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		reply(w, k.Status(r.Context()), nil)
	})
	mux.HandleFunc("GET /access/{machine}", func(w http.ResponseWriter, r *http.Request) {
		a, err := k.ground.Access(r.PathValue("machine"))
		reply(w, a, err)
	})
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) { reply(w, k.Faults(), nil) })
	mux.HandleFunc("POST /fault", func(w http.ResponseWriter, r *http.Request) {
		var o Order
		err := json.NewDecoder(r.Body).Decode(&o)
		var f *Fault
		if err == nil {
			f, err = k.Strike(r.Context(), o)
		}
		reply(w, f, err)
	})
	mux.HandleFunc("POST /heal", func(w http.ResponseWriter, r *http.Request) {
		var c call
		err := json.NewDecoder(r.Body).Decode(&c)
		var said []string
		if err == nil {
			said, err = k.Heal(c.Faults)
		}
		reply(w, said, err)
	})
	mux.HandleFunc("POST /up", k.streamed(func(r *http.Request, c call, tell func(Event)) error {
		return k.Up(r.Context(), c.Machines, tell)
	}))
	mux.HandleFunc("POST /restart", k.streamed(func(r *http.Request, c call, tell func(Event)) error {
		return k.Restart(r.Context(), c.Machines, c.Now, tell)
	}))
	mux.HandleFunc("POST /halt", k.streamed(func(r *http.Request, c call, tell func(Event)) error {
		return k.Halt(r.Context(), c.Machines, c.Now, tell)
	}))
	mux.HandleFunc("POST /plan", func(w http.ResponseWriter, r *http.Request) {
		var want Wanted
		err := json.NewDecoder(r.Body).Decode(&want)
		var p *lab.Plan
		if err == nil {
			p, err = k.Plan(want)
		}
		reply(w, p, err)
	})
	mux.HandleFunc("POST /apply", k.streamed(func(r *http.Request, c call, tell func(Event)) error {
		if c.Wanted == nil {
			return errors.New("a call without what is wanted")
		}
		return k.Apply(r.Context(), *c.Wanted, tell)
	}))
	k.snapshotCalls(mux)
	mux.HandleFunc("POST /down", k.streamed(func(r *http.Request, c call, tell func(Event)) error {
		return k.Down(r.Context(), c.Now, tell)
	}))
	return mux
}

// reply answers with a value, or with an error.
func reply(w http.ResponseWriter, v any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		v = answer{Error: err.Error()}
	}
	_ = json.NewEncoder(w).Encode(v) // who asked may have gone
}

// streamed answers with a line for each event, and a last one that says how it
// ended.
func (k *Keeper) streamed(do func(*http.Request, call, func(Event)) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var c call
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			reply(w, nil, err)
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		out, flush := json.NewEncoder(w), http.NewResponseController(w)
		err := do(r, c, func(e Event) {
			_ = out.Encode(e) // who asked may have gone
			_ = flush.Flush()
		})
		last := answer{Done: true}
		if err != nil {
			last.Error = err.Error()
		}
		_ = out.Encode(last)
	}
}
