package scheduler

import (
	"cmp"
	"slices"
)

// packing is a cluster's machines with what is free on each, GPUs device by device.
type packing struct {
	nodes []loaded
	total amounts
}

// amounts are CPU in thousandths of a core, memory in MiB, GPUs in thousandths.
type amounts struct{ cpu, memory, gpu int64 }

func (a *amounts) add(t *Task, sign int64) {
	a.cpu += sign * t.CPU
	a.memory += sign * t.Memory
	a.gpu += sign * t.gpu()
}

type loaded struct {
	*Node
	free    amounts
	devices []int // free thousandths of each
	tasks   int
}

func newPacking(t *Trace) *packing {
	p := &packing{nodes: make([]loaded, len(t.Machines))}
	for i := range t.Machines {
		n := &t.Machines[i]
		l := loaded{Node: n, free: amounts{n.CPU, n.Memory, 1000 * int64(n.GPUs)}, devices: make([]int, n.GPUs)}
		for k := range l.devices {
			l.devices[k] = 1000
		}
		p.nodes[i] = l
		p.total.cpu += l.free.cpu
		p.total.memory += l.free.memory
		p.total.gpu += l.free.gpu
	}
	return p
}

// allows says whether a machine has what a task asks for, GPUs summed up: as the
// scheduler counts.
func (l *loaded) allows(t *Task) bool {
	return l.free.cpu >= t.CPU && l.free.memory >= t.Memory && l.free.gpu >= t.gpu() && l.suits(t)
}

func (l *loaded) suits(t *Task) bool { return len(t.Models) == 0 || slices.Contains(t.Models, l.Model) }

// hosts says whether its devices have it, too: whole ones, or a part of one.
func (l *loaded) hosts(t *Task) bool {
	if !l.allows(t) {
		return false
	}
	n := 0
	for _, free := range l.devices {
		if free >= t.Share {
			n++
		}
	}
	return n >= t.GPUs
}

// held is a task on a machine, and what it took of each device.
type held struct {
	node  int
	took  []int
	split bool
}

// put puts a task on a machine, on the devices with the least free that have
// enough. If the devices haven't, though their sum has, it takes what there is and
// says that the task is split: it could not have run.
func (p *packing) put(t *Task, node int) held {
	l := &p.nodes[node]
	h := held{node: node}
	h.split = !l.hosts(t)
	l.free.add(t, -1)
	l.tasks++
	if t.gpu() == 0 {
		return h
	}
	h.took = make([]int, len(l.devices))
	order := make([]int, len(l.devices))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(l.devices[a], l.devices[b]) })
	left, need := int(t.gpu()), t.Share
	if h.split {
		slices.Reverse(order)
		need = 0
	}
	for _, i := range order {
		if l.devices[i] < need {
			continue
		}
		take := min(left, l.devices[i], t.Share)
		if h.split {
			take = min(left, l.devices[i])
		}
		l.devices[i] -= take
		h.took[i] = take
		left -= take
	}
	return h
}

// lift takes it off again.
func (p *packing) lift(t *Task, h held) {
	l := &p.nodes[h.node]
	l.free.add(t, +1)
	l.tasks--
	for i, n := range h.took {
		l.devices[i] += n
	}
}

// used is how many machines have a task.
func (p *packing) used() (n int) {
	for i := range p.nodes {
		if p.nodes[i].tasks > 0 {
			n++
		}
	}
	return n
}

// typical are kinds of tasks with GPUs, by how often they come.
type typical struct {
	task  Task
	often float64 // of all, 0 to 1
}

// typicals counts the kinds of a trace's tasks that ask for GPUs.
func typicals(t *Trace) []typical {
	var list []typical
	total := 0.0
	index := make(map[string]int)
	for i := range t.Tasks {
		task := t.Tasks[i]
		if task.gpu() == 0 {
			continue
		}
		total++
		key := kindOf(&task)
		k, known := index[key]
		if !known {
			k = len(list)
			index[key] = k
			list = append(list, typical{task: task})
		}
		list[k].often++
	}
	for i := range list {
		list[i].often /= total
	}
	return list
}

// fragments is the share of what is free of GPUs that a typical task can't use: on
// machines that can't host it all that is free, else the devices with less than it
// takes of one. (Weng et al., USENIX ATC 2023, for tasks that ask for GPUs.)
func (p *packing) fragments(kinds []typical) float64 {
	var free, lost float64
	for i := range p.nodes {
		l := &p.nodes[i]
		if l.free.gpu == 0 {
			continue
		}
		free += float64(l.free.gpu)
		for k := range kinds {
			t := &kinds[k].task
			if !l.hosts(t) {
				lost += kinds[k].often * float64(l.free.gpu)
				continue
			}
			for _, d := range l.devices {
				if d < t.Share {
					lost += kinds[k].often * float64(d)
				}
			}
		}
	}
	if free == 0 {
		return 0
	}
	return lost / free
}
