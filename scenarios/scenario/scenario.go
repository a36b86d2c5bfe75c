package scenario

import (
	"fmt"
	"reflect"
	"time"

	"drydock/chaos"
	"drydock/sim/stream"
)

// Scenario is one scenario file. Its structs are the file's format: the tags
// name the keys, document them and give their defaults, and the schema is made
// from them.
type Scenario struct {
	Name    string   `json:"scenario" doc:"the scenario's name"`
	Why     string   `json:"why,omitempty" doc:"in a line: what it tries to break"`
	Seed    int      `json:"seed,omitempty" doc:"the seed that it runs with unless the call names another; absent: 1" min:"1"`
	RunsOn  []string `json:"runs_on,omitempty" doc:"the worlds it is meant for" default:"sim"`
	Cluster Cluster  `json:"cluster,omitempty" doc:"the members and their settings"`
	Network Network  `json:"network,omitempty" doc:"the links between members while no fault is on them"`
	Disk    Disk     `json:"disk,omitempty" doc:"the disks while no fault is on them"`
	Load    Load     `json:"load,omitempty" doc:"what clients do"`
	Nemesis Nemesis  `json:"nemesis,omitempty" doc:"faults drawn by the seed, beside the steps"`

	Duration time.Duration `json:"duration,omitempty" doc:"length of the run" default:"30s"`
	HealAt   time.Duration `json:"heal_at,omitempty" doc:"all faults end and dead members start; absent: settle before the end"`
	Settle   time.Duration `json:"settle,omitempty" doc:"the healed part at the end of the run, unless heal_at says when" default:"10s"`
	Rest     time.Duration `json:"rest,omitempty" doc:"clients ask for nothing for so long at the end of the run"`

	Steps  []Step        `json:"steps,omitempty" doc:"the faults and their triggers"`
	Expect []Expectation `json:"expect,omitempty" doc:"what must hold; absent: all safety checks and liveness after healing"`

	// File is where it was read from, Text what was read.
	File string `json:"-"`
	Text []byte `json:"-"`
	// Profile, if set, is what a simulated run takes in place of the simulator's own
	// assumptions. It is given with the call, not in the file.
	Profile *Profile `json:"-"`
}

// Cluster is the cluster's size and its settings.
type Cluster struct {
	Members   int       `json:"members,omitempty" doc:"voters at the start, named n1, n2, …" default:"3" min:"1" max:"9"`
	Learners  int       `json:"learners,omitempty" doc:"members without a vote at the start, named after the voters" default:"0" min:"0" max:"9"`
	Release   int       `json:"release,omitempty" doc:"what the nodes' program speaks at the start: 3 is the newest" default:"3" min:"1" max:"3"`
	Newer     []string  `json:"newer,omitempty" doc:"names of nodes that start with the newest release whatever release says"`
	Workers   int       `json:"workers,omitempty" doc:"machines that run units and are no members, named w1, w2, …" default:"0" min:"0" max:"10000"`
	OnMembers bool      `json:"units_on_members,omitempty" doc:"the first members run units, too" default:"false"`
	Machines  []Machine `json:"machines,omitempty" doc:"what the workers are, in turns"`
	Clones    []string  `json:"clones,omitempty" doc:"workers that are copies, with its id, of the one before them: one of the two at most may have a session"`
	Knobs     Knobs     `json:"knobs,omitempty" doc:"settings of every node"`
}

// Knobs are a node's settings.
type Knobs struct {
	Tick            time.Duration `json:"tick,omitempty" doc:"unit of the timers below; a process has a heartbeat's" default:"10ms"`
	Heartbeat       time.Duration `json:"heartbeat,omitempty" doc:"time between a leader's heartbeats" default:"50ms"`
	Election        time.Duration `json:"election,omitempty" doc:"a follower campaigns after one to two such times without a leader" default:"250ms"`
	CheckpointEvery int           `json:"checkpoint_every,omitempty" doc:"log entries between checkpoints" default:"500" min:"1" max:"1000000"`
	CatchUpEntries  int           `json:"catch_up_entries,omitempty" doc:"entries kept behind a checkpoint for followers that lag" default:"200" min:"0" max:"1000000"`
	SegmentBytes    int           `json:"segment_bytes,omitempty" doc:"size of a segment of the log" default:"65536" min:"4096" max:"268435456"`
	AutoPromote     bool          `json:"auto_promote,omitempty" doc:"leaders give a vote to learners that have caught up" default:"false"`
	KeepRunning     bool          `json:"keep_running,omitempty" doc:"machines that are cut off go on running their units" default:"false"`
	MaxInFlight     int           `json:"max_in_flight,omitempty" doc:"batches of the log being written at once" default:"2" min:"1" max:"64"`
}

