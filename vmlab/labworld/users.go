package labworld

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"drydock/chaos"
	"drydock/node/fleetapi"
	"drydock/node/unit"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
	"drydock/sim/history"
	"drydock/sim/stream"
	"drydock/vmlab/inject"
	"drydock/vmlab/work"
)

// Times of users.
const (
	userRetry   = 100 * time.Millisecond
	userTimeout = 3 * time.Second
	// usersAtOnce bounds what all users together have open.
	usersAtOnce = 32
)

// users ask the cluster over HTTP to do things with units and machines, as patient
// people do: each thing again and again until it is acknowledged, and what concerns
// one unit one after another. What they decide they decide on the stage.
type users struct {
	f    *fleetSide
	http *http.Client
	list []*wanted
	by   map[string]*wanted // by the names of units that run, too

	open  chan struct{}
	group sync.WaitGroup
	ctx   context.Context // ends when users cease

	mu     sync.Mutex
	rng    *rand.Rand
	good   int // the member that answered last
	queues map[string][]*wish
}

// wanted is what users want of a unit.
type wanted struct {
	*scenario.Units
	name    string
	edition int
	desired string // "" while there is no such unit
}

// wish is one thing to ask for.
type wish struct {
	record       int // in the list of wishes
	method, path string
	body         []byte
}

func newUsers(f *fleetSide) *users {
	u := &users{
		f: f, by: make(map[string]*wanted), open: make(chan struct{}, usersAtOnce),
		rng: stream.New(f.r.spec.Seed).Stream("users"), queues: make(map[string][]*wish),
	}
	u.http = &http.Client{Timeout: userTimeout, Transport: &http.Transport{DialContext: f.r.dial, MaxIdleConnsPerHost: usersAtOnce}}
	for i := range f.r.s.Load.Units {
		g := &f.r.s.Load.Units[i]
		for _, name := range g.Names() {
			x := &wanted{Units: g, name: name, edition: 1}
			u.list = append(u.list, x)
			u.by[name] = x
			if g.Replicas > 0 {
				for _, instance := range g.Runs() {
					u.by[instance] = x
				}
			}
		}
	}
	return u
}

// begin has units submitted at their times, until ctx ends.
func (u *users) begin(ctx context.Context) {
	u.ctx = ctx
	for _, x := range u.list {
		if x.Desired == "later" {
			continue
		}
		do := map[string]string{"launched": chaos.DoStart, "loaded": chaos.DoLoad, "inactive": chaos.DoSubmit}[x.Desired]
		u.f.r.stage.After(x.At-u.f.r.stage.now(), func() { u.do(x, do) })
	}
}

// end waits for what is under way when users have ceased.
func (u *users) end() {
	u.group.Wait()
	u.http.CloseIdleConnections()
}

// text is a unit's in an edition: the scenario's, with a program that machines have.
func (x *wanted) text(edition int) string {
	return strings.Replace(x.Text(edition), "/usr/bin/work", fmt.Sprintf("%s/%s unit=%%n edition=%d", guestWork, work.Name, edition), 1)
}

// hashOf is the hash of a unit's text in an edition, "" for one that nobody knows.
func (u *users) hashOf(name string, edition int) string {
	x := u.by[name]
	if x == nil {
		return ""
	}
	file, err := unit.Parse(x.name, []byte(x.text(edition)))
	if err == nil && name != x.name {
		var of unit.Name
		if of, err = unit.ParseName(name); err == nil {
			file, err = file.Instantiate(of.Instance())
		}
	}
	if err != nil {
		return ""
	}
	return file.Hash().String()
}

// act does something with all units whose names match, and says with how many.
func (u *users) act(p *chaos.Units) int {
	n := 0
	for _, x := range u.list {
		if chaos.MatchUnit(p.Name, x.name) && u.do(x, p.Do) {
			n++
		}
	}
	return n
}

// wants says what is wanted of a unit after something was done with it.
var wants = map[string]string{
	chaos.DoStart: "launched", chaos.DoLoad: "loaded", chaos.DoSubmit: "inactive",
	chaos.DoStop: "loaded", chaos.DoUnload: "inactive", chaos.DoDestroy: "",
}

// do asks for one thing to be done with a unit, and says whether that makes sense.
func (u *users) do(x *wanted, do string) bool {
	there := x.desired != ""
	method, path, text := http.MethodPut, "/units/"+x.name, ""
	switch do {
	case chaos.DoSubmit, chaos.DoStart, chaos.DoLoad:
		if there && do == chaos.DoSubmit {
			return false
		}
		text = x.text(x.edition)
	case chaos.DoRestart:
		if x.desired != "launched" {
			return false
		}
		method, path = http.MethodPost, path+"/restart"
	case chaos.DoReplace:
		if !there {
			return false
		}
		x.edition++
		text = x.text(x.edition)
	default: // stop, unload, destroy
		if !there {
			return false
		}
		if do == chaos.DoDestroy {
			method = http.MethodDelete
		}
	}
	if desired, changes := wants[do]; changes {
		x.desired = desired
	}
	record := history.FleetWish{Unit: x.name, Do: do, Desired: x.desired}
	if text != "" {
		record.Hash = u.hashOf(x.name, x.edition)
	}
	var body any
	if method == http.MethodPut {
		body = fleetapi.Unit{Name: x.name, DesiredState: x.desired, Options: optionsOf(x.name, text)}
	}
	u.ask(x.name, record, method, path, body)
	return true
}

