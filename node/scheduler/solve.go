package scheduler

import (
	"cmp"
	"container/heap"
	"slices"

	"drydock/node/unit"
)

// Scheduler places units on machines. New makes one.
type Scheduler struct {
	machines        []machine
	machineByID     map[string]int32
	machinesByShort map[string][]int32
	order           []int32 // machines by position
	arrivals        []int32 // machines without a position yet
	upCount         int
	closed          set
	levels          levels
	labels          map[string]map[string]*set
	selectors       map[string]*selector
	selectorList    []*selector
	resources       map[string]int
	resourceNames   []string
	demands         map[string]*demand
	demandList      []*demand
	spreads         []*spread
	units           []record
	unitByName      map[string]int32
	freeUnits, lost []int32
	names           names
	nothing         unit.Requirements
	classes         map[string]*class
	profiles        map[string]*profile
	patterns        []*pattern // by number
	patternByKey    map[string]*pattern
	lastPattern     int
	stems           map[string][]*pattern
	stemLengths     []int
	globals         []int32 // active global units, in the order of their start
	lastSeq         uint64
	queues          []*queue // by priority, highest first
	rechecks        []int32
	waits           map[waitKey]*waitGroup
	waitList        []*waitGroup
	improved        []int32
	limitsEased     bool
	touched         []int32
	goodbyes        []Move
	quiet           bool
	query           query
	key             []byte
	found           []*pattern
}

// New returns a scheduler that knows of nothing.
func New() *Scheduler {
	return &Scheduler{
		machineByID: make(map[string]int32), machinesByShort: make(map[string][]int32),
		labels: make(map[string]map[string]*set), selectors: make(map[string]*selector),
		resources: make(map[string]int), demands: make(map[string]*demand),
		unitByName: make(map[string]int32), classes: make(map[string]*class), profiles: make(map[string]*profile),
		patternByKey: make(map[string]*pattern), stems: make(map[string][]*pattern),
		waits: make(map[waitKey]*waitGroup),
	}
}

// Move is a change of a unit's place.
type Move struct {
	Unit string
	// From and To are ids of machines, empty for none.
	From, To string
	// Why says why it left From, if it was there.
	Why string
}

// Solve works on what has changed and returns the moves to make. It stops after
// about limit decisions, so that a step stays short; more says that there is work
// left. A limit of 0 or below is none.
func (s *Scheduler) Solve(limit int) (moves []Move, more bool) {
	s.settle()
	for n := 0; limit <= 0 || n < limit; n++ {
		if !s.step() {
			return s.hand(), false
		}
	}
	return s.hand(), true
}

// step makes one decision; it returns false if there is none to make.
func (s *Scheduler) step() bool {
	if n := len(s.rechecks); n > 0 {
		i := s.rechecks[n-1]
		s.rechecks = s.rechecks[:n-1]
		s.units[i].checking = false
		s.check(i)
		return true
	}
	if len(s.improved) > 0 || s.limitsEased {
		s.wakeAll()
		return true
	}
	i := s.dequeue()
	if i == none {
		s.freeUnits = append(s.freeUnits, s.lost...)
		s.lost = s.lost[:0]
		return false
	}
	s.place(i)
	return true
}

// place finds a machine for a unit that has none.
func (s *Scheduler) place(i int32) {
	r := &s.units[i]
	woken := r.woken
	r.woken = false
	if g := s.waits[s.waitKey(i)]; g != nil && !woken {
		// Its like have found none, and nothing has changed.
		s.await(i)
		return
	}
	pos := s.pick(i)
	if pos == none && !s.preempt(i) {
		s.await(i)
		return
	} else if pos == none {
		pos = s.pick(i)
	}
	slot := s.order[pos]
	s.told(i)
	s.put(i, slot)
	s.yieldGlobals(i, slot)
	if len(r.class.replaces) > 0 {
		s.kick(i)
	}
	if g := s.waits[s.waitKey(i)]; g != nil {
		s.wake(g)
	}
}

