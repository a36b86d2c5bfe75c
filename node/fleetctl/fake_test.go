package fleetctl

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"drydock/node/fleetclient"
	"drydock/node/scheduler"
	"drydock/node/unit"
)

// Times of the fake cluster.
const (
	placing  = 50 * time.Millisecond
	starting = 400 * time.Millisecond
)

// fake is a cluster with fleet's API, in memory: what the scheduler decides is so after
// a while, and what is placed runs after another, unless its behaviour is
// otherwise. It carries requests itself.
type fake struct {
	mu       sync.Mutex
	extended bool
	revision uint64
	changed  chan struct{}
	machines map[string]*fleetclient.Machine
	units    map[string]*fleetclient.Unit
	states   map[string]map[string]fleetclient.State
	solver   *scheduler.Scheduler
	// behaviour of units: fails, slow, once, stuck, unfit.
	behaviour map[string]string
	journals  map[string][]fleetclient.Line
	// guarded has those without a user refused, down all refused, unreachable unanswered.
	guarded, down, unreachable bool
	// pageSize is of lists.
	pageSize int
	requests []string
	// placing is set while the scheduler is about to decide.
	placing bool
}

func newFake(extended bool) *fake {
	return &fake{
		extended: extended, changed: make(chan struct{}), machines: map[string]*fleetclient.Machine{},
		units: map[string]*fleetclient.Unit{}, states: map[string]map[string]fleetclient.State{}, solver: scheduler.New(),
		behaviour: map[string]string{}, journals: map[string][]fleetclient.Line{}, pageSize: 2, revision: 1,
	}
}

func (f *fake) bump() {
	f.revision++
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fake) addMachine(id, ip string, metadata map[string]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.machines[id] = &fleetclient.Machine{ID: id, PrimaryIP: ip, Metadata: metadata}
	f.solver.SetMachine(scheduler.Machine{ID: id, Metadata: metadata})
	f.bump()
	f.placeSoon()
}

// placeSoon has the scheduler decide in a while, once for all that comes until then.
func (f *fake) placeSoon() {
	if !f.placing {
		f.placing = true
		time.AfterFunc(placing, f.place)
	}
}

// place has the scheduler decide.
func (f *fake) place() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.placing = false
	f.solver.Solve(0)
	where := make(map[*fleetclient.Unit][]string)
	for _, name := range slices.Sorted(maps.Keys(f.units)) {
		u := f.units[name]
		on := f.solver.Everywhere(name)
		if !isGlobal(u) {
			on = nil
			if id := f.solver.Where(name); id != "" && u.DesiredState != fleetclient.Inactive {
				on = []string{id}
			}
		}
		if u.DesiredState == fleetclient.Inactive {
			on = nil
		}
		f.moveTo(u, on)
		where[u] = on
	}
	f.bump()
	time.AfterFunc(starting, func() { f.tell(where) })
}

// moveTo has a unit on these machines and no others.
func (f *fake) moveTo(u *fleetclient.Unit, on []string) {
	is := f.states[u.Name]
	for _, id := range slices.Sorted(maps.Keys(is)) {
		if !slices.Contains(on, id) {
			delete(is, id)
		}
	}
	u.MachineID = ""
	if !isGlobal(u) && len(on) > 0 {
		u.MachineID = on[0]
	}
	f.settle(u)
}

// tell has the machines say how their units do.
func (f *fake) tell(on map[*fleetclient.Unit][]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(f.units)) {
		u := f.units[name]
		for _, id := range on[u] {
			f.report(u, id)
		}
		f.settle(u)
	}
	f.bump()
}

// report has a machine say how a unit does.
func (f *fake) report(u *fleetclient.Unit, id string) {
	file, err := u.File()
	if err != nil || f.machines[id] == nil {
		return
	}
	st := fleetclient.State{
		Name: u.Name, MachineID: id, Hash: file.Hash().String(), LoadState: "loaded", ActiveState: "inactive", SubState: "dead",
	}
	if u.DesiredState == fleetclient.Launched {
		switch f.behaviour[u.Name] {
		case "":
			st.ActiveState, st.SubState = "active", "running"
		case "fails":
			st.ActiveState, st.SubState, st.Result = "failed", "failed", "exit-code"
		case "slow":
			st.ActiveState, st.SubState = "activating", "start-pre"
		case "once":
			st.Result = "success"
		case "stuck":
			return
		case "unfit":
			st.LoadState, st.Result, st.Why = "error", "resources", "line 1: no\nline 2: no"
		}
	}
	if f.states[u.Name] == nil {
		f.states[u.Name] = map[string]fleetclient.State{}
	}
	f.states[u.Name][id] = st
}

