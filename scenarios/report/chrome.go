package report

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"drydock/scenarios/checker"
	"drydock/scenarios/runner"
	"drydock/sim/history"
)

// ErrNoEvidence says that a report has no evidence to draw: the run failed, or
// was another process's.
var ErrNoEvidence = errors.New("report: the run left no evidence here")

// The processes and threads of a trace.
const (
	pidCluster = 1
	pidClients = 2
	pidNodes   = 10 // and up

	tidRaft = 1
	tidNet  = 2
	tidLog  = 3
	tidDisk = 4
)

// event is one event of Chrome's trace format ("Trace Event Format"); ts and
// dur are microseconds.
type event struct {
	Name  string         `json:"name"`
	Phase string         `json:"ph"`
	Cat   string         `json:"cat,omitempty"`
	TS    float64        `json:"ts"`
	Dur   float64        `json:"dur,omitempty"`
	PID   int            `json:"pid"`
	TID   int            `json:"tid"`
	ID    string         `json:"id,omitempty"`
	Scope string         `json:"s,omitempty"`
	Bind  string         `json:"bp,omitempty"`
	Args  map[string]any `json:"args,omitempty"`
}

// chrome gathers the events of a run.
type chrome struct {
	r      *runner.Report
	res    *runner.Result
	until  int64
	events []event
}

// Chrome writes a run in Chrome's trace format, which Perfetto and other
// viewers read: a process for each node with its roles, messages, disk jobs
// and applied index, one for the clients' operations, one for the faults. Time
// is the run's.
func Chrome(w io.Writer, r *runner.Report) error {
	res := r.Result()
	if res == nil {
		return ErrNoEvidence
	}
	c := &chrome{r: r, res: res, until: int64(r.Simulated)}
	c.names()
	c.states()
	c.applied()
	c.messages()
	c.jobs()
	c.faults()
	c.operations()
	slices.SortStableFunc(c.events, func(a, b event) int { return cmp.Compare(a.TS, b.TS) })
	return c.write(w)
}

func ts(ns int64) float64 { return float64(ns) / 1000 }

func (c *chrome) add(e event) { c.events = append(c.events, e) }

func (c *chrome) pid(node string) int { return pidNodes + slices.Index(c.r.Nodes, node) }

// names are the metadata: what processes and threads are called.
func (c *chrome) names() {
	process := func(pid int, name string) {
		c.add(event{Name: "process_name", Phase: "M", PID: pid, Args: map[string]any{"name": name}})
		c.add(event{Name: "process_sort_index", Phase: "M", PID: pid, Args: map[string]any{"sort_index": pid}})
	}
	thread := func(pid, tid int, name string) {
		c.add(event{Name: "thread_name", Phase: "M", PID: pid, TID: tid, Args: map[string]any{"name": name}})
	}
	process(pidCluster, "cluster")
	thread(pidCluster, 1, "events")
	process(pidClients, "clients")
	for i, name := range c.r.Nodes {
		pid := pidNodes + i
		process(pid, name)
		thread(pid, tidRaft, "raft")
		thread(pid, tidNet, "net")
		thread(pid, tidLog, "wal")
		thread(pid, tidDisk, "checkpoint")
	}
}

// states are slices on a node's raft thread.
func (c *chrome) states() {
	list := c.res.Recording.States
	for i, s := range list {
		end := c.until
		for _, next := range list[i+1:] {
			if next.Node == s.Node {
				end = next.Time
				break
			}
		}
		if s.Health == history.HealthOutside || end <= s.Time {
			continue
		}
		c.add(event{
			Name: stateName(s), Phase: "X", Cat: "raft", TS: ts(s.Time), Dur: ts(end - s.Time), PID: c.pid(s.Node), TID: tidRaft,
			Args: map[string]any{"term": s.Term, "lead": s.Lead, "applied": s.Applied},
		})
	}
}

func stateName(s history.State) string {
	switch {
	case s.Health != history.HealthUp:
		return string(s.Health)
	case s.Leads:
		return fmt.Sprintf("leads, term %d", s.Term)
	case s.Lead == "":
		return fmt.Sprintf("no leader known, term %d", s.Term)
	}
	return fmt.Sprintf("follows %s, term %d", s.Lead, s.Term)
}

// applied are counters.
func (c *chrome) applied() {
	for _, a := range c.res.Applied {
		c.add(event{Name: "applied", Phase: "C", TS: ts(a.Time), PID: c.pid(a.Node), Args: map[string]any{"index": a.Index}})
	}
}

