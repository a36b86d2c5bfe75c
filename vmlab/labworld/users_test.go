package labworld

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"drydock/chaos"
	"drydock/node/fleetapi"
	"drydock/node/unit"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/sim/history"
	"drydock/vmlab/lab"
	"drydock/vmlab/netns"
)

// town is a lab whose members are all one server.
type town struct {
	lab.Ground
	to string
}

func (g town) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp", g.to)
}

const asked = `
scenario: asked
runs_on: [lab]
cluster: {members: 2, workers: 2, machines: [{metadata: [disk=ssd, zone=a]}]}
load:
  units:
    - {name: web, count: 2, work: up=50ms}
    - {name: tpl, replicas: 2, desired: later}
duration: 20s
`

// newTown makes users whose requests a handler answers.
func newTown(t *testing.T, answer http.HandlerFunc) *fleetSide {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	s, err := scenario.Parse("asked.yaml", []byte(asked))
	if err != nil {
		t.Fatal(err)
	}
	spec := runner.Spec{Scenario: s, Seed: 5}
	site, err := siteOf(New("lab", []lab.Driver{netns.New()}, "").(world), s, 5, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &run{spec: spec, s: s, site: site, res: new(runner.Result), ground: town{to: server.Listener.Addr().String()}}
	ctx, cancel := context.WithCancel(t.Context())
	r.newSeats()
	r.stage = newStage(ctx, time.Now(), 5, func(string, string) {})
	f := &fleetSide{r: r, by: make(map[string]*place)}
	f.record.Machines, f.record.Units = s.FleetMachines(), s.FleetUnits()
	for i := range f.record.Machines {
		p := &place{name: f.record.Machines[i].Name, id: "id-" + f.record.Machines[i].Name}
		f.places, f.by[p.name] = append(f.places, p), p
	}
	f.users = newUsers(f)
	f.users.ctx = ctx
	t.Cleanup(func() {
		cancel()
		f.users.end()
	})
	return f
}

// settled waits until all wishes but so many are granted.
func settled(t *testing.T, f *fleetSide, but int) []history.FleetWish {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); <-tick.C {
		f.mu.Lock()
		list := slices.Clone(f.wishes)
		f.mu.Unlock()
		open := 0
		for _, w := range list {
			if w.Done == 0 {
				open++
			}
		}
		if open == but {
			return list
		}
	}
	t.Fatal("wishes are not granted")
	return nil
}

// TestUsersAskUntilTheyAreAnswered: what a member can't do now is asked again, in
// order; what it refuses is not; what nobody answers stays open.
func TestUsersAskUntilTheyAreAnswered(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	fails := 2
	f := newTown(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		var u fleetapi.Unit
		if len(body) > 0 && r.Method == http.MethodPut {
			if err := json.Unmarshal(body, &u); err != nil {
				t.Error(err)
			}
		}
		line := strings.TrimSpace(r.Method + " " + r.URL.Path + " " + u.DesiredState)
		status := http.StatusCreated
		switch {
		case strings.Contains(r.URL.Path, "web@2"):
			status = http.StatusServiceUnavailable
		case r.Method == http.MethodPost:
			status = http.StatusConflict
		case fails > 0:
			fails--
			status = http.StatusInternalServerError
		}
		if status < 500 {
			lines = append(lines, line)
		}
		w.WriteHeader(status)
	})
	for _, step := range []struct {
		do, unit string
		want     int
	}{
		{chaos.DoStop, "web@1.service", 0}, // there is none yet
		{chaos.DoStart, "web@1.service", 1},
		{chaos.DoRestart, "web@1.service", 1},
		{chaos.DoReplace, "web@1.service", 1},
		{chaos.DoDestroy, "web@1.service", 1},
		{chaos.DoRestart, "web@1.service", 0},
		{chaos.DoStart, "web@2.service", 1},
		{chaos.DoSubmit, "tpl@.service", 1},
	} {
		if got := f.users.act(&chaos.Units{Do: step.do, Name: []string{step.unit}}); got != step.want {
			t.Errorf("%s %s concerns %d units, want %d", step.do, step.unit, got, step.want)
		}
	}
	list := settled(t, f, 1)
	mu.Lock()
	defer mu.Unlock()
	var web []string
	for _, line := range lines {
		if strings.Contains(line, "web@1") {
			web = append(web, line)
		}
	}
	const path = "/fleet/v1/units/web@1.service"
	if diff := cmp.Diff([]string{"PUT " + path + " launched", "POST " + path + "/restart", "PUT " + path + " launched", "DELETE " + path}, web); diff != "" {
		t.Errorf("asked (-want +got)\n%s", diff)
	}
	for _, w := range list {
		if open := w.Done == 0; open != (w.Unit == "web@2.service") || w.Asked == 0 || !open && w.Done < w.Asked {
			t.Errorf("%+v", w)
		}
	}
	if one, two := list[0].Hash, list[2].Hash; one == "" || two == "" || one == two {
		t.Errorf("editions %q and %q", one, two)
	}
}

