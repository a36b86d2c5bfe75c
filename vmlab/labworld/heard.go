package labworld

import (
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"drydock/node/runtime/lease"
	"drydock/scenarios/scenario"
	"drydock/sim/history"
)

// Times by which ends of units are explained.
const (
	// machineLease is the lease of machines in scenarios whose elections are not slow.
	machineLease = 3 * time.Second
	// wakeful is how long an agent must have lived, neither stopped nor starved, to be
	// expected to end units by itself before the guard does.
	wakeful = 4 * time.Second
	// lookEvery is how often leases are read, starved how much later that may happen
	// where processes get their share of the processors.
	lookEvery = 50 * time.Millisecond
	starved   = 40 * time.Millisecond
	// guardSlack is how far the guard's log may be from a unit's last beat.
	guardSlack = 250 * time.Millisecond
)

// leaseOf is the lease of a scenario's machines: a node takes none of less than four
// election timeouts.
func leaseOf(s *scenario.Scenario) time.Duration {
	return max(machineLease, 4*s.Cluster.Knobs.Election)
}

// heard is what a machine has heard of the leader, by its lease, and how its agent is
// by the faults that struck it. Times are of package lease's clock.
type heard struct {
	// lease is how long an answer is good for.
	lease time.Duration
	// sent is when the beat was sent for which the machine has its lease; lost when it
	// last had reason to believe that the lease might end.
	sent, lost time.Duration
	// reborn is when its agent last came to life, awake since when that has lived and
	// not been stopped; dead and paused say that it doesn't live, or is.
	reborn, awake time.Duration
	dead, paused  bool
	// losses are when it was not there for the cluster; open is the place of that of a
	// dead agent, from 1.
	losses []history.FleetLoss
	open   int
}

// unheard is for how long the machine may be without word from the leader before it has
// a reason to end its units: a little less than two thirds of the lease.
func (h *heard) unheard() time.Duration { return h.lease * 19 / 30 }

// hear takes what the lease says at a time; base is when the run began.
func (h *heard) hear(machine string, word lease.Until, now, base time.Duration) {
	deadline, timed := word.Time()
	sent := deadline - h.lease
	if !timed || sent <= h.sent {
		return
	}
	if gap := now - h.sent; h.sent != 0 && gap >= h.unheard() {
		h.lost = now
		h.losses = append(h.losses, history.FleetLoss{
			Machine: machine, Begin: int64(max(h.sent-base, 1)), End: int64(max(now-base, 1)), Dead: h.reborn > h.sent || h.awake > h.sent,
		})
	}
	if now-sent >= h.unheard() {
		h.lost, h.awake = now, now // the lease that it gets is nearly over
	}
	h.sent = sent
}

// isCut says whether the machine has had reason, since a time, to believe that its
// lease might end.
func (h *heard) isCut(since, now time.Duration) bool {
	return now-h.sent >= h.unheard() || h.lost >= since
}

func (h *heard) died(machine string, now, base time.Duration) {
	h.dead, h.paused = true, false
	h.losses = append(h.losses, history.FleetLoss{Machine: machine, Begin: int64(max(now-base, 1)), Dead: true})
	h.open = len(h.losses)
}

func (h *heard) lives(now, base time.Duration) {
	if h.open > 0 {
		h.losses[h.open-1].End = int64(max(now-base, 1))
	}
	h.open, h.dead, h.reborn, h.awake = 0, false, now, now
}

// finish closes the records at the end.
func (h *heard) finish(machine string, now, base time.Duration) {
	if h.open == 0 && h.sent != 0 && now-h.sent >= h.unheard() {
		h.losses = append(h.losses, history.FleetLoss{Machine: machine, Begin: int64(max(h.sent-base, 1)), Dead: h.paused || h.awake > h.sent})
	}
}

// crowded says whether so much wants to run on this computer that an agent may not get
// to what it has to do in time.
func crowded() bool {
	text, err := os.ReadFile("/proc/loadavg")
	running, known := runnable(string(text))
	return err == nil && known && running > 2*runtime.NumCPU()
}

// runnable reads how many threads run or wait for a processor (proc_loadavg(5)).
func runnable(text string) (n int, known bool) {
	fields := strings.Fields(text)
	if len(fields) < 4 {
		return 0, false
	}
	first, _, _ := strings.Cut(fields[3], "/")
	n, err := strconv.Atoi(first)
	return n, err == nil
}

// bites finds when a guard began to kill, in its log.
var bites = regexp.MustCompile(`(?m)^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d\.\d{6}) the lease has passed`)

// biteForm is how a guard's log writes times, in the host's local time.
const biteForm = "2006/01/02 15:04:05.000000"

// guarded says whether a guard, by its log, began to kill between two times.
func guarded(log string, from, to time.Time) bool {
	for _, parts := range bites.FindAllStringSubmatch(log, -1) {
		at, err := time.ParseInLocation(biteForm, parts[1], time.Local)
		if err == nil && !at.Before(from) && !at.After(to) {
			return true
		}
	}
	return false
}

// runDir is where a machine that is on keeps its lease, as the host sees it; "" if it
// is off.
func (f *fleetSide) runDir(p *place) string {
	a, err := f.r.ground.Access(p.name)
	if err != nil || a.Pid == 0 {
		return ""
	}
	return filepath.Join("/proc", strconv.Itoa(a.Pid), "root/run/drydock", p.id)
}

// guarding says whether a machine's guard was killing between a time and now.
func (f *fleetSide) guarding(p *place, from, now time.Duration) bool {
	dir := f.runDir(p)
	if dir == "" {
		return false
	}
	if word, err := lease.Peek(filepath.Join(dir, "lease")); err == nil && word == lease.Over {
		return true
	}
	text, err := os.ReadFile(filepath.Join(dir, "guard.log"))
	if err != nil {
		return false
	}
	wall := time.Now()
	return guarded(strings.ToValidUTF8(string(text), ""), wall.Add(from-now-guardSlack), wall.Add(guardSlack))
}
