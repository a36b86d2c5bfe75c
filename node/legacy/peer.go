package legacy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"drydock/node"
	"drydock/node/consensus"
	"drydock/node/host"
	"drydock/node/keys"
	"drydock/node/state"
)

// configKey is where the keyspace holds the configuration of /v2/admin/config.
const configKey = "/_etcd/config"

// storeVersion is the version of the store that members of 2014 told each other.
const storeVersion = "2"

const maxConfigBytes = 64 << 10

// machine is a member as /v2/admin shows it.
type machine struct {
	Name      string `json:"name"`
	State     string `json:"state"`
	ClientURL string `json:"clientURL"`
	PeerURL   string `json:"peerURL"`
}

// clusterConfig is what could be configured of a running cluster, in machines and
// seconds.
type clusterConfig struct {
	ActiveSize   int     `json:"activeSize"`
	RemoveDelay  float64 `json:"removeDelay"`
	SyncInterval float64 `json:"syncInterval"`
}

// defaultConfig and leastConfig are the values of 0.4.
var (
	defaultConfig = clusterConfig{ActiveSize: 9, RemoveDelay: 1800, SyncInterval: 5}
	leastConfig   = clusterConfig{ActiveSize: 3, RemoveDelay: 2, SyncInterval: 1}
)

// Peer serves the peer port's part of the paths in PeerPaths. Who can reach that
// port may read; changes need the guard's leave, if there is one.
func Peer(h *host.Host, o Options) http.Handler {
	p := &peer{server: server{h: h}, admin: o.Guard}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v2/admin/machines", p.machines)
	mux.HandleFunc("GET /v2/admin/machines/{$}", p.machines)
	mux.HandleFunc("GET /v2/admin/machines/{name}", p.machine)
	mux.HandleFunc("DELETE /v2/admin/machines/{name}", p.guarded(p.remove))
	mux.HandleFunc("GET /v2/admin/config", p.config)
	mux.HandleFunc("PUT /v2/admin/config", p.guarded(p.setConfig))
	mux.HandleFunc("GET /name", p.text(func(v *node.View) string { return v.Name }))
	mux.HandleFunc("GET /etcdURL", p.text(func(v *node.View) string { return first(self(v).ClientURLs) }))
	mux.HandleFunc("GET /version", p.text(func(*node.View) string { return storeVersion }))
	mux.HandleFunc("GET /version/{version}/check", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("version") != storeVersion {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	return mux
}

type peer struct {
	server // without a guard: the peer port is the members' own
	admin  Guard
}

// guarded asks the guard before it serves.
func (p *peer) guarded(h http.HandlerFunc) http.HandlerFunc {
	if p.admin == nil {
		return h
	}
	return func(w http.ResponseWriter, r *http.Request) {
		if resp := p.admin.Admin(r); resp != nil {
			sendDenied(w, resp)
			return
		}
		h(w, r)
	}
}

// text serves what fn finds in the member's view of itself.
func (p *peer) text(fn func(*node.View) string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		v, err := view(p.h)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		sendText(w, fn(&v))
	}
}

func self(v *node.View) state.Member {
	i := slices.IndexFunc(v.Members, func(m state.Member) bool { return m.ID == v.ID })
	if i < 0 {
		return state.Member{}
	}
	return v.Members[i]
}

func first(urls []string) string {
	if len(urls) == 0 {
		return ""
	}
	return urls[0]
}

// list turns the members into machines, in order of their names.
func list(v *node.View) []machine {
	machines := make([]machine, 0, len(v.Members))
	for _, m := range v.Members {
		is := machine{Name: m.Name, State: "follower", ClientURL: first(m.ClientURLs), PeerURL: first(m.PeerURLs)}
		if m.ID == v.Role.Lead {
			is.State = "leader"
		}
		machines = append(machines, is)
	}
	slices.SortStableFunc(machines, func(a, b machine) int { return cmp.Compare(a.Name, b.Name) })
	return machines
}

func (p *peer) machines(w http.ResponseWriter, _ *http.Request) {
	v, err := view(p.h)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	encode(w, list(&v))
}

func (p *peer) machine(w http.ResponseWriter, r *http.Request) {
	v, err := view(p.h)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	var found *machine // null if it isn't there
	for _, m := range list(&v) {
		if m.Name == r.PathValue("name") {
			found = &m
		}
	}
	encode(w, found)
}

// remove takes a member out of the cluster.
func (p *peer) remove(w http.ResponseWriter, r *http.Request) {
	v, err := view(p.h)
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	name := r.PathValue("name")
	i := slices.IndexFunc(v.Members, func(m state.Member) bool { return m.Name == name })
	if i < 0 {
		http.Error(w, "no member is called "+name+"; GET /v2/admin/machines lists them", http.StatusNotFound)
		return
	}
	a := p.h.Change(r.Context(), []state.MemberChange{{Kind: state.Remove, Member: state.Member{ID: v.Members[i].ID}}})
	switch {
	case a.Status != consensus.Done:
		http.Error(w, a.Reason, http.StatusInternalServerError)
	case a.Refusal != nil:
		http.Error(w, a.Refusal.Error(), http.StatusConflict)
	}
}

// readConfig returns the configuration and the index of its key; 0 says that
// there is none yet.
func (p *peer) readConfig(ctx context.Context, r *http.Request, linearizable bool) (clusterConfig, uint64, error) {
	a, err := p.do(ctx, r, read(configKey, linearizable))
	if isCode(err, keys.CodeKeyNotFound) {
		return defaultConfig, 0, nil
	}
	if err != nil {
		return clusterConfig{}, 0, err
	}
	c := defaultConfig
	if err := json.Unmarshal([]byte(a.Event.Node.Value), &c); err != nil {
		// Somebody wrote something else there; a PUT mends it.
		c = defaultConfig
	}
	return c, a.Event.Node.Modified, nil
}

func (p *peer) config(w http.ResponseWriter, r *http.Request) {
	c, _, err := p.readConfig(r.Context(), r, false)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	encode(w, c)
}

// setConfig changes the fields that are given; what is below the least becomes it.
func (p *peer) setConfig(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxConfigBytes))
	if err != nil {
		return // the client is gone
	}
	for {
		c, index, err := p.readConfig(r.Context(), r, true)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if err := c.merge(body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := p.storeConfig(r, c, index); err != nil {
			if isCode(err, keys.CodeCompareFailed) || isCode(err, keys.CodeNodeExist) {
				continue // another change came between
			}
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		encode(w, c)
		return
	}
}

// merge takes over the fields of a JSON object.
func (c *clusterConfig) merge(body []byte) error {
	if err := json.Unmarshal(body, c); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			return errors.New(wrong.Field + ": want a number, not " + wrong.Value)
		}
		return errors.New(`want a JSON object such as {"activeSize":5}: ` + err.Error())
	}
	c.ActiveSize = max(c.ActiveSize, leastConfig.ActiveSize)
	c.RemoveDelay = max(c.RemoveDelay, leastConfig.RemoveDelay)
	c.SyncInterval = max(c.SyncInterval, leastConfig.SyncInterval)
	return nil
}

func (p *peer) storeConfig(r *http.Request, c clusterConfig, index uint64) error {
	var value strings.Builder
	if err := json.NewEncoder(&value).Encode(c); err != nil {
		return err
	}
	w := keys.Command{Kind: keys.Create, Path: configKey, Value: strings.TrimSpace(value.String())}
	if index != 0 {
		w.Kind, w.PrevIndex = keys.CompareAndSwap, index
	}
	_, err := p.do(r.Context(), r, write(w))
	return err
}

// encode sends v as JSON with a newline.
func encode(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", applicationJSON)
	// A client that is gone misses nothing by it.
	_ = json.NewEncoder(w).Encode(v)
}