// Network is the usual behaviour of links.
type Network struct {
	Latency     time.Duration     `json:"latency,omitempty" doc:"least time of a message on its way" default:"1ms"`
	Jitter      time.Duration     `json:"jitter,omitempty" doc:"mean of an exponentially distributed time on top" default:"500us"`
	Tail        chaos.Probability `json:"tail,omitempty" doc:"the chance of a message to take up to tail_latency more" default:"0.1%"`
	TailLatency time.Duration     `json:"tail_latency,omitempty" doc:"the most that a message in the tail takes more" default:"50ms"`
	Loss        chaos.Probability `json:"loss,omitempty" doc:"the chance of a message to be lost" default:"0%"`
	Duplicate   chaos.Probability `json:"duplicate,omitempty" doc:"the chance of a message to arrive twice" default:"0%"`
	Reorder     chaos.Probability `json:"reorder,omitempty" doc:"the chance of a message to be held back by up to tail_latency" default:"0%"`
}

// Disk is the usual behaviour of disks.
type Disk struct {
	Fsync       time.Duration     `json:"fsync,omitempty" doc:"least time of a sync" default:"1ms"`
	Jitter      time.Duration     `json:"jitter,omitempty" doc:"mean of an exponentially distributed time on top" default:"500us"`
	Tail        chaos.Probability `json:"tail,omitempty" doc:"the chance of a sync to take up to tail_latency more" default:"0.5%"`
	TailLatency time.Duration     `json:"tail_latency,omitempty" doc:"the most that a sync in the tail takes more" default:"100ms"`
}

// Load is the work of clients.
type Load struct {
	KV    KV      `json:"kv,omitempty" doc:"clients of the keyspace"`
	TTL   TTL     `json:"ttl,omitempty" doc:"clients that write keys with a time to live and read each until it is gone"`
	Lock  Lock    `json:"lock,omitempty" doc:"clients that take locks built on the keyspace in turns"`
	Watch Watch   `json:"watch,omitempty" doc:"clients that watch, and go on after what they last saw whenever they are cut off"`
	Units []Units `json:"units,omitempty" doc:"units that users submit, in groups"`
}

// TTL is the load of clients whose keys expire.
type TTL struct {
	Clients  int               `json:"clients,omitempty" doc:"how many" default:"0" min:"0" max:"100"`
	Keys     int               `json:"keys,omitempty" doc:"keys they share" default:"6" min:"1" max:"1000"`
	Shortest time.Duration     `json:"shortest,omitempty" doc:"least time to live, in whole seconds" default:"1s"`
	Longest  time.Duration     `json:"longest,omitempty" doc:"greatest time to live, in whole seconds" default:"2s"`
	Refresh  chaos.Probability `json:"refresh,omitempty" doc:"the chance of a key to be refreshed, up to four times" default:"40%"`
	Think    time.Duration     `json:"think,omitempty" doc:"mean time from an answer to the client's next operation" default:"100ms"`
}

// Lock is the load of clients that take locks.
type Lock struct {
	Clients int           `json:"clients,omitempty" doc:"how many" default:"0" min:"0" max:"100"`
	Locks   int           `json:"locks,omitempty" doc:"locks they share" default:"2" min:"1" max:"100"`
	Style   string        `json:"style,omitempty" doc:"create: whoever creates the key holds the lock; in-order: keys are created in order under a directory, and the first one holds it" enum:"create|in-order" default:"create"`
	TTL     time.Duration `json:"ttl,omitempty" doc:"a lock that nobody refreshes falls free after this time, in whole seconds" default:"2s"`
	Hold    time.Duration `json:"hold,omitempty" doc:"mean time for which a client keeps a lock" default:"500ms"`
	Think   time.Duration `json:"think,omitempty" doc:"mean time between tries" default:"100ms"`
}

