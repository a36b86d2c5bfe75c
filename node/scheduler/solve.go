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
	labels          map[string]*label
	labelNumbers    map[string]int
	labelAt         []*label // by number of their key, nil where no machine has it
	selectors       map[string]*selector
	selectorList    []*selector
	resources       map[string]int
	resourceNames   []string
	demands         map[string]*demand
	demandList      []*demand
	pages           []*page
	unitCount       int // of numbers given
	byName          table
	freeUnits, lost []int32
	globalOf        map[int32]*global
	troubleOf       map[int32]*trouble
	names           names
	nothing         unit.Requirements
	classes         []*class // by number
	freeClasses     []int32
	classByKey      map[string]*class
	classByNeeds    map[*unit.Requirements]*class
	lastGrouped     *class
	profiles        []*profile // by number; the first is that of no patterns
	freeProfiles    []int32
	profileByKey    map[string]*profile
	patterns        []*pattern // by number
	patternByKey    map[string]*pattern
	lastPattern     int
	stems           map[string][]*pattern
	stemLengths     []*stemLength
	globals         []int32 // active global units, in the order of their start
	lastSeq         uint64
	queues          []*queue // by priority, highest first
	rechecks        []int32
	waits           map[waitKey]*waitGroup
	waitGroups      []*waitGroup // by number
	freeWaitGroups  []int32
	waitList        []*waitGroup
	improved        []int32
	stuck, rolling  []int32
	rollout         []Unit
	limitsEased     bool
	touched         []touch
	goodbyes        []Move
	globalGoodbyes  []Move
	globalTold      []int32 // global units that may have come or gone somewhere
	resumed         int32   // how many machines are left to settle since Resume
	// quiet is while a unit is lifted only to be looked at, staying while the
	// question is whether it may stay, lenient while it was placed by another
	// scheduler: others of its group may have come since.
	quiet, staying, lenient bool
	query                   query
	key                     []byte
	found                   []*pattern
}

