package scheduler

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Trace is the machines of a cluster and the tasks that came to it.
type Trace struct {
	Name     string
	Machines []Node
	// Tasks are in the order of their arrival.
	Tasks []Task
}

// Node is a machine of a trace.
type Node struct {
	Name string
	// CPU is in thousandths of a core, Memory in MiB.
	CPU, Memory int64
	// GPUs is how many devices it has, of which Model.
	GPUs  int
	Model string
}

// Task is what ran on a machine.
type Task struct {
	Name string
	// CPU is in thousandths of a core, Memory in MiB.
	CPU, Memory int64
	// GPUs is how many devices it takes, Share how much of one in thousandths:
	// below 1,000 only of a single one.
	GPUs, Share int
	// Models are those that will do; none is any.
	Models []string
	// Created and Deleted are seconds from the trace's start.
	Created, Deleted float64
}

// gpu is what a task takes of GPUs, in thousandths of one.
func (t *Task) gpu() int64 { return int64(t.GPUs) * int64(t.Share) }

// errTrace is of a file that isn't as the traces are.
var errTrace = errors.New("not a trace")

// The names of a trace's files.
const (
	nodeFiles = "openb_node_list_*.csv"
	taskFiles = "openb_pod_list_*.csv"
)

// ReadTraces reads the machines and each list of tasks in a folder: the CSVs of the
// Alibaba 2023 GPU cluster trace. If there are several lists of machines, the one
// that says "all" counts, else the first.
func ReadTraces(dir string) ([]Trace, error) {
	nodes, err := filepath.Glob(filepath.Join(dir, nodeFiles))
	if err != nil {
		return nil, err
	}
	lists, err := filepath.Glob(filepath.Join(dir, taskFiles))
	if err != nil {
		return nil, err
	}
	switch {
	case len(nodes) == 0:
		return nil, fmt.Errorf("%w: %s has no %s", errTrace, dir, nodeFiles)
	case len(lists) == 0:
		return nil, fmt.Errorf("%w: %s has no %s", errTrace, dir, taskFiles)
	}
	from := nodes[max(0, slices.IndexFunc(nodes, func(n string) bool { return strings.Contains(filepath.Base(n), "all") }))]
	machines, err := readFile(from, parseNodes)
	if err != nil {
		return nil, err
	}
	var traces []Trace
	for _, list := range lists {
		tasks, err := readFile(list, parseTasks)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(list), "openb_pod_list_"), ".csv")
		traces = append(traces, Trace{Name: name, Machines: machines, Tasks: tasks})
	}
	return traces, nil
}

func readFile[T any](name string, parse func(io.Reader) ([]T, error)) ([]T, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	list, err := parse(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return list, nil
}

// table reads a CSV by the names of its columns.
type table struct {
	r       *csv.Reader
	columns map[string]int
	row     []string
	line    int
	err     error // the first of the row
}

// newTable reads the header, which must have these columns.
func newTable(r io.Reader, columns ...string) (*table, error) {
	t := &table{r: csv.NewReader(r), columns: make(map[string]int)}
	t.r.ReuseRecord = true
	header, err := t.r.Read()
	if err != nil {
		return nil, fmt.Errorf("%w: line 1: %w", errTrace, err)
	}
	for i, name := range header {
		t.columns[strings.TrimSpace(name)] = i
	}
	for _, name := range columns {
		if _, ok := t.columns[name]; !ok {
			return nil, fmt.Errorf("%w: line 1: there is no column %q", errTrace, name)
		}
	}
	return t, nil
}

// next goes to the next row; it returns io.EOF after the last.
func (t *table) next() (err error) {
	if t.row, err = t.r.Read(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %w", errTrace, err) // it names the line
	}
	t.line, _ = t.r.FieldPos(0)
	t.err = nil
	return err
}

func (t *table) text(column string) string { return t.row[t.columns[column]] }

// number reads a number from 0 to most; one that is absent is 0.
func (t *table) number(column string, most float64) float64 {
	s := t.text(column)
	if s == "" {
		return 0
	}
	n, err := strconv.ParseFloat(s, 64)
	if (err != nil || math.IsNaN(n) || n < 0 || n > most) && t.err == nil {
		t.err = fmt.Errorf("%w: line %d: %s is %q, want a number from 0 to %.0f", errTrace, t.line, column, s, most)
	}
	return n
}

// Bounds of what a trace may say.
const (
	mostCPU    = 1e7 // 10,000 cores
	mostMemory = 1e9 // a pebibyte
	mostGPUs   = 64
	mostTime   = 1e12
)

func parseNodes(r io.Reader) ([]Node, error) {
	t, err := newTable(r, "sn", "cpu_milli", "memory_mib", "gpu", "model")
	if err != nil {
		return nil, err
	}
	var list []Node
	for {
		err := t.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		n := Node{
			Name: strings.Clone(t.text("sn")), CPU: int64(t.number("cpu_milli", mostCPU)), Memory: int64(t.number("memory_mib", mostMemory)),
			GPUs: int(t.number("gpu", mostGPUs)), Model: strings.Clone(t.text("model")),
		}
		if n.Name == "" && t.err == nil {
			t.err = fmt.Errorf("%w: line %d: sn is empty", errTrace, t.line)
		}
		if t.err != nil {
			return nil, t.err
		}
		list = append(list, n)
	}
	slices.SortStableFunc(list, func(a, b Node) int { return strings.Compare(a.Name, b.Name) })
	for i := range list[:max(0, len(list)-1)] {
		if list[i].Name == list[i+1].Name {
			return nil, fmt.Errorf("%w: machine %q is there twice", errTrace, list[i].Name)
		}
	}
	return list, nil
}

func parseTasks(r io.Reader) ([]Task, error) {
	t, err := newTable(r, "name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec", "creation_time", "deletion_time")
	if err != nil {
		return nil, err
	}
	var list []Task
	for {
		err := t.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		task := Task{
			Name: strings.Clone(t.text("name")), CPU: int64(t.number("cpu_milli", mostCPU)), Memory: int64(t.number("memory_mib", mostMemory)),
			GPUs: int(t.number("num_gpu", mostGPUs)), Share: int(t.number("gpu_milli", 1000)),
			Created: t.number("creation_time", mostTime), Deleted: t.number("deletion_time", mostTime),
		}
		if spec := t.text("gpu_spec"); spec != "" {
			task.Models = strings.Split(strings.Clone(spec), "|")
		}
		if t.text("deletion_time") == "" {
			task.Deleted = math.Inf(1)
		}
		if t.err == nil && task.Deleted < task.Created {
			t.err = fmt.Errorf("%w: line %d: deletion_time is before creation_time", errTrace, t.line)
		}
		if t.err != nil {
			return nil, t.err
		}
		list = append(list, task)
	}
	slices.SortStableFunc(list, func(a, b Task) int { return cmp.Compare(a.Created, b.Created) })
	return list, nil
}