// settle sets what the cluster takes a unit to be.
func (f *fake) settle(u *fleetclient.Unit) {
	if isGlobal(u) {
		u.CurrentState = ""
		return
	}
	st, reported := f.states[u.Name][u.MachineID]
	switch {
	case u.MachineID == "" || !reported:
		u.CurrentState = fleetclient.Inactive
	case u.DesiredState == fleetclient.Launched && (st.ActiveState != "inactive" || st.Result == "success"):
		u.CurrentState = fleetclient.Launched
	case u.DesiredState == fleetclient.Loaded && st.ActiveState != "inactive":
		u.CurrentState = fleetclient.Launched
	default:
		u.CurrentState = fleetclient.Loaded
	}
}

// RoundTrip serves a request.
func (f *fake) RoundTrip(req *http.Request) (*http.Response, error) {
	f.mu.Lock()
	f.requests = append(f.requests, req.Method+" "+req.URL.RequestURI())
	unreachable := f.unreachable
	f.mu.Unlock()
	if unreachable {
		return nil, fmt.Errorf("dial tcp %s: connect: connection refused", req.URL.Host)
	}
	if strings.HasSuffix(req.URL.Path, "/journal") && f.extended {
		return f.journal(req)
	}
	rec := httptest.NewRecorder()
	f.ServeHTTP(rec, req)
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return rec.Result(), nil
}

