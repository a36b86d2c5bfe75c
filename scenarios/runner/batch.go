package runner

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"drydock/chaos"
	"drydock/scenarios/checker"
	"drydock/scenarios/scenario"
)

// repeatEvery is one in how many seeds runs a second time to compare the trace
// hashes: 5%.
const repeatEvery = 20

// Batch is many runs in worker processes: every scenario with every seed.
type Batch struct {
	Scenarios []*scenario.Scenario
	Seeds     []uint64
	World     string
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
	// Reports are those of all finished runs, in order of file, then seed.
	Reports []*Report
	// Interrupted is true if it ended before all was done, other than by a
	// violation.
	Interrupted bool
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
}

// take returns the next task for a slot. A task that should avoid the slot
// comes last; fresh then asks for a new process.
func (q *queue) take(slot int) (t task, fresh, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.tasks) == 0 {
		return task{}, false, false
	}
	at := slices.IndexFunc(q.tasks, func(t task) bool { return t.avoid != slot })
	if at < 0 {
		at, fresh = 0, true
	}
	t = q.tasks[at]
	q.tasks = slices.Delete(q.tasks, at, at+1)
	return t, fresh, true
}

// first puts a task before all others.
func (q *queue) first(t task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks = slices.Insert(q.tasks, 0, t)
}

// tasksOf lists every run of the batch. With several seeds, those of one file
// follow one another.
func (b *Batch) tasksOf() []task {
	var out []task
	for _, s := range b.Scenarios {
		for _, seed := range b.Seeds {
			out = append(out, task{World: b.World, File: s.File, Text: s.Text, Seed: seed, scenario: s, place: len(out)})
		}
	}
	return out
}

// Run runs the batch until its end, the first violation or ctx's.
func (b *Batch) Run(ctx context.Context) (*Tally, error) {
	began := time.Now()
	outer := ctx
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	q := &queue{tasks: b.tasksOf()}
	tally := &Tally{Total: len(q.tasks)}
	answers := make(chan answer)
	var workers sync.WaitGroup
	for slot := 1; slot <= max(1, min(b.Jobs, tally.Total)); slot++ {
		workers.Go(func() { b.work(ctx, slot, q, answers) })
	}
	go func() {
		workers.Wait()
		close(answers)
	}()
	reports := make([]*Report, tally.Total)
	for a := range answers {
		if ctx.Err() != nil && a.r.Error == interrupted {
			continue
		}
		tally.Took = time.Since(began)
		tally.add(a, reports)
		if b.OnReport != nil && (!a.t.repeat || a.r.Verdict == checker.Violated) {
			b.OnReport(reports[a.t.place], tally)
		}
		if a.r.Verdict == checker.Violated && !b.KeepGoing {
			stop()
		}
	}
	tally.Took = time.Since(began)
	tally.Interrupted = outer.Err() != nil
	tally.Reports = slices.DeleteFunc(reports, func(r *Report) bool { return r == nil })
	tally.recount()
	return tally, nil
}

// repeats tells whether the n-th of a batch's runs is done twice.
func (b *Batch) repeats(n int) bool {
	return n%repeatEvery == repeatEvery/2 || n == 0
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
		if b.repeats(t.place) && !t.repeat && len(b.Seeds) > 1 && !r.Failed() {
			again := t
			again.repeat, again.avoid = true, slot
			q.first(again)
		}
	}
}

// add takes an answer in; that of a repeated run is compared with the first.
func (t *Tally) add(a answer, reports []*Report) {
	if !a.t.repeat {
		reports[a.t.place] = a.r
		t.Done++
		t.count(a.r, 1)
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

// recount sums what the reports say, at the end.
func (t *Tally) recount() {
	t.Simulated = 0
	for _, r := range t.Reports {
		t.Simulated += r.Simulated
	}
}

// Injected sums the faults of all runs by kind.
func (t *Tally) Injected() []chaos.Count {
	var all []chaos.Outcome
	for _, r := range t.Reports {
		all = append(all, r.Faults...)
	}
	return chaos.CountOutcomes(all)
}
