package runner

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"drydock/chaos"
	"drydock/scenarios/checker"
	"drydock/scenarios/scenario"
)

// repeatEvery is one in how many runs is made a second time to compare the trace
// hashes: 5%, spread evenly over files and seeds.
const repeatEvery = 20

// MaxRecordings bounds how many failures of one batch are recorded; the others
// are repeated by their seeds.
const MaxRecordings = 20

// Batch is many runs in worker processes: every scenario with every seed.
type Batch struct {
	Scenarios []*scenario.Scenario
	// Seeds are run in this order; with For, all from the first one on. Own lets
	// a scenario that names a seed of its own run with that one alone.
	Seeds []uint64
	Own   bool
	World string
	// Here, if set, makes the runs in this process, one at a time: in worlds that take
	// the machine for themselves. None of their runs is repeated to compare it.
	Here func(ctx context.Context, s *scenario.Scenario, seed uint64) *Report
	// For, if set, runs one seed after another until this time is over.
	For time.Duration
	// Recordings is the directory that failures are recorded in; empty: nowhere.
	Recordings string
	// Jobs is the number of worker processes.
	Jobs int
	// KeepGoing runs on after a violation.
	KeepGoing bool
	// Limit bounds one run by real time.
	Limit time.Duration
	// Command starts a worker process, which calls Worker.
	Command []string
	// OnReport, if set, is called for every finished run, one at a time.
	OnReport func(r *Report, t *Tally)

	_ struct{}
}

// Tally is what a batch has come to so far.
type Tally struct {
	Total, Done                     int
	Held, Violated, Unknown, Failed int
	// Repeated counts the seeds that ran twice, with equal traces or not.
	Repeated  int
	Simulated time.Duration
	Took      time.Duration
	// Reports are those of all finished runs, in order of file, then seed; of a
	// batch with a time, in order of seed and without those that held.
	Reports []*Report
	// Files counts the runs of each file, in the batch's order, Recorded the
	// failures that were recorded.
	Files    []FileTally
	Recorded int
	// For is the batch's.
	For time.Duration
	// here says that the runs were made in this process.
	here bool
	// Interrupted is true if it ended before all was done, other than by a
	// violation.
	Interrupted bool
}

// FileTally counts the runs of one file.
type FileTally struct {
	File string
	Done int
	Held int
	// Worst is the worst verdict.
	Worst checker.Status

	injected []chaos.Outcome
}

// answer is a worker's answer to a task.
type answer struct {
	t task
	r *Report
}

// queue hands tasks to the workers' slots.
type queue struct {
	mu    sync.Mutex
	tasks []task
	// more makes the next task when there are none; ok is false at the end.
	more func() (t task, ok bool)
	// record tells whether failures are still recorded, and where.
	record string
}

// take returns the next task for a slot. A task that should avoid the slot
// comes last; fresh then asks for a new process.
func (q *queue) take(slot int) (t task, fresh, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.tasks) == 0 && q.more != nil {
		if t, ok = q.more(); ok {
			q.tasks = append(q.tasks, t)
		}
	}
	if len(q.tasks) == 0 {
		return task{}, false, false
	}
	at := slices.IndexFunc(q.tasks, func(t task) bool { return t.avoid != slot })
	if at < 0 {
		at, fresh = 0, true
	}
	t = q.tasks[at]
	q.tasks = slices.Delete(q.tasks, at, at+1)
	t.Record = q.record
	return t, fresh, true
}

// first puts a task before all others.
func (q *queue) first(t task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks = slices.Insert(q.tasks, 0, t)
}

// stopRecording ends recording: there are enough.
func (q *queue) stopRecording() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.record = ""
}

// tasksOf lists every run of a batch without a time: all files with the first
// seed, then with the next one, so that what only one file can find is not
// found last. Their places are in order of file.
func (b *Batch) tasksOf() []task {
	var out []task
	for i, s := range b.Scenarios {
		seeds := b.Seeds
		if b.Own && s.Seed > 0 {
			seeds = []uint64{uint64(s.Seed)}
		}
		for j, seed := range seeds {
			out = append(out, b.task(s, seed, len(out), i, j))
		}
	}
	slices.SortStableFunc(out, func(a, b task) int { return cmp.Compare(a.round, b.round) })
	return out
}

