package scheduler

import (
	"fmt"
	"math/rand/v2"
)

// kindOfNode and kindOfTask are how often something occurs in the trace, in
// thousandths.
type kindOfNode struct {
	often int
	Node
}

type kindOfTask struct {
	often int
	Task
}

// The shape of the Alibaba trace: its commonest kinds of machines and of tasks, with
// their shares.
var (
	nodeKinds = []kindOfNode{
		{361, Node{CPU: 96_000, Memory: 393_216, GPUs: 8, Model: "G2"}},
		{254, Node{CPU: 104_000, Memory: 524_288, GPUs: 2, Model: "T4"}},
		{86, Node{CPU: 16_000, Memory: 122_880, GPUs: 2, Model: "P100"}},
		{26, Node{CPU: 128_000, Memory: 786_432, GPUs: 8, Model: "G3"}},
		{37, Node{CPU: 32_000, Memory: 131_072, GPUs: 4, Model: "V100"}},
		{32, Node{CPU: 8_000, Memory: 32_768, GPUs: 1, Model: "V100"}},
		{204, Node{CPU: 64_000, Memory: 262_144}},
	}
	taskKinds = []kindOfTask{
		{135, Task{CPU: 12_000, Memory: 16_384}},
		{195, Task{CPU: 3_152, Memory: 5_600, GPUs: 1, Share: 1000}},
		{280, Task{CPU: 11_400, Memory: 48_128, GPUs: 1, Share: 1000}},
		{130, Task{CPU: 8_000, Memory: 30_517, GPUs: 1, Share: 810}},
		{90, Task{CPU: 11_908, Memory: 47_104, GPUs: 1, Share: 470}},
		{70, Task{CPU: 18_708, Memory: 64_512, GPUs: 1, Share: 650}},
		{90, Task{CPU: 4_000, Memory: 15_000, GPUs: 1, Share: 230}},
		{2, Task{CPU: 16_000, Memory: 65_536, GPUs: 2, Share: 1000}},
		{2, Task{CPU: 32_000, Memory: 131_072, GPUs: 4, Share: 1000}},
		{6, Task{CPU: 64_000, Memory: 262_144, GPUs: 8, Share: 1000}},
	}
)

// Invent makes a trace of the same shape as Alibaba's: as many tasks ask for as much
// of as many machines. A seed decides it.
func Invent(machines, tasks int, seed uint64) Trace {
	random := rand.New(rand.NewPCG(seed, 0x7261_6365))
	t := Trace{Name: "invented"}
	for i := range machines {
		n := draw(random, nodeKinds, func(k kindOfNode) int { return k.often }).Node
		n.Name = fmt.Sprintf("node-%05d", i)
		t.Machines = append(t.Machines, n)
	}
	at := 0.0
	for i := range tasks {
		one := draw(random, taskKinds, func(k kindOfTask) int { return k.often }).Task
		at += random.ExpFloat64() * 60
		one.Name, one.Created = fmt.Sprintf("task-%05d", i), at
		one.Deleted = at + random.ExpFloat64()*20*3600
		t.Tasks = append(t.Tasks, one)
	}
	return t
}

// draw takes one of a list by how often each occurs.
func draw[T any](random *rand.Rand, list []T, often func(T) int) T {
	total := 0
	for _, one := range list {
		total += often(one)
	}
	n := random.IntN(total)
	for _, one := range list {
		if n -= often(one); n < 0 {
			return one
		}
	}
	return list[len(list)-1]
}
