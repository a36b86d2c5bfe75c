package docker

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeEngine speaks as much of the Docker engine's API as it takes, in the forms
// of an engine 28 (API 1.41 to 1.50).
type fakeEngine struct {
	socket string

	mu         sync.Mutex
	containers map[string]*fakeContainer
	last       int
	broken     bool // every answer is an error
	stuck      int  // so many removals do nothing
}

type fakeContainer struct {
	id, name, image string
	cmd             []string
	labels          map[string]string
	created         time.Time
	running         bool
	unused          bool
}

func newFakeEngine(t *testing.T) *fakeEngine {
	t.Helper()
	f := &fakeEngine{socket: filepath.Join(t.TempDir(), "d.sock"), containers: make(map[string]*fakeContainer)}
	listener, err := net.Listen("unix", f.socket)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1.41/containers/json", f.serveList)
	mux.HandleFunc("GET /v1.41/containers/{id}/json", f.serveInspect)
	mux.HandleFunc("DELETE /v1.41/containers/{id}", f.serveRemove)
	mux.HandleFunc("POST /v1.41/containers/create", f.serveCreate)
	mux.HandleFunc("POST /v1.41/containers/{id}/stop", f.serveStop)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.broken {
			problem(w, http.StatusInternalServerError, "the daemon is shutting down")
			return
		}
		mux.ServeHTTP(w, r)
	}))
	_ = server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return f
}

func problem(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "{\"message\":%q}\n", text)
}

func (f *fakeEngine) find(w http.ResponseWriter, r *http.Request) *fakeContainer {
	c := f.containers[r.PathValue("id")]
	if c == nil {
		problem(w, http.StatusNotFound, "No such container: "+r.PathValue("id"))
	}
	return c
}

func (f *fakeEngine) serveList(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("all") != "1" {
		problem(w, http.StatusBadRequest, "the test wants all")
		return
	}
	list := []any{}
	for _, c := range f.sorted() {
		state, status := "exited", "Exited (0) 5 minutes ago"
		switch {
		case c.running:
			state, status = "running", "Up 5 minutes"
		case c.unused:
			state, status = "created", "Created"
		}
		list = append(list, map[string]any{
			"Id": c.id, "Names": []string{"/" + c.name, "/other/alias"}, "Image": c.image, "ImageID": "sha256:65ad0d468eb1",
			"Command": strings.Join(c.cmd, " "), "Created": c.created.Unix(), "Ports": []any{}, "Labels": c.labels,
			"State": state, "Status": status, "HostConfig": map[string]string{"NetworkMode": "bridge"}, "Mounts": []any{},
		})
	}
	_ = json.NewEncoder(w).Encode(list)
}

func (f *fakeEngine) sorted() []*fakeContainer {
	var list []*fakeContainer
	for _, c := range f.containers {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *fakeContainer) int { return cmp.Compare(b.id, a.id) })
	return list
}

func (f *fakeEngine) serveInspect(w http.ResponseWriter, r *http.Request) {
	if c := f.find(w, r); c != nil {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"Id": c.id, "Created": c.created.UTC().Format(time.RFC3339Nano), "Path": "sh", "Args": []string{}, "Name": "/" + c.name,
			"State":  map[string]any{"Status": "running", "Running": c.running, "Pid": 1234},
			"Config": map[string]any{"Hostname": c.id, "Image": c.image, "Cmd": c.cmd, "Entrypoint": nil, "Labels": c.labels},
		})
	}
}

func (f *fakeEngine) serveRemove(w http.ResponseWriter, r *http.Request) {
	c := f.find(w, r)
	switch {
	case c == nil:
	case c.running && r.URL.Query().Get("force") != "1":
		problem(w, http.StatusConflict, "cannot remove container: container is running")
	case f.stuck > 0:
		f.stuck--
		problem(w, http.StatusConflict, "removal of container "+c.id+" is already in progress")
	default:
		delete(f.containers, c.id)
		w.WriteHeader(http.StatusNoContent)
	}
}

func (f *fakeEngine) serveCreate(w http.ResponseWriter, r *http.Request) {
	var config struct {
		Image  string
		Cmd    []string
		Labels map[string]string
	}
	if err := json.NewDecoder(r.Body).Decode(&config); err != nil {
		problem(w, http.StatusBadRequest, err.Error())
		return
	}
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"Id": f.make(r.URL.Query().Get("name"), config.Image, config.Cmd, config.Labels).id, "Warnings": []string{},
	})
}

func (f *fakeEngine) serveStop(w http.ResponseWriter, r *http.Request) {
	if c := f.find(w, r); c != nil {
		c.running = false
		w.WriteHeader(http.StatusNoContent)
	}
}

// make makes a container that runs; f.mu is held.
func (f *fakeEngine) make(name, image string, cmd []string, labels map[string]string) *fakeContainer {
	f.last++
	c := &fakeContainer{
		id: fmt.Sprintf("%064x", f.last), name: name, image: image, cmd: cmd, labels: labels, created: time.Now(), running: true,
	}
	if name == "" {
		c.name = fmt.Sprintf("brave_hopper%d", f.last)
	}
	f.containers[c.id] = c
	return c
}

// by makes a container by somebody's hand.
func (f *fakeEngine) by(name, image string, cmd ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.make(name, image, cmd, nil)
}

// names are those of containers that run, and of all, sorted.
func (f *fakeEngine) names() (running, all []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.containers {
		all = append(all, c.name)
		if c.running {
			running = append(running, c.name)
		}
	}
	slices.Sort(running)
	slices.Sort(all)
	return running, all
}

func (f *fakeEngine) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}
