package front

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"drydock/node"
	"drydock/node/consensus"
)

// variables is the answer of /debug/vars, in etcd's order.
type variables struct {
	Command  []string         `json:"cmdline"`
	MaxFiles uint64           `json:"file_descriptor_limit"`
	Memory   runtime.MemStats `json:"memstats"`
	Raft     json.RawMessage  `json:"raft.status"`
}

// raftStatus is what /debug/vars tells of consensus.
type raftStatus struct {
	ID   string `json:"id"`
	Term uint64 `json:"term"`
	// Vote is known of a leader only, who voted for itself.
	Vote       string                  `json:"vote"`
	Commit     uint64                  `json:"commit"`
	Lead       string                  `json:"lead"`
	State      string                  `json:"raftState"`
	Applied    uint64                  `json:"applied"`
	Progress   map[string]raftProgress `json:"progress"`
	Transferee string                  `json:"leadtransferee"`
}

type raftProgress struct {
	Match uint64 `json:"match"`
	Next  uint64 `json:"next"`
	State string `json:"state"`
}

// vars serves /debug/vars.
func (f *Front) vars(w *writer, _ *http.Request) {
	var v node.View
	var others []consensus.Progress
	err := f.host.Look(func(n *node.Node) { v, others = n.View(), n.Progress() })
	if err != nil {
		w.unavailable(err)
		return
	}
	out := variables{Command: []string{filepath.Base(os.Args[0])}, MaxFiles: maxFiles()}
	runtime.ReadMemStats(&out.Memory)
	out.Raft = marshal(status(&v, others))
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(line(&out))
}

func status(v *node.View, others []consensus.Progress) *raftStatus {
	s := &raftStatus{
		ID: hexID(v.ID), Term: v.Role.Term, Vote: "0", Commit: v.Committed, Lead: hexID(v.Role.Lead),
		State: raftState(v.Role), Applied: v.Applied, Progress: map[string]raftProgress{}, Transferee: "0",
	}
	if !v.Role.Leader {
		return s
	}
	s.Vote = s.ID
	s.Progress[s.ID] = raftProgress{Match: v.Committed, Next: v.Committed + 1, State: "StateReplicate"}
	for _, p := range others {
		x := raftProgress{Match: p.Match, Next: p.Match + 1, State: "StateReplicate"}
		switch {
		case p.Snapshot:
			x.State = "StateSnapshot"
		case !p.Active:
			x.State = "StateProbe"
		}
		s.Progress[hexID(p.ID)] = x
	}
	return s
}

// profile serves /debug/pprof/.
func (f *Front) profile(w *writer, r *http.Request) {
	switch strings.TrimPrefix(r.URL.Path, "/debug/pprof/") {
	case "cmdline":
		w.text(http.StatusOK, filepath.Base(os.Args[0]))
	case "profile":
		pprof.Profile(w, r)
	case "symbol":
		pprof.Symbol(w, r)
	case "trace":
		pprof.Trace(w, r)
	default:
		pprof.Index(w, r)
	}
}
