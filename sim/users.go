package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"drydock/chaos"
	"drydock/node"
	"drydock/node/consensus"
	"drydock/node/fleetapi"
	"drydock/node/unit"
	"drydock/sim/history"
)

// Times of users.
const (
	userRetry   = 100 * time.Millisecond
	userTimeout = 3 * time.Second
	// usersAtOnce bounds what all users together have open.
	usersAtOnce = 256
)

// users ask the cluster to do things with units and machines, as patient people do:
// each thing again and again until it is acknowledged, and what concerns one unit
// one after another.
type users struct {
	w    *World
	rng  *rand.Rand
	list []*wanted
	by   map[string]*wanted
	// queues are the wishes about each unit or machine that wait, busy those that
	// are being asked; ready are the names whose turn it is when others end.
	queues map[string][]*wish
	busy   map[string]bool
	ready  []string
	open   int
}

// wanted is what users want of a unit.
type wanted struct {
	*FleetUnit
	edition int
	desired string // "" while there is no such unit
}

// wish is one thing to ask for.
type wish struct {
	record  int // in the referee's list
	about   string
	request *fleetapi.Request
	call    *fleetapi.Call
}

func newUsers(w *World) *users {
	return &users{
		w: w, rng: w.src.Stream("users"), by: make(map[string]*wanted),
		queues: make(map[string][]*wish), busy: make(map[string]bool),
	}
}

func (u *users) learn(f *FleetUnit) {
	x := &wanted{FleetUnit: f, edition: 1}
	u.list = append(u.list, x)
	u.by[f.Name] = x
	u.w.fleet.referee.units(f.Facts)
}

// begin has units submitted at their times.
func (u *users) begin() {
	for _, x := range u.list {
		if x.Desired == "later" {
			continue
		}
		do := map[string]string{"launched": chaos.DoStart, "loaded": chaos.DoLoad, "inactive": chaos.DoSubmit}[x.Desired]
		u.w.queue.At(x.At, func() { u.do(x, do) })
	}
}