// recheck has a placed unit looked at by the next Solve.
func (s *Scheduler) recheck(i int32) {
	if r := &s.units[i]; !r.checking {
		r.checking = true
		s.rechecks = append(s.rechecks, i)
	}
}

// check moves a unit away if it can't stay.
func (s *Scheduler) check(i int32) {
	r := &s.units[i]
	if r.slot == none {
		return
	}
	slot := r.slot
	s.quiet = true
	s.lift(i)
	o := s.obstacle(i, &s.machines[slot])
	s.put(i, slot)
	s.quiet = false
	if o.kind == able {
		s.yieldGlobals(i, slot)
		return
	}
	if o.kind == closed {
		return // who drains it decides
	}
	s.evict(i, "machine "+s.machines[slot].id+" can't run it any more: "+s.tell(i, o))
}

// hand returns the moves since it was last called.
func (s *Scheduler) hand() []Move {
	moves := s.goodbyes
	s.goodbyes = nil
	for _, i := range s.touched {
		r := &s.units[i]
		r.told = false
		if r.name == "" || r.was == r.slot {
			continue
		}
		m := Move{Unit: r.name, Why: r.why}
		if r.was != none {
			m.From = s.machines[r.was].id
		}
		if r.slot != none {
			m.To = s.machines[r.slot].id
		}
		if r.was == none {
			m.Why = ""
		}
		r.was = r.slot
		moves = append(moves, m)
	}
	s.touched = s.touched[:0]
	return moves
}

// queue holds the units of one priority that are to be placed, the one that has
// waited longest first.
type queue struct {
	priority int
	// fresh are in order from head on; old came back.
	fresh []int32
	head  int
	old   seqHeap
}

func (s *Scheduler) queueOf(priority int) *queue {
	k, ok := slices.BinarySearchFunc(s.queues, priority, func(q *queue, p int) int { return cmp.Compare(p, q.priority) })
	if !ok {
		q := &queue{priority: priority}
		q.old.s = s
		s.queues = slices.Insert(s.queues, k, q)
	}
	return s.queues[k]
}

// enqueue has a unit without a place placed by the next Solve.
func (s *Scheduler) enqueue(i int32) {
	r := &s.units[i]
	if r.queued {
		return
	}
	r.queued = true
	q := s.queueOf(r.class.needs.Priority)
	if n := len(q.fresh); n == q.head || s.units[q.fresh[n-1]].seq < r.seq {
		q.fresh = append(q.fresh, i)
		return
	}
	heap.Push(&q.old, i)
}

// dequeue returns the next unit to place, or none.
func (s *Scheduler) dequeue() int32 {
	for _, q := range s.queues {
		for q.head < len(q.fresh) || len(q.old.units) > 0 {
			i := q.pop(s)
			r := &s.units[i]
			r.queued = false
			switch {
			case !r.active || r.slot != none || r.wait != nil || r.class.needs.Global:
			case r.class.needs.Priority != q.priority:
				s.enqueue(i)
			default:
				return i
			}
		}
	}
	return none
}

func (q *queue) pop(s *Scheduler) int32 {
	if len(q.old.units) > 0 && (q.head == len(q.fresh) || s.units[q.old.units[0]].seq < s.units[q.fresh[q.head]].seq) {
		return heap.Pop(&q.old).(int32)
	}
	i := q.fresh[q.head]
	q.head++
	if q.head == len(q.fresh) {
		q.fresh, q.head = q.fresh[:0], 0
	}
	return i
}

// seqHeap is a heap of units by their seq.
type seqHeap struct {
	s     *Scheduler
	units []int32
}

func (h *seqHeap) Len() int           { return len(h.units) }
func (h *seqHeap) Less(a, b int) bool { return h.s.units[h.units[a]].seq < h.s.units[h.units[b]].seq }
func (h *seqHeap) Swap(a, b int)      { h.units[a], h.units[b] = h.units[b], h.units[a] }
func (h *seqHeap) Push(x any)         { h.units = append(h.units, x.(int32)) }
func (h *seqHeap) Pop() any {
	last := h.units[len(h.units)-1]
	h.units = h.units[:len(h.units)-1]
	return last
}
