package chaos

import "time"

// card is one fault that a nemesis may draw: how often, relative to others,
// and how its parameters and its length are drawn. No parameters: there is none
// left of it.
type card struct {
	kind   Kind
	weight int
	deal   func(d *dealer) (Params, time.Duration)
}

// deck lists the cards. Those that end by themselves or by restart_after have
// no length.
func deck() []card {
	return append(processCards(), append(networkCards(), diskCards()...)...)
}

// processCards are the faults of processes, clocks and the membership.
func processCards() []card {
	return []card{
		{KindCrash, 10, func(d *dealer) (Params, time.Duration) {
			return &Crash{Node: d.node(), LoseUnsynced: d.rng.IntN(4) > 0, Torn: d.rng.IntN(2) == 0, RestartAfter: d.back()}, 0
		}},
		{KindPowerLoss, 2, func(d *dealer) (Params, time.Duration) {
			return &PowerLoss{
				LoseUnsynced: true, Torn: d.rng.IntN(2) == 0,
				RestartAfter: d.time(50*time.Millisecond, time.Second), Jitter: d.time(time.Millisecond, 800*time.Millisecond),
			}, 0
		}},
		{KindPause, 5, func(d *dealer) (Params, time.Duration) {
			return &Pause{Node: d.node()}, d.time(100*time.Millisecond, 2*time.Second)
		}},
		{KindSlowNode, 3, func(d *dealer) (Params, time.Duration) {
			return &SlowNode{Node: d.node(), Latency: d.latency(5*time.Millisecond, 60*time.Millisecond)}, d.time(time.Second, 4*time.Second)
		}},
		{KindTransfer, 3, func(d *dealer) (Params, time.Duration) {
			return &Transfer{To: Selectors{Follower}}, 0
		}},
		{KindClockRate, 3, func(d *dealer) (Params, time.Duration) {
			rate := pick(d.rng, 0.5, 0.8, 0.95, 1.05, 1.25, 2)
			return &ClockRate{Node: d.node(), Rate: rate, Clock: pick(d.rng, ClockBoth, ClockMono, ClockWall)}, d.time(time.Second, 6*time.Second)
		}},
		{KindClockJump, 2, jump},
		{KindMembership, 2, change},
		{KindReplace, 1, func(d *dealer) (Params, time.Duration) {
			return &Replace{Node: d.node()}, 0
		}},
		{KindFailpoint, 5, func(d *dealer) (Params, time.Duration) {
			p := &Failpoint{Node: d.node(), At: pick(d.rng, busyPoints...), Nth: 1, Do: DoCrash, Stall: usualStall, RestartAfter: d.back()}
			if p.At == "wal.append" || p.At == "wal.sync" {
				p.Nth += d.rng.IntN(20)
			}
			if d.rng.IntN(4) == 0 && p.At != PointBoot {
				p.Do, p.RestartAfter, p.Stall = DoStall, 0, d.latency(200*time.Millisecond, 2*time.Second)
			}
			return p, d.time(2*time.Second, 6*time.Second)
		}},
	}
}

// busyPoints are points for failpoints, those that a node comes to often more
// than once.
var busyPoints = []string{
	"wal.append", "wal.append", "wal.sync", "wal.sync", "wal.mark", "wal.release", "wal.reset", "checkpoint.write", "checkpoint.write",
	"snapshot.export", "snapshot.read", "snapshot.chunk", "snapshot.verify", "snapshot.install", PointBoot,
}

// jump moves clocks: the calendar anywhere, timers only ahead.
func jump(d *dealer) (Params, time.Duration) {
	p := &ClockJump{Node: d.node(), Clock: ClockWall, Direction: pick(d.rng, "forward", "back")}
	p.By = d.latency(10*time.Millisecond, time.Hour)
	if d.rng.IntN(3) == 0 {
		p.Clock, p.Direction, p.By = ClockMono, "forward", d.latency(10*time.Millisecond, 2*time.Second)
	}
	return p, d.time(time.Second, 6*time.Second)
}

// change lets a spare machine join, or one that has joined leave again.
func change(d *dealer) (Params, time.Duration) {
	if len(d.inside) > 0 && d.rng.IntN(2) == 0 {
		name := d.inside[0]
		d.inside = d.inside[1:]
		return &Membership{Remove: []string{name}}, 0
	}
	if d.joined == len(d.n.Spares) {
		return nil, 0
	}
	name := d.n.Spares[d.joined]
	d.joined++
	d.inside = append(d.inside, name)
	return &Membership{Add: []string{name}}, 0
}