// Watch is the load of clients that watch.
type Watch struct {
	Clients int               `json:"clients,omitempty" doc:"how many" default:"0" min:"0" max:"100"`
	Start   []string          `json:"start,omitempty" doc:"where a watch may begin, one drawn for each: now, with what comes next; past, at an index before; future, at one still to come; absent: all three" enum:"now|past|future"`
	Mode    []string          `json:"mode,omitempty" doc:"what a watch may be: long-poll, one event a request; stream, until cut off; absent: both" enum:"long-poll|stream"`
	Back    int               `json:"back,omitempty" doc:"a start in the past or the future is up to so many indexes away; the store keeps 1000" default:"100" min:"1" max:"100000"`
	Session time.Duration     `json:"session,omitempty" doc:"mean time until a watcher hangs up and goes on elsewhere" default:"3s"`
	Slow    chaos.Probability `json:"slow,omitempty" doc:"the chance of a session to stop reading for a time" default:"10%"`
}

// KV is the load on the keyspace: clients that each do one operation at a time.
type KV struct {
	Clients    int           `json:"clients,omitempty" doc:"how many" default:"5" min:"1" max:"200"`
	Keys       int           `json:"keys,omitempty" doc:"keys they share" default:"5" min:"1" max:"1000"`
	Mix        Mix           `json:"mix,omitempty" doc:"weights of the kinds of operations; kinds that are left out of a given mix have none"`
	Rate       float64       `json:"rate,omitempty" doc:"operations a second that each client aims at, with random gaps; excludes think" min:"0" max:"10000"`
	Think      time.Duration `json:"think,omitempty" doc:"mean time from an answer to the client's next operation" default:"50ms"`
	Timeout    time.Duration `json:"timeout,omitempty" doc:"how long a client waits for an answer" default:"1s"`
	Retry      int           `json:"retry,omitempty" doc:"times that an operation which was certainly refused is asked again, at another endpoint" default:"3" min:"0" max:"100"`
	Endpoints  string        `json:"endpoints,omitempty" doc:"all: clients move on to another member after an error; one: each stays with its own" enum:"all|one" default:"all"`
	ValueBytes int           `json:"value_bytes,omitempty" doc:"size of a value" default:"16" min:"12" max:"65536"`
}

// Mix weighs the kinds of operations. All zero stands for DefaultMix.
type Mix struct {
	Get      int `json:"get,omitempty" doc:"linearizable read of a key" min:"0" max:"1000"`
	List     int `json:"list,omitempty" doc:"linearizable listing of a directory of in-order keys" min:"0" max:"1000"`
	Put      int `json:"put,omitempty" doc:"unconditional write" min:"0" max:"1000"`
	Create   int `json:"create,omitempty" doc:"write if the key is absent" min:"0" max:"1000"`
	Update   int `json:"update,omitempty" doc:"write if the key exists" min:"0" max:"1000"`
	CAS      int `json:"cas,omitempty" doc:"write if the value or index is the expected one" min:"0" max:"1000"`
	Delete   int `json:"delete,omitempty" doc:"removal" min:"0" max:"1000"`
	CAD      int `json:"cad,omitempty" doc:"removal if the value or index is the expected one" min:"0" max:"1000"`
	Append   int `json:"append,omitempty" doc:"in-order creation in a directory" min:"0" max:"1000"`
	StaleGet int `json:"stale-get,omitempty" doc:"plain read of one member's own copy: a prefix of history" min:"0" max:"1000"`
}

// Nemesis asks for faults that the seed draws.
type Nemesis struct {
	Profile string        `json:"profile" doc:"everything: all faults that the world can inject, at moderate rates, overlapping; swarm: which faults, how often and how strong is drawn by the seed" enum:"everything|swarm" scalar:"true"`
	From    time.Duration `json:"from,omitempty" doc:"the first fault strikes no earlier" default:"2s"`
	Until   time.Duration `json:"until,omitempty" doc:"the last fault strikes before; absent: a second before all is healed"`
	Rate    float64       `json:"rate,omitempty" doc:"mean number of faults in ten seconds; a swarm has between a third and three times as many" default:"8" min:"0.1" max:"200"`
	Spares  int           `json:"spares,omitempty" doc:"machines that may join the cluster" default:"1" min:"0" max:"4"`
	Mixed   bool          `json:"mixed,omitempty" doc:"the first members start with releases drawn by the seed, which upgrades then change" default:"false"`
	Only    []string      `json:"only,omitempty" doc:"draw from these faults alone"`
	Without []string      `json:"without,omitempty" doc:"draw none of these faults"`
}

// Default is a scenario with every key at its default.
func Default() *Scenario {
	s := new(Scenario)
	applyDefaults(reflect.ValueOf(s).Elem())
	return s
}