// task makes a run of the i-th file with the j-th seed.
func (b *Batch) task(s *scenario.Scenario, seed uint64, place, i, j int) task {
	t := newTask(b.World, s, seed)
	t.place, t.round, t.twice = place, j, b.Here == nil && (i+j)%repeatEvery == 0
	return t
}

// endless makes tasks until the time is over: every scenario with a seed, then
// with the next one.
func (b *Batch) endless(end time.Time) func() (task, bool) {
	n := 0
	return func() (task, bool) {
		if !time.Now().Before(end) {
			return task{}, false
		}
		i, j := n%len(b.Scenarios), n/len(b.Scenarios)
		t := b.task(b.Scenarios[i], b.Seeds[0]+uint64(j), n, i, j)
		n++
		return t, true
	}
}

// Run runs the batch until its end, the first violation or ctx's.
func (b *Batch) Run(ctx context.Context) (*Tally, error) {
	began := time.Now()
	outer := ctx
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	q, tally := &queue{record: b.Recordings}, &Tally{For: b.For, here: b.Here != nil}
	slots := b.Jobs
	if b.Here != nil {
		slots = 1
	}
	if b.For > 0 {
		q.more = b.endless(began.Add(b.For))
	} else {
		q.tasks = b.tasksOf()
		tally.Total = len(q.tasks)
		slots = min(slots, tally.Total)
	}
	for _, s := range b.Scenarios {
		tally.Files = append(tally.Files, FileTally{File: s.File, Worst: checker.Held})
	}
	answers := make(chan answer)
	var workers sync.WaitGroup
	for slot := 1; slot <= max(1, slots); slot++ {
		workers.Go(func() { b.work(ctx, slot, q, answers) })
	}
	go func() {
		workers.Wait()
		close(answers)
	}()
	reports := map[int]*Report{}
	var failure error
	for a := range answers {
		if ctx.Err() != nil && a.r.Error == interrupted {
			continue
		}
		tally.Took = time.Since(began)
		tally.add(a, reports)
		if err := b.record(a, tally, reports, q); err != nil && failure == nil {
			failure = err
		}
		if b.OnReport != nil && (!a.t.repeat || a.r.Verdict == checker.Violated) {
			b.OnReport(reports[a.t.place], tally)
		}
		if a.r.Verdict == checker.Violated && !b.KeepGoing {
			stop()
		}
		b.forget(a, reports)
	}
	tally.Took = time.Since(began)
	tally.Interrupted = outer.Err() != nil
	for _, place := range slices.Sorted(maps.Keys(reports)) {
		tally.Reports = append(tally.Reports, reports[place])
	}
	return tally, failure
}

// record sees to it that a violation is recorded, as far as there is room: one
// that the worker could not record itself has no tape.
func (b *Batch) record(a answer, t *Tally, reports map[int]*Report, q *queue) error {
	r := reports[a.t.place]
	if b.Recordings == "" || r == nil || r.Verdict != checker.Violated {
		return nil
	}
	var err error
	if r.Recording == "" && t.Recorded < MaxRecordings {
		err = Keep(b.Recordings, a.t.scenario, r)
	}
	if r.Recording != "" && !a.t.repeat {
		if t.Recorded++; t.Recorded >= MaxRecordings {
			q.stopRecording()
		}
	}
	return err
}

// forget drops the report of a run that held from a batch that has no end, once
// it is not compared any more.
func (b *Batch) forget(a answer, reports map[int]*Report) {
	if r := reports[a.t.place]; b.For > 0 && r != nil && r.Verdict == checker.Held && !r.Failed() &&
		(a.t.repeat || !a.t.twice) {
		delete(reports, a.t.place)
	}
}

