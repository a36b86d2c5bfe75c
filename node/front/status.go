package front

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"drydock/node"
	"drydock/node/api"
	"drydock/node/consensus"
)

// The versions of etcd whose API this is: clients choose by them how to speak.
const (
	dialectServer  = "3.4.23"
	dialectCluster = "3.4.0"
)

// HeaderVersion carries the product's own version in answers to /version.
const HeaderVersion = "X-Drydock-Version"

// healthTime is how long a member that is well may take to confirm it.
const healthTime = time.Second

// versions serves /version.
func (f *Front) versions(w *writer, _ *http.Request) {
	w.Header().Set(HeaderVersion, f.version)
	w.json(http.StatusOK, []byte(`{"etcdserver":"`+dialectServer+`","etcdcluster":"`+dialectCluster+`"}`))
}

// health serves /health: well is who can serve a linearizable read in time.
func (f *Front) health(w *writer, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), healthTime)
	defer cancel()
	if f.confirm(ctx) != nil {
		w.text(http.StatusServiceUnavailable, `{"health":"false"}`+"\n")
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(`{"health":"true"}`))
}

// confirm makes sure that this member's state is as new as now.
func (f *Front) confirm(ctx context.Context) error {
	call := api.Call{Kind: api.Read, Path: "/", Linearizable: true}
	a := f.host.Do(ctx, &call)
	if a.Status != consensus.Done {
		return &notDone{a.Reason}
	}
	return nil
}

// notDone is the error of what the cluster did not do.
type notDone struct{ reason string }

// Error implements error.
func (e *notDone) Error() string { return e.reason }

// machines serves /v2/machines.
func (f *Front) machines(w *writer, r *http.Request) {
	v, err := f.view()
	if err != nil {
		w.unavailable(err)
		return
	}
	var urls []string
	for _, m := range v.Members {
		urls = append(urls, m.ClientURLs...)
	}
	slices.Sort(urls)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusOK)
	if r.Method != "HEAD" {
		_, _ = w.Write([]byte(strings.Join(urls, ", ")))
	}
}

// view returns what the member tells of itself.
func (f *Front) view() (node.View, error) {
	var v node.View
	err := f.host.Look(func(n *node.Node) { v = n.View() })
	return v, err
}

// marshal is json.Marshal of what can't fail to be encoded.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("front: " + err.Error())
	}
	return b
}