// act does something with all units whose names match, and says with how many.
func (u *users) act(p *chaos.Units) int {
	n := 0
	for _, x := range u.list {
		if chaos.MatchUnit(p.Name, x.Name) && u.do(x, p.Do) {
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
	method, path, text := "PUT", "/units/"+x.Name, ""
	switch do {
	case chaos.DoSubmit:
		if x.desired != "" {
			return false
		}
		text = x.Text(x.edition)
	case chaos.DoStart, chaos.DoLoad:
		text = x.Text(x.edition)
	case chaos.DoRestart:
		if x.desired != "launched" {
			return false
		}
		method, path = "POST", path+"/restart"
	case chaos.DoReplace:
		if x.desired == "" {
			return false
		}
		x.edition++
		text = x.Text(x.edition)
	case chaos.DoDestroy:
		method = "DELETE"
		fallthrough
	default:
		if x.desired == "" {
			return false
		}
	}
	if desired, changes := wants[do]; changes {
		x.desired = desired
	}
	record := history.FleetWish{Unit: x.Name, Do: do, Desired: x.desired}
	if text != "" {
		record.Hash = hashOf(x.Name, text)
	}
	var body any
	if method == "PUT" {
		body = fleetapi.Unit{Name: x.Name, DesiredState: x.desired, Options: optionsOf(x.Name, text)}
	}
	u.ask(x.Name, record, method, path, body)
	return true
}

// optionsOf is a text as the API carries it.
func optionsOf(name, text string) (list []fleetapi.Option) {
	if text == "" {
		return nil
	}
	f, err := unit.Parse(name, []byte(text))
	if err != nil {
		return nil
	}
	for _, o := range f.Options() {
		list = append(list, fleetapi.Option{Section: o.Section, Name: o.Name, Value: o.Value})
	}
	return list
}

// drain begins or ends the emptying of a machine.
func (u *users) drain(b *box, on bool) {
	method := "PUT"
	if !on {
		method = "DELETE"
	}
	u.ask(b.name, history.FleetWish{Machine: b.name, Do: string(chaos.KindDrain), End: !on}, method, "/machines/"+b.id+"/drain", nil)
}

// patchOp is one operation of a PATCH of machines' metadata.
type patchOp struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value *value `json:"value,omitempty"`
}

type value struct {
	Value string `json:"value"`
}

// patch changes a machine's metadata, or takes back what was changed. What users
// have set outranks the machine's own word for ever.
func (u *users) patch(b *box, pairs []string, back bool) {
	now := maps.Clone(b.metadata)
	if now == nil {
		now = make(map[string]string)
	}
	var ops []patchOp
	for _, pair := range pairs {
		key, to, _ := strings.Cut(pair, "=")
		if back {
			to = b.metadata[key]
		} else {
			setPair(now, pair)
		}
		op := patchOp{Op: "remove", Path: "/" + b.id + "/metadata/" + key}
		if to != "" {
			op.Op, op.Value = "add", &value{to}
		}
		ops = append(ops, op)
	}
	u.ask(b.name, history.FleetWish{
		Machine: b.name, Do: string(chaos.KindMetadata), End: back, Metadata: metadataPairs(now),
	}, "PATCH", "/machines", ops)
}

// ask queues a wish about a unit or machine.
func (u *users) ask(about string, record history.FleetWish, method, path string, body any) {
	text, err := json.Marshal(body)
	if err != nil || body == nil {
		text = nil
	}
	w := &wish{about: about, record: u.w.fleet.referee.asked(record), request: &fleetapi.Request{
		Method: method, Path: fleetapi.Prefix + path, ContentTypes: []string{"application/json"}, Body: text,
	}}
	u.queues[about] = append(u.queues[about], w)
	if !u.busy[about] {
		u.busy[about] = true
		u.ready = append(u.ready, about)
	}
	u.next()
}

// next begins what may be begun.
func (u *users) next() {
	for u.open < usersAtOnce && len(u.ready) > 0 {
		about := u.ready[0]
		u.ready = u.ready[1:]
		w := u.queues[about][0]
		u.open++
		u.try(w)
	}
}

// try asks some member.
func (u *users) try(w *wish) {
	m := u.member()
	if m == nil {
		u.w.queue.After(userRetry, func() { u.try(w) })
		return
	}
	call, resp := fleetapi.Decode(w.request)
	if resp != nil {
		u.answered(w, resp.Status)
		return
	}
	w.call = call
	over := false
	end := func(a *node.Answer) {
		if over {
			return
		}
		over = true
		u.answered(w, statusOfAnswer(call, a))
	}
	m.front.operate(func(token uint64) node.Input {
		return node.FleetRequest{Token: token, Command: call.Command}
	}, end)
	u.w.queue.After(userTimeout, func() { end(nil) })
}

// member draws a living member, more often than not the leader.
func (u *users) member() *machine {
	if l := u.w.leader(); l != nil && l.status == up && u.rng.IntN(3) > 0 {
		return l
	}
	alive := slices.DeleteFunc(slices.Clone(u.w.machines), func(m *machine) bool { return m.status != up || m.node == nil })
	if len(alive) == 0 {
		return nil
	}
	return alive[u.rng.IntN(len(alive))]
}

// statusOfAnswer is what HTTP says of a node's answer.
func statusOfAnswer(call *fleetapi.Call, a *node.Answer) int {
	switch {
	case a == nil:
		return 500
	case a.Status != consensus.Done:
		return fleetapi.Failed(a.Status == consensus.Unknown, a.Reason).Status
	case a.Refusal == nil:
		return call.Done(a.Fleet).Status
	}
	if resp := call.Refused(a.Refusal); resp != nil {
		return resp.Status
	}
	return 503 // some member runs an older release
}

// answered takes the end of an attempt. What the cluster can't do now it is asked
// again.
func (u *users) answered(w *wish, status int) {
	if status >= 500 && status != 507 {
		u.w.queue.After(userRetry+time.Duration(u.rng.Int64N(int64(userRetry))), func() { u.try(w) })
		return
	}
	refusal := ""
	if status >= 300 {
		refusal = fmt.Sprintf("status %d", status)
	}
	u.w.fleet.referee.acknowledged(w.record, refusal)
	u.open--
	u.queues[w.about] = u.queues[w.about][1:]
	if len(u.queues[w.about]) > 0 {
		u.ready = append(u.ready, w.about)
	} else {
		u.busy[w.about] = false
	}
	u.next()
}