// work is one slot: it keeps a worker process and feeds it.
func (b *Batch) work(ctx context.Context, slot int, q *queue, answers chan<- answer) {
	var p *proc
	defer func() {
		if p != nil {
			p.stop(ctx.Err() != nil)
		}
	}()
	for ctx.Err() == nil {
		t, fresh, ok := q.take(slot)
		if !ok {
			return
		}
		if fresh && p != nil {
			p.stop(false)
			p = nil
		}
		if b.Here != nil {
			answers <- answer{t, b.here(ctx, t)}
			continue
		}
		r, alive := (*Report)(nil), true
		if p == nil {
			var err error
			if p, err = startProc(b.Command); err != nil {
				r = &Report{Scenario: t.scenario.Name, File: t.File, Seed: t.Seed, Verdict: checker.Unknown, Error: err.Error()}
			}
		}
		if r == nil {
			if r, alive = p.run(ctx, t, b.Limit); !alive {
				p = nil
			}
		}
		answers <- answer{t, r}
		if t.twice && !t.repeat && (len(b.Seeds) > 1 || b.For > 0) && !r.Failed() {
			again := t
			again.repeat, again.avoid = true, slot
			q.first(again)
		}
	}
}

// here makes one run in this process.
func (b *Batch) here(ctx context.Context, t task) *Report {
	ctx, cancel := context.WithTimeout(ctx, b.Limit)
	defer cancel()
	return b.Here(ctx, t.scenario, t.Seed)
}

// add takes an answer in; that of a repeated run is compared with the first.
func (t *Tally) add(a answer, reports map[int]*Report) {
	if !a.t.repeat {
		reports[a.t.place] = a.r
		t.Done++
		t.Simulated += a.r.Simulated
		t.count(a.r, 1)
		t.file(a.r)
		return
	}
	was := reports[a.t.place]
	if was == nil || a.r.Failed() {
		return
	}
	t.Repeated++
	if was.Trace == a.r.Trace && was.Verdict == a.r.Verdict {
		return
	}
	t.count(was, -1)
	why := fmt.Sprintf("the same seed ran twice: trace %s and then %s, verdict %s and then %s",
		short(was.Trace), short(a.r.Trace), was.Verdict, a.r.Verdict)
	if at := slices.IndexFunc(t.Files, func(f FileTally) bool { return f.File == was.File }); at >= 0 {
		t.Files[at].Worst = checker.Violated
		if was.Verdict == checker.Held {
			t.Files[at].Held--
		}
	}
	was.Verdict = checker.Violated
	was.Findings = append([]Finding{{
		Expect: "determinism", Status: checker.Violated, Measured: why,
		Violation: &checker.Violation{Why: why},
	}}, was.Findings...)
	a.r.Verdict = checker.Violated
	t.count(was, 1)
}

func (t *Tally) count(r *Report, n int) {
	switch {
	case r.Failed():
		t.Failed += n
	case r.Verdict == checker.Violated:
		t.Violated += n
	case r.Verdict == checker.Unknown:
		t.Unknown += n
	default:
		t.Held += n
	}
}

// file counts a run to its file.
func (t *Tally) file(r *Report) {
	at := slices.IndexFunc(t.Files, func(f FileTally) bool { return f.File == r.File })
	if at < 0 {
		return
	}
	f := &t.Files[at]
	f.Done++
	switch {
	case r.Verdict == checker.Held && !r.Failed():
		f.Held++
	case r.Verdict == checker.Violated:
		f.Worst = checker.Violated
	case f.Worst == checker.Held:
		f.Worst = checker.Unknown
	}
	for _, o := range r.Faults {
		at := slices.IndexFunc(f.injected, func(sum chaos.Outcome) bool { return sum.Kind == o.Kind })
		if at < 0 {
			f.injected = append(f.injected, chaos.Outcome{Kind: o.Kind})
			at = len(f.injected) - 1
		}
		f.injected[at].Fired += o.Fired
		f.injected[at].Effective += o.Effective
	}
}

// Injected sums the faults of all runs by kind.
func (t *Tally) Injected() []chaos.Count {
	var all []chaos.Outcome
	for i := range t.Files {
		all = append(all, t.Files[i].injected...)
	}
	return chaos.CountOutcomes(all)
}