// fail is an answer that refuses.
type fail struct {
	code    int
	message string
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.extended && r.URL.Query().Get("wait") == "true" {
		f.wait(r)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.extended {
		w.Header().Set("X-Drydock-Fleet", "1")
		w.Header().Set("X-Fleet-Revision", fmt.Sprint(f.revision))
	}
	defer func() {
		if refused, ok := recover().(fail); ok {
			w.WriteHeader(refused.code)
			_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": refused.code, "message": refused.message}})
		}
	}()
	if _, _, known := r.BasicAuth(); f.guarded && !known {
		panic(fail{401, "only users with the role root may do this"})
	}
	if f.down {
		panic(fail{503, "fleet server unable to communicate with etcd"})
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/fleet/v1/"), "/")
	switch {
	case parts[0] == "machines" && len(parts) == 1 && r.Method == http.MethodPatch:
		f.patch(r)
		w.WriteHeader(http.StatusNoContent)
	case parts[0] == "machines" && len(parts) == 3 && parts[2] == "drain" && f.extended:
		f.drain(parts[1], r.Method == http.MethodPut)
		w.WriteHeader(http.StatusNoContent)
	case parts[0] == "machines" && len(parts) == 1:
		f.list(w, r, "machines", f.machineList())
	case parts[0] == "state" && len(parts) == 1:
		f.list(w, r, "states", f.stateList(r.URL.Query()))
	case parts[0] == "units" && len(parts) == 1:
		f.list(w, r, "units", f.unitList(r))
	case parts[0] == "units" && len(parts) == 2:
		f.unit(w, r, parts[1])
	case parts[0] == "units" && len(parts) == 3 && f.extended:
		f.extra(w, r, parts[1], parts[2])
	default:
		panic(fail{404, ""})
	}
}

// wait lets time pass until the state is another.
func (f *fake) wait(r *http.Request) {
	after, _ := strconv.ParseUint(r.URL.Query().Get("after"), 10, 64)
	limit, _ := strconv.Atoi(r.URL.Query().Get("timeout"))
	end := time.After(time.Duration(limit) * time.Second)
	for {
		f.mu.Lock()
		now, changed := f.revision, f.changed
		f.mu.Unlock()
		if now > after {
			return
		}
		select {
		case <-changed:
		case <-end:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// list answers with one page.
func (f *fake) list(w http.ResponseWriter, r *http.Request, key string, items []any) {
	page := 1
	if token := r.URL.Query().Get("nextPageToken"); token != "" {
		raw, err := base64.URLEncoding.DecodeString(token)
		if err != nil || len(raw) != 4 {
			panic(fail{400, "invalid page token"})
		}
		page = int(binary.LittleEndian.Uint16(raw[2:]))
	}
	from := min(len(items), (page-1)*f.pageSize)
	to := min(len(items), from+f.pageSize)
	out := map[string]any{}
	if to > from {
		out[key] = items[from:to]
	}
	if to < len(items) {
		raw := binary.LittleEndian.AppendUint16(nil, uint16(f.pageSize))
		out["nextPageToken"] = base64.URLEncoding.EncodeToString(binary.LittleEndian.AppendUint16(raw, uint16(page+1)))
	}
	_ = json.NewEncoder(w).Encode(out)
}

func (f *fake) machineList() (list []any) {
	for _, id := range slices.Sorted(maps.Keys(f.machines)) {
		m := *f.machines[id]
		if !f.extended {
			m = fleetclient.Machine{ID: m.ID, PrimaryIP: m.PrimaryIP, Metadata: m.Metadata}
		}
		list = append(list, m)
	}
	return list
}

func (f *fake) stateList(query url.Values) (list []any) {
	for _, name := range slices.Sorted(maps.Keys(f.states)) {
		for _, id := range slices.Sorted(maps.Keys(f.states[name])) {
			st := f.states[name][id]
			if !f.extended {
				st.Result, st.Why = "", ""
			}
			if want := query.Get("unitName"); want == "" || want == name {
				list = append(list, st)
			}
		}
	}
	return list
}

func (f *fake) unitList(r *http.Request) (list []any) {
	names := slices.Sorted(maps.Keys(f.units))
	if want := r.URL.Query().Get("names"); want != "" && f.extended {
		names = strings.Split(want, ",")
	}
	for _, name := range names {
		if f.units[name] != nil {
			list = append(list, f.shown(name))
		}
	}
	return list
}

// shown is a unit as it is answered with.
func (f *fake) shown(name string) fleetclient.Unit {
	u := *f.units[name]
	if !f.extended {
		return u
	}
	u.Global = isGlobal(&u)
	for _, id := range slices.Sorted(maps.Keys(f.states[name])) {
		st := f.states[name][id]
		u.Places = append(u.Places, fleetclient.Place{
			MachineID: id, Hash: st.Hash, Active: st.ActiveState, Sub: st.SubState, Load: st.LoadState, Result: st.Result, Why: st.Why,
			Launched: u.DesiredState == fleetclient.Launched,
		})
	}
	if u.DesiredState != fleetclient.Inactive && u.MachineID == "" {
		u.Why = f.solver.Why(name)
	}
	return u
}

func (f *fake) unit(w http.ResponseWriter, r *http.Request, name string) {
	u := f.units[name]
	switch r.Method {
	case http.MethodGet:
		if u == nil {
			panic(fail{404, "unit does not exist"})
		}
		_ = json.NewEncoder(w).Encode(f.shown(name))
	case http.MethodDelete:
		if u == nil {
			panic(fail{404, "unit does not exist"})
		}
		delete(f.units, name)
		f.solver.RemoveUnit(name)
		f.bump()
		time.AfterFunc(starting, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.units[name] == nil {
				delete(f.states, name)
				f.bump()
			}
		})
		w.WriteHeader(http.StatusNoContent)
	case http.MethodPut:
		var body fleetclient.Unit
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			panic(fail{400, "unable to decode body: " + err.Error()})
		}
		f.put(w, r, name, body)
	}
}

func (f *fake) put(w http.ResponseWriter, r *http.Request, name string, body fleetclient.Unit) {
	u, status := f.units[name], http.StatusNoContent
	parsed, err := unit.ParseName(name)
	switch {
	case err != nil:
		panic(fail{400, err.Error()})
	case r.Header.Get("Content-Type") != "application/json":
		panic(fail{415, "only acceptable Content-Type is application/json"})
	case u == nil && len(body.Options) == 0:
		panic(fail{409, "unit does not exist and options field empty"})
	case parsed.IsTemplate() && body.DesiredState != fleetclient.Inactive && body.DesiredState != "":
		panic(fail{400, fmt.Sprintf("cannot activate template %q", name)})
	case u != nil && len(body.Options) > 0 && !slices.Equal(u.Options, body.Options) && r.URL.Query().Get("createOnly") == "true":
		panic(fail{409, "unit exists with other options"})
	case u == nil:
		u, status = &fleetclient.Unit{Name: name, CurrentState: fleetclient.Inactive}, http.StatusCreated
		f.units[name] = u
	}
	if len(body.Options) > 0 {
		u.Options = body.Options
	}
	if body.DesiredState != "" {
		u.DesiredState = body.DesiredState
	}
	if isGlobal(u) {
		u.CurrentState = ""
	}
	file, err := u.File()
	if err != nil {
		panic(fail{400, err.Error()})
	}
	if f.extended && file.Description() == "" {
		w.Header().Add("X-Fleet-Remark", "[Unit] Description: is not given")
	}
	needs := file.Fleet()
	f.solver.SetUnit(scheduler.Unit{Name: name, Active: u.DesiredState != fleetclient.Inactive, Needs: &needs})
	f.bump()
	f.placeSoon()
	w.WriteHeader(status)
}

func (f *fake) extra(w http.ResponseWriter, r *http.Request, name, what string) {
	u := f.units[name]
	switch {
	case u == nil:
		panic(fail{404, "unit does not exist"})
	case what == "restart" && u.DesiredState != fleetclient.Launched:
		panic(fail{409, "unit is not launched"})
	case what == "restart":
		w.WriteHeader(http.StatusAccepted)
	case what == "status":
		id := cmp.Or(r.URL.Query().Get("machine"), u.MachineID, slices.Min(slices.Collect(maps.Keys(f.states[name]))))
		st := f.states[name][id]
		_ = json.NewEncoder(w).Encode(fleetclient.Status{
			Name: name, MachineID: id, Description: description(u), Load: st.LoadState, Active: st.ActiveState, Sub: st.SubState,
			Result: st.Result, MainPID: 4242, Since: time.Now().Add(-75 * time.Second), Lines: f.journals[name],
		})
	}
}

func (f *fake) drain(id string, on bool) {
	m := f.machines[id]
	if m == nil {
		panic(fail{404, "machine does not exist"})
	}
	m.Drained = on
	f.solver.Drain(id, on)
	f.bump()
	f.placeSoon()
}

func (f *fake) patch(r *http.Request) {
	var ops []struct {
		Op, Path string
		Value    *struct{ Value string }
	}
	if err := json.NewDecoder(r.Body).Decode(&ops); err != nil {
		panic(fail{400, "unable to decode body: " + err.Error()})
	}
	for _, op := range ops {
		at := regexp.MustCompile(`^/([A-Za-z0-9]+)/metadata/([A-Za-z0-9_.-]+)$`).FindStringSubmatch(op.Path)
		switch {
		case at == nil:
			panic(fail{400, "machine metadata path invalid"})
		case op.Op == "remove":
			delete(f.machines[at[1]].Metadata, at[2])
		case op.Value == nil:
			panic(fail{400, "invalid value: add and replace require a value"})
		default:
			f.machines[at[1]].Metadata[at[2]] = op.Value.Value
		}
	}
	f.bump()
}

// journal streams lines; one that is followed goes on as long as its request.
func (f *fake) journal(req *http.Request) (*http.Response, error) {
	name := strings.Split(req.URL.Path, "/")[4]
	r, w := io.Pipe()
	f.mu.Lock()
	id := f.units[name].MachineID
	f.mu.Unlock()
	header := http.Header{"X-Drydock-Fleet": {"1"}, "X-Fleet-Machine": {id}}
	if want := req.URL.Query().Get("machine"); want != "" && want != id {
		body := io.NopCloser(strings.NewReader(`{"error":{"code":502,"message":"machine can't be reached"}}`))
		return &http.Response{StatusCode: 502, Header: header, Body: body}, nil
	}
	after, _ := strconv.ParseUint(req.URL.Query().Get("after"), 10, 64)
	keep, _ := strconv.Atoi(req.URL.Query().Get("lines"))
	go func() {
		defer w.Close()
		for {
			f.mu.Lock()
			lines, changed, now := slices.Clone(f.journals[name]), f.changed, f.units[name].MachineID
			f.mu.Unlock()
			lines = slices.DeleteFunc(lines, func(l fleetclient.Line) bool { return l.Number <= after })
			for _, l := range lines[max(0, len(lines)-keep):] {
				if json.NewEncoder(w).Encode(l) != nil {
					return
				}
				after = l.Number
			}
			if req.URL.Query().Get("follow") != "true" || now != id {
				return
			}
			select {
			case <-changed:
			case <-req.Context().Done():
				return
			}
		}
	}()
	return &http.Response{StatusCode: 200, Header: header, Body: r}, nil
}