// TestUsersAndMachines: draining and metadata, and what undoes them.
func TestUsersAndMachines(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	f := newTown(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body)))
		w.WriteHeader(http.StatusNoContent)
	})
	for _, params := range []chaos.Params{&chaos.Drain{}, &chaos.Metadata{Set: []string{"disk=hdd", "zone=", "rack=7"}}} {
		undo, _, err := f.inject(chaos.Fault{Kind: params.Kind(), Params: params, Nodes: []string{"w2"}})
		if err != nil {
			t.Fatal(err)
		}
		undo()
	}
	list := settled(t, f, 0)
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff([]string{
		"PUT /fleet/v1/machines/id-w2/drain", "DELETE /fleet/v1/machines/id-w2/drain",
		`PATCH /fleet/v1/machines [{"op":"add","path":"/id-w2/metadata/disk","value":{"value":"hdd"}},{"op":"remove","path":"/id-w2/metadata/zone"},{"op":"add","path":"/id-w2/metadata/rack","value":{"value":"7"}}]`,
		`PATCH /fleet/v1/machines [{"op":"add","path":"/id-w2/metadata/disk","value":{"value":"ssd"}},{"op":"add","path":"/id-w2/metadata/zone","value":{"value":"a"}},{"op":"remove","path":"/id-w2/metadata/rack"}]`,
	}, lines); diff != "" {
		t.Errorf("asked (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"disk=hdd", "rack=7"}, list[2].Metadata); diff != "" {
		t.Errorf("metadata (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"disk=ssd", "zone=a"}, list[3].Metadata); diff != "" || !list[3].End {
		t.Errorf("metadata afterwards (-want +got)\n%s", diff)
	}
	for _, nodes := range [][]string{nil, {"n1"}} {
		if _, _, err := f.inject(chaos.Fault{Kind: chaos.KindDrain, Params: &chaos.Drain{}, Nodes: nodes}); err == nil {
			t.Errorf("%v is no machine that runs units, and can be drained", nodes)
		}
	}
}

// TestEditionsOfUnits: a unit's text names the program that labs have, and a hash
// belongs to a name and an edition, of a template's instances, too.
func TestEditionsOfUnits(t *testing.T) {
	f := newTown(t, func(http.ResponseWriter, *http.Request) {})
	x := f.users.by["web@1.service"]
	if text := x.text(3); !strings.Contains(text, "ExecStart=/srv/drydock/drydock-work unit=%n edition=3 up=50ms\n") {
		t.Errorf("its text is\n%s", text)
	}
	template, err := unit.Parse("tpl@.service", []byte(f.users.by["tpl@.service"].text(1)))
	if err != nil {
		t.Fatal(err)
	}
	instance, err := template.Instantiate("2")
	if err != nil {
		t.Fatal(err)
	}
	if got := f.users.hashOf("tpl@2.service", 1); got != instance.Hash().String() {
		t.Errorf("an instance's hash is %s", got)
	}
	for _, name := range []string{"web@3.service", "", "no name"} {
		if got := f.users.hashOf(name, 1); got != "" {
			t.Errorf("%q, which nobody has submitted, has the hash %s", name, got)
		}
	}
}