// DefaultMix is the mix of a file that gives none.
func DefaultMix() Mix {
	return Mix{Get: 30, List: 5, Put: 20, Create: 4, Update: 4, CAS: 15, Delete: 4, CAD: 2, Append: 12, StaleGet: 4}
}

// Step is one entry of a file's steps: a trigger, a fault, and how long it
// lasts.
type Step struct {
	Name   string        `json:"name,omitempty" doc:"lets other steps refer to it: after: step:NAME, heal: NAME"`
	At     time.Duration `json:"at,omitempty" doc:"trigger: a time since the start"`
	After  *chaos.After  `json:"after,omitempty" doc:"trigger: an event"`
	Every  *chaos.Every  `json:"every,omitempty" doc:"trigger: again and again"`
	Jitter time.Duration `json:"jitter,omitempty" doc:"strike later by a random time below this"`
	For    time.Duration `json:"for,omitempty" doc:"undo the fault after this time"`
	// Fault holds the parameters of the step's one fault key.
	Fault chaos.Params `json:"-"`
	// Line is the step's line in the file.
	Line int `json:"-"`

	atSet bool
	// place is where the fault's key is.
	place position
}

// Expectation is one thing that must hold.
type Expectation struct {
	// Kind is the expectation's key, Text the whole as written.
	Kind string
	Text string
	// Within is the bound of an expectation that has a time, Count of one that
	// has a number; else zero.
	Within time.Duration
	Count  int
}

// Voters returns the names of the voters at the start.
func (s *Scenario) Voters() []string { return names(1, s.Cluster.Members) }

// Learners returns the names of the members without a vote at the start.
func (s *Scenario) Learners() []string {
	return names(s.Cluster.Members+1, s.Cluster.Members+s.Cluster.Learners)
}

// Nodes returns the names of all nodes that take part at any time, in order:
// the first members, and those that membership steps add.
func (s *Scenario) Nodes() []string {
	last := s.Cluster.Members + s.Cluster.Learners
	for _, step := range s.Steps {
		if m, ok := step.Fault.(*chaos.Membership); ok {
			for _, name := range m.Add {
				last = max(last, number(name))
			}
		}
	}
	if s.Nemesis.Profile != "" {
		last = max(last, s.Cluster.Members+s.Cluster.Learners+s.Nemesis.Spares)
	}
	return names(1, last)
}

// Plan returns the steps as a plan of faults, those that the nemesis draws by
// the seed after the written ones. supports says which faults the world can
// inject.
func (s *Scenario) Plan(seed uint64, supports func(chaos.Kind) error) chaos.Plan {
	var plan chaos.Plan
	for _, step := range s.Steps {
		plan.Steps = append(plan.Steps, chaos.Step{
			Name: step.Name, At: step.At, AtSet: step.atSet, After: step.After, Every: step.Every,
			Jitter: step.Jitter, For: step.For, Fault: step.Fault,
		})
	}
	if s.Nemesis.Profile != "" {
		n := s.nemesis(supports, len(s.Older(seed)) > 0)
		plan.Steps = append(plan.Steps, n.Draw(stream.New(seed).Stream("nemesis")).Steps...)
	}
	return plan
}

// nemesis translates the key; mixed says that some members start with an older
// release.
func (s *Scenario) nemesis(supports func(chaos.Kind) error, mixed bool) *chaos.Nemesis {
	n := s.Nemesis
	out := &chaos.Nemesis{
		Profile: n.Profile, From: n.From, Until: n.Until, PerMinute: int(n.Rate*6 + 0.5),
		Voters: s.Voters(), Supports: supports, Mixed: mixed, Workers: s.Cluster.Workers > 0,
		Only: kinds(n.Only), Without: kinds(n.Without),
	}
	if out.Until == 0 {
		out.Until = max(n.From, s.HealAt-time.Second)
	}
	if n.Spares > 0 {
		first := s.Cluster.Members + s.Cluster.Learners
		out.Spares = names(first+1, first+n.Spares)
	}
	return out
}

func kinds(words []string) []chaos.Kind {
	var out []chaos.Kind
	for _, w := range words {
		out = append(out, chaos.Kind(w))
	}
	return out
}

func names(from, to int) []string {
	var out []string
	for i := from; i <= to; i++ {
		out = append(out, fmt.Sprintf("n%d", i))
	}
	return out
}

func number(name string) int {
	n := 0
	if _, err := fmt.Sscanf(name, "n%d", &n); err != nil {
		return 0
	}
	return n
}