// networkCards are the faults of links.
func networkCards() []card {
	some := func(d *dealer) Links {
		switch d.rng.IntN(4) {
		case 0:
			return Links{From: d.node(), To: Selectors{All}}
		case 1:
			return Links{From: Selectors{All}, To: d.node()}
		}
		return Links{From: Selectors{All}, To: Selectors{All}}
	}
	return []card{
		{KindPartition, 9, func(d *dealer) (Params, time.Duration) {
			return cuts(d), d.time(200*time.Millisecond, 3*time.Second)
		}},
		{KindFlap, 3, func(d *dealer) (Params, time.Duration) {
			p := &Flap{Node: d.node(), Direction: pick(d.rng, "both", "in", "out")}
			p.Up, p.Down = d.latency(50*time.Millisecond, 600*time.Millisecond), d.latency(50*time.Millisecond, 600*time.Millisecond)
			return p, d.time(time.Second, 4*time.Second)
		}},
		{KindDelay, 4, func(d *dealer) (Params, time.Duration) {
			return &Delay{Links: some(d), Latency: d.latency(2*time.Millisecond, 100*time.Millisecond), Jitter: d.latency(time.Millisecond, 50*time.Millisecond)},
				d.time(500*time.Millisecond, 4*time.Second)
		}},
		{KindLoss, 4, func(d *dealer) (Params, time.Duration) {
			return &Loss{Links: some(d), Probability: d.chance(2, 25)}, d.time(500*time.Millisecond, 4*time.Second)
		}},
		{KindDuplicate, 3, func(d *dealer) (Params, time.Duration) {
			return &Duplicate{Links: some(d), Probability: d.chance(2, 30)}, d.time(500*time.Millisecond, 6*time.Second)
		}},
		{KindReorder, 4, func(d *dealer) (Params, time.Duration) {
			return &Reorder{Links: some(d), Probability: d.chance(5, 40), Window: d.latency(10*time.Millisecond, 300*time.Millisecond)},
				d.time(500*time.Millisecond, 6*time.Second)
		}},
	}
}

// cuts draws a partition's shape.
func cuts(d *dealer) *Partition {
	p := &Partition{Direction: "both"}
	switch d.rng.IntN(8) {
	case 0:
		p.Shape = "halves"
	case 1:
		p.Shape = "ring"
	case 2:
		p.Shape = "bridge"
	case 3:
		p.Bridge = d.node()
	default:
		p.Isolate = d.node()
		p.Direction = pick(d.rng, "both", "both", "in", "out")
	}
	return p
}

// diskCards are the faults of disks.
func diskCards() []card {
	// spoiling cards run out before a majority of the disks is struck for good.
	spoiling := func(deal func(d *dealer) (Params, time.Duration)) func(d *dealer) (Params, time.Duration) {
		return func(d *dealer) (Params, time.Duration) {
			if !d.spoil() {
				return nil, 0
			}
			return deal(d)
		}
	}
	return []card{
		{KindSlowDisk, 4, func(d *dealer) (Params, time.Duration) {
			return &SlowDisk{Node: d.node(), Latency: d.latency(10*time.Millisecond, 500*time.Millisecond)}, d.time(500*time.Millisecond, 4*time.Second)
		}},
		{KindDiskStall, 3, func(d *dealer) (Params, time.Duration) {
			return &DiskStall{Node: d.node()}, d.time(100*time.Millisecond, 2*time.Second)
		}},
		{KindDiskFull, 2, func(d *dealer) (Params, time.Duration) {
			return &DiskFull{Node: d.node(), Free: pick(d.rng, 0, 512, 4096, 65536)}, d.time(500*time.Millisecond, 3*time.Second)
		}},
		{KindDiskError, 3, func(d *dealer) (Params, time.Duration) {
			p := &DiskError{Node: d.node(), On: pick(d.rng, "sync", "write"), Nth: 1 + d.rng.IntN(20), Times: 1 + d.rng.IntN(2)}
			p.Files = pick(d.rng, FilesLog, FilesLog, FilesCheckpoint, FilesSnapshot, FilesAny)
			return p, d.time(time.Second, 3*time.Second)
		}},
		{KindMisdirectedWrite, 1, spoiling(func(d *dealer) (Params, time.Duration) {
			return &MisdirectedWrite{Node: d.node()}, d.time(2*time.Second, 4*time.Second)
		})},
		{KindBitRot, 2, spoiling(func(d *dealer) (Params, time.Duration) {
			return &BitRot{Node: d.node(), Files: pick(d.rng, FilesLog, FilesCheckpoint), Bits: 1 + d.rng.IntN(4)}, 0
		})},
		{KindLostEntry, 1, spoiling(func(d *dealer) (Params, time.Duration) {
			return &LostEntry{Node: d.node(), Files: pick(d.rng, FilesLog, FilesCheckpoint)}, 0
		})},
		{KindWipe, 1, func(d *dealer) (Params, time.Duration) {
			return &Wipe{Node: d.node(), RestartAfter: d.time(500*time.Millisecond, 2*time.Second)}, 0
		}},
	}
}