// optionsOf is a text as the API carries it.
func optionsOf(name, text string) (list []fleetapi.Option) {
	f, err := unit.Parse(name, []byte(text))
	if err != nil || text == "" {
		return nil
	}
	for _, o := range f.Options() {
		list = append(list, fleetapi.Option{Section: o.Section, Name: o.Name, Value: o.Value})
	}
	return list
}

// drain begins or ends the emptying of a machine.
func (u *users) drain(p *place, on bool) {
	method := http.MethodPut
	if !on {
		method = http.MethodDelete
	}
	u.ask(p.name, history.FleetWish{Machine: p.name, Do: string(chaos.KindDrain), End: !on}, method, "/machines/"+p.id+"/drain", nil)
}

// patch changes a machine's metadata, or takes back what was changed.
func (u *users) patch(p *place, pairs []string, back bool) {
	own, now := make(map[string]string), make(map[string]string)
	for _, pair := range u.f.machine(p.name).Metadata {
		key, to, _ := strings.Cut(pair, "=")
		own[key], now[key] = to, to
	}
	var ops []inject.Patch
	for _, pair := range pairs {
		key, to, _ := strings.Cut(pair, "=")
		if back {
			to = own[key]
		}
		now[key] = to
		if to == "" {
			delete(now, key)
		}
		ops = append(ops, inject.NewPatch(p.id, key, to))
	}
	var list []string
	for _, key := range slices.Sorted(maps.Keys(now)) {
		list = append(list, key+"="+now[key])
	}
	u.ask(p.name, history.FleetWish{Machine: p.name, Do: string(chaos.KindMetadata), End: back, Metadata: list}, http.MethodPatch, "/machines", ops)
}

// ask queues a wish about a unit or machine.
func (u *users) ask(about string, record history.FleetWish, method, path string, body any) {
	w := &wish{record: u.f.wished(record), method: method, path: fleetapi.Prefix + path}
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			panic(fmt.Sprintf("labworld: a body that is no JSON: %v", err)) // of our own types
		}
		w.body = text
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.queues[about] = append(u.queues[about], w)
	if len(u.queues[about]) == 1 && u.ctx.Err() == nil {
		u.group.Go(func() { u.serve(about) })
	}
}

// serve asks for what is in a queue until that is empty or users cease.
func (u *users) serve(about string) {
	for {
		u.mu.Lock()
		w := u.queues[about][0]
		u.mu.Unlock()
		select {
		case u.open <- struct{}{}:
		case <-u.ctx.Done():
			return
		}
		granted := u.insist(w)
		<-u.open
		if !granted {
			return
		}
		u.mu.Lock()
		u.queues[about] = u.queues[about][1:]
		empty := len(u.queues[about]) == 0
		u.mu.Unlock()
		if empty {
			return
		}
	}
}

// insist asks until somebody answers; it returns false if users cease before.
func (u *users) insist(w *wish) bool {
	for {
		member, pause := u.member()
		status, err := u.try(w, member)
		if err == nil && (status < 500 || status == http.StatusInsufficientStorage) {
			u.mu.Lock()
			u.good = member
			u.mu.Unlock()
			u.f.granted(w.record, status)
			return true
		}
		if rest(u.ctx, pause) != nil {
			return false
		}
	}
}

// member draws a member, more often than not the one that answered last, and how long
// to wait if it doesn't.
func (u *users) member() (int, time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	pause := userRetry + time.Duration(u.rng.Int64N(int64(userRetry)))
	if u.rng.IntN(3) > 0 {
		return u.good, pause
	}
	return u.rng.IntN(members{u.f.r}.Size()), pause
}

// try asks a member once.
func (u *users) try(w *wish, member int) (status int, err error) {
	req, err := http.NewRequestWithContext(u.ctx, w.method, members{u.f.r}.URL(member)+w.path, bytes.NewReader(w.body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := u.http.Do(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, errors.Join(err, resp.Body.Close())
}

// wished records that a user begins to ask for something.
func (f *fleetSide) wished(w history.FleetWish) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.Asked = int64(max(f.r.stage.now(), 1))
	f.wishes = append(f.wishes, w)
	return len(f.wishes) - 1
}

// granted records that somebody has answered: that it is done, or why it won't be.
func (f *fleetSide) granted(at, status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return
	}
	w := &f.wishes[at]
	w.Done = int64(f.r.stage.now())
	what := fmt.Sprintf("%s %s%s", w.Do, w.Unit, w.Machine)
	if status >= 300 {
		go f.r.stage.post(func() {
			f.r.mark(f.r.stage.now(), "", fmt.Sprintf("%s was refused: status %d", what, status), runner.MarkInfo)
		})
		return
	}
	f.tell(&place{}, "a user has done: "+what)
}

// machine is what is known of a machine.
func (f *fleetSide) machine(name string) *history.FleetMachine {
	for i := range f.record.Machines {
		if f.record.Machines[i].Name == name {
			return &f.record.Machines[i]
		}
	}
	return nil
}