// messages are flows between short slices on the net threads.
func (c *chrome) messages() {
	for i, m := range c.res.Recording.Messages {
		id := fmt.Sprintf("m%d", i)
		args := map[string]any{"to": m.To}
		if m.Arrived == 0 {
			name := "under way at the end: "
			if m.Lost {
				name = "lost: "
			}
			c.add(event{Name: name + m.Text, Phase: "i", Cat: "net", TS: ts(m.Sent), PID: c.pid(m.From), TID: tidNet, Scope: "t", Args: args})
			continue
		}
		c.add(event{Name: m.Text, Phase: "X", Cat: "net", TS: ts(m.Sent), Dur: 1, PID: c.pid(m.From), TID: tidNet, Args: args})
		c.add(event{Name: "message", Phase: "s", Cat: "net", TS: ts(m.Sent), PID: c.pid(m.From), TID: tidNet, ID: id})
		c.add(event{Name: "from " + m.From, Phase: "X", Cat: "net", TS: ts(m.Arrived), Dur: 1, PID: c.pid(m.To), TID: tidNet})
		c.add(event{Name: "message", Phase: "f", Cat: "net", TS: ts(m.Arrived), PID: c.pid(m.To), TID: tidNet, ID: id, Bind: "e"})
	}
}

// async adds a pair for what may overlap; end 0 is the end of the run.
func (c *chrome) async(e event, begin, end int64) {
	if end == 0 {
		end = c.until
	}
	e.Phase, e.TS = "b", ts(begin)
	c.add(e)
	e.Phase, e.TS, e.Args = "e", ts(max(begin, end)), nil
	c.add(e)
}

func (c *chrome) jobs() {
	for i, j := range c.res.Recording.Jobs {
		tid := tidDisk
		if j.Lane == "log" {
			tid = tidLog
		}
		c.async(event{
			Name: j.Name, Cat: "disk", PID: c.pid(j.Node), TID: tid, ID: fmt.Sprintf("j%d", i),
			Args: map[string]any{"lane": j.Lane, "finished": j.End != 0},
		}, j.Begin, j.End)
	}
}

func (c *chrome) faults() {
	for _, e := range c.r.Timeline {
		scope := "p"
		if e.Mark != runner.MarkInfo {
			scope = "g"
		}
		c.add(event{Name: e.Text, Phase: "i", Cat: "event", TS: ts(int64(e.At)), PID: pidCluster, TID: 1, Scope: scope})
	}
	for i, b := range c.res.Recording.Bands {
		if b.End != b.Time {
			c.async(event{Name: b.Text, Cat: "fault", PID: pidCluster, TID: 2, ID: fmt.Sprintf("f%d", i)}, b.Time, b.End)
		}
	}
	if at, ok := c.r.FailedAt(); ok {
		worst := c.r.Worst()
		c.add(event{
			Name: "VIOLATED " + worst.Expect, Phase: "i", Cat: "verdict", TS: ts(int64(at)), PID: pidCluster, TID: 1, Scope: "g",
			Args: map[string]any{"measured": worst.Measured},
		})
	}
}

func (c *chrome) operations() {
	clients, names := map[string]int{}, []string(nil)
	for i := range c.r.Ops() {
		op := &c.r.Ops()[i]
		c.async(event{
			Name: checker.Ask(op), Cat: "op " + op.Client, PID: pidClients, TID: 1 + number(clients, &names, op.Client), ID: fmt.Sprintf("o%d", op.ID),
			Args: map[string]any{"answer": checker.Answer(op), "status": op.Status, "node": op.Node, "client": op.Client, "token": op.Token},
		}, op.Call, op.Return)
	}
	for i, name := range names {
		c.add(event{Name: "thread_name", Phase: "M", PID: pidClients, TID: 1 + i, Args: map[string]any{"name": name}})
	}
}

// write writes one event a line.
func (c *chrome) write(w io.Writer) error {
	out := bufio.NewWriter(w)
	head, err := json.Marshal(map[string]any{
		"scenario": c.r.Scenario, "seed": fmt.Sprint(c.r.Seed), "trace": c.r.Trace, "verdict": c.r.Verdict, "replay": c.r.Replay,
	})
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	// What the writer couldn't write, Flush says.
	_, _ = fmt.Fprintf(out, "{\"displayTimeUnit\":\"ms\",\"otherData\":%s,\"traceEvents\":[", head)
	for i := range c.events {
		line, err := json.Marshal(&c.events[i])
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
		if i > 0 {
			_ = out.WriteByte(',')
		}
		_ = out.WriteByte('\n')
		_, _ = out.Write(line)
	}
	_, _ = out.WriteString("\n]}\n")
	return out.Flush()
}
