package disk

import (
	"math/rand/v2"
	"slices"

	"drydock/node/world"
)

// CrashOptions say what kind of crash it is.
type CrashOptions struct {
	// LoseUnsynced: the machine lost power, so what was not synced may be lost.
	// Otherwise only the process died: jobs in flight are cut short, and the
	// rest is kept (but still not durable).
	LoseUnsynced bool
	// Torn: a write that was not synced may be kept in part, by sectors. It
	// needs LoseUnsynced.
	Torn bool
}

// Loss counts what a crash took away.
type Loss struct {
	// Jobs is the number of jobs in flight that were cut short.
	Jobs int
	// Writes and Bytes count writes that are gone wholly.
	Writes int
	Bytes  int64
	// Torn counts writes that are gone in part; a bbolt session cut short is one.
	Torn int
	// Entries counts directory changes (creations, renames, removals) undone.
	Entries int
}

// keepChances are the chances, one drawn for each power cut, that something not
// synced survives: nothing, everything, and mixtures, since each finds other
// faults in recovery.
var keepChances = [...]float64{0, 0.1, 0.5, 0.5, 0.9, 1}

// Crash turns the disk into what is found at the next boot. Open files become
// useless, jobs in flight are forgotten.
func (d *Disk) Crash(rng *rand.Rand, o CrashOptions) Loss {
	var loss Loss
	d.cutJobs(rng, &loss)
	if o.LoseUnsynced {
		keep := keepChances[rng.IntN(len(keepChances))]
		for _, n := range d.nodes {
			n.losePower(rng, keep, o.Torn, &loss)
		}
		for _, dir := range d.dirs {
			dir.losePower(rng, keep, &loss)
		}
	}
	d.epoch++
	for _, n := range d.nodes {
		n.handles = 0
	}
	d.sweep()
	for _, n := range d.nodes {
		n.rebuild()
	}
	d.note(Event{Kind: OpCrash, Off: int64(loss.Writes), Len: loss.Bytes})
	return loss
}

// cutJobs ends every job in flight at a random operation: those before it have
// happened, the others have not. A lane goes no further than its first cut.
func (d *Disk) cutJobs(rng *rand.Rand, loss *Loss) {
	jobs := d.jobs
	d.jobs, d.current = nil, nil
	var stopped [world.NumLanes]bool
	var happened, dropped []*op
	for _, j := range jobs {
		cut := 0
		if !stopped[j.lane] {
			cut = rng.IntN(len(j.ops) + 1)
		}
		happened = append(happened, j.ops[:cut]...)
		if cut == len(j.ops) {
			continue
		}
		if at := j.ops[cut]; at.kind == OpBolt && !stopped[j.lane] {
			// Cut in the midst of bbolt's commit.
			at.data = partialImage(rng, at.before, at.data)
			happened = append(happened, at)
			loss.Torn++
			cut++
		}
		stopped[j.lane] = true
		loss.Jobs++
		dropped = append(dropped, j.ops[cut:]...)
	}
	for _, o := range dropped {
		d.drop(o, loss)
	}
	d.settle(happened)
	for _, dir := range d.dirs {
		dir.rebuild()
	}
}

// drop undoes an operation that never happened.
func (d *Disk) drop(o *op, loss *Loss) {
	is := func(p *op) bool { return p == o }
	switch {
	case o.file != nil:
		o.file.pending = slices.DeleteFunc(o.file.pending, is)
		if o.kind == OpWrite {
			loss.Writes++
			loss.Bytes += int64(len(o.data))
		}
	case o.dir != nil:
		o.dir.pending = slices.DeleteFunc(o.dir.pending, is)
		if o.kind != OpSyncDir {
			loss.Entries++
		}
	}
}

// losePower decides the fate of everything in the file that was not synced.
func (n *inode) losePower(rng *rand.Rand, keep float64, torn bool, loss *Loss) {
	for _, o := range n.pending {
		kept := rng.Float64() < keep && !o.forsaken
		switch {
		case o.kind == OpWrite && torn && !o.forsaken && keep > 0 && keep < 1 && rng.IntN(3) == 0:
			n.durable = applyTorn(rng, n.durable, o)
			loss.Torn++
		case kept:
			n.durable = o.apply(n.durable)
		case o.kind == OpWrite:
			loss.Writes++
			loss.Bytes += int64(len(o.data))
		}
	}
	n.pending = nil
}

// applyTorn writes each sector of o with an even chance.
func applyTorn(rng *rand.Rand, image []byte, o *op) []byte {
	end := o.off + int64(len(o.data))
	for from := o.off; from < end; {
		to := min(end, (from/SectorBytes+1)*SectorBytes)
		if rng.IntN(2) == 0 {
			image = grown(image, to)
			copy(image[from:to], o.data[from-o.off:to-o.off])
		}
		from = to
	}
	return image
}

// losePower decides the fate of the changes of entries that were not synced.
func (dir *directory) losePower(rng *rand.Rand, keep float64, loss *Loss) {
	for _, o := range dir.pending {
		if rng.Float64() < keep {
			o.applyDir(dir.durable)
		} else {
			loss.Entries++
		}
	}
	dir.pending = nil
	dir.rebuild()
}