// New returns a scheduler that knows of nothing.
func New() *Scheduler {
	s := &Scheduler{
		machineByID: make(map[string]int32), machinesByShort: make(map[string][]int32),
		labels: make(map[string]*label), labelNumbers: make(map[string]int), selectors: make(map[string]*selector),
		resources: make(map[string]int), demands: make(map[string]*demand),
		globalOf: make(map[int32]*global), troubleOf: make(map[int32]*trouble),
		classByKey: make(map[string]*class), classByNeeds: make(map[*unit.Requirements]*class),
		profiles: []*profile{{refs: 1}}, profileByKey: make(map[string]*profile),
		patternByKey: make(map[string]*pattern), stems: make(map[string][]*pattern),
		waits: make(map[waitKey]*waitGroup),
	}
	s.names.templates = make(map[string]*template)
	return s
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
func (s *Scheduler) Solve(limit int) (moves []Move, more bool) { return s.Append(nil, limit) }

// Append is Solve that appends to moves: who gives it the same slice again and again
// spares the garbage collector one for each step.
func (s *Scheduler) Append(moves []Move, limit int) (all []Move, more bool) {
	s.settle()
	for n := 0; limit <= 0 || n < limit; n++ {
		if !s.step() {
			return s.hand(moves), false
		}
	}
	return s.hand(moves), true
}

// step makes one decision; it returns false if there is none to make.
func (s *Scheduler) step() bool {
	if n := len(s.rechecks); n > 0 {
		i := s.rechecks[n-1]
		s.rechecks = s.rechecks[:n-1]
		s.unit(i).checking = false
		s.check(i)
		return true
	}
	if s.resumed > 0 {
		s.resumed--
		if slot := s.order[s.resumed]; s.machines[slot].up {
			s.settleGlobals(slot)
		}
		return true
	}
	if len(s.improved) > 0 || s.limitsEased {
		s.wakeAll()
		return true
	}
	i := s.dequeue()
	if i == none {
		if s.roll() {
			return true
		}
		s.freeUnits = append(s.freeUnits, s.lost...)
		s.lost = s.lost[:0]
		return false
	}
	s.place(i)
	return true
}

// place finds a machine for a unit that has none.
func (s *Scheduler) place(i int32) {
	if s.overtake(i) {
		return
	}
	r := s.unit(i)
	woken := r.woken
	r.woken = false
	key := s.waitKey(i) // before the unit has a place, which uses up its right to kick
	if g := s.waits[key]; g != nil && !woken {
		// Its like have found none, and nothing has changed.
		s.await(i)
		return
	}
	pos := s.pick(i)
	if pos == none && !s.preempt(i) {
		s.await(i)
		return
	}
	if pos == none {
		pos = s.pick(i)
	}
	if pos == none {
		s.await(i)
		return
	}
	slot := s.order[pos]
	s.told(i)
	s.put(i, slot)
	s.yieldGlobals(i, slot)
	s.kick(i)
	if g := s.waits[key]; g != nil {
		s.wake(g)
	}
	if len(s.stuck) > 0 {
		s.unstick()
	}
}

// recheck has a placed unit looked at by the next Solve.
func (s *Scheduler) recheck(i int32) {
	if r := s.unit(i); !r.checking {
		r.checking = true
		s.rechecks = append(s.rechecks, i)
	}
}

// check moves a unit away if it can't stay.
func (s *Scheduler) check(i int32) {
	r := s.unit(i)
	if r.slot == none {
		return
	}
	slot := r.slot
	s.quiet, s.staying, s.lenient = true, true, r.resumed
	r.resumed = false
	s.lift(i)
	o := s.obstacle(i, &s.machines[slot])
	s.put(i, slot)
	s.quiet, s.staying, s.lenient = false, false, false
	if o.kind == able {
		s.yieldGlobals(i, slot)
		return
	}
	if o.kind == closed || o.kind == shunned {
		if s.machines[slot].closed {
			s.withdraw(i)
		}
		return
	}
	s.evict(i, "machine "+s.machines[slot].id+" can't run it any more: "+s.tell(i, o))
}

// hand appends the moves since it was last called.
func (s *Scheduler) hand(moves []Move) []Move {
	moves = append(moves, s.goodbyes...)
	clear(s.goodbyes)
	s.goodbyes = s.goodbyes[:0]
	moves = slices.Grow(moves, len(s.touched))
	for k := range s.touched {
		note := &s.touched[k]
		r := s.unit(note.unit)
		r.told = 0
		name := s.name(note.unit)
		if name == "" || note.was == r.slot && !note.replaced {
			continue
		}
		m := Move{Unit: name}
		if note.was != none {
			m.From, m.Why = s.machines[note.was].id, note.why
		}
		if r.slot != none {
			m.To = s.machines[r.slot].id
		}
		moves = append(moves, m)
	}
	clear(s.touched)
	s.touched = s.touched[:0]
	return moves
}

// queue holds the units of one priority that are to be placed, the one that has
// waited longest first.
type queue struct {
	priority int
	// placed is how many units of the priority have a place.
	placed int
	// fresh are in order from head on; old came back.
	fresh []turn
	head  int
	old   turns
}

func (s *Scheduler) queueOf(priority int) *queue {
	k, ok := slices.BinarySearchFunc(s.queues, priority, func(q *queue, p int) int { return cmp.Compare(p, q.priority) })
	if !ok {
		q := &queue{priority: priority}
		s.queues = slices.Insert(s.queues, k, q)
	}
	return s.queues[k]
}

// enqueue has a unit without a place placed by the next Solve.
func (s *Scheduler) enqueue(i int32) {
	r := s.unit(i)
	if r.queued {
		return
	}
	r.queued = true
	q := s.class(r).queue
	if n := len(q.fresh); n == q.head || q.fresh[n-1].seq < r.seq {
		q.fresh = append(q.fresh, turn{i, r.seq})
		return
	}
	heap.Push(&q.old, turn{i, r.seq})
}

// dequeue returns the next unit to place, or none.
func (s *Scheduler) dequeue() int32 {
	for _, q := range s.queues {
		for q.head < len(q.fresh) || len(q.old) > 0 {
			t := q.pop()
			i := t.unit
			r := s.unit(i)
			if !r.queued || r.seq != t.seq {
				continue // it was stopped meanwhile
			}
			r.queued = false
			switch {
			case !r.active || r.slot != none || r.wait != none || s.class(r).needs.Global:
			case s.class(r).queue != q:
				s.enqueue(i)
				return s.dequeue() // the other queue may have had its turn
			default:
				return i
			}
		}
	}
	return none
}

// turn is a unit's turn to be placed; it lapses when the unit's seq changes.
type turn struct {
	unit int32
	seq  uint64
}

func (q *queue) pop() turn {
	if len(q.old) > 0 && (q.head == len(q.fresh) || q.old[0].seq < q.fresh[q.head].seq) {
		return heap.Pop(&q.old).(turn)
	}
	t := q.fresh[q.head]
	q.head++
	if q.head == len(q.fresh) {
		q.fresh, q.head = q.fresh[:0], 0
	}
	return t
}

// turns is a heap of turns by seq.
type turns []turn

func (h turns) Len() int           { return len(h) }
func (h turns) Less(a, b int) bool { return h[a].seq < h[b].seq }
func (h turns) Swap(a, b int)      { h[a], h[b] = h[b], h[a] }

// Push is for package heap.
func (h *turns) Push(x any) { *h = append(*h, x.(turn)) }

// Pop is for package heap.
func (h *turns) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
