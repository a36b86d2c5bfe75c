package scheduler

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	nodeHead = "sn,cpu_milli,memory_mib,gpu,model\n"
	taskHead = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n"
)

func TestParse(t *testing.T) {
	nodes, err := parseNodes(strings.NewReader(nodeHead + "b,32000,262144,8,G2\na,4000,1000,0,\n"))
	want := []Node{{Name: "a", CPU: 4000, Memory: 1000}, {Name: "b", CPU: 32000, Memory: 262144, GPUs: 8, Model: "G2"}}
	if d := cmp.Diff(want, nodes); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
	tasks, err := parseTasks(strings.NewReader(taskHead + "late,1000,10,1,460,,LS,Running,9,12.5,9\nfirst,2000,20,2,1000,T4|P100,BE,Failed,1,,1\n"))
	if err != nil {
		t.Fatal(err)
	}
	wantTasks := []Task{
		{Name: "first", CPU: 2000, Memory: 20, GPUs: 2, Share: 1000, Models: []string{"T4", "P100"}, Created: 1, Deleted: math.Inf(1)},
		{Name: "late", CPU: 1000, Memory: 10, GPUs: 1, Share: 460, Created: 9, Deleted: 12.5},
	}
	if d := cmp.Diff(wantTasks, tasks); d != "" {
		t.Error(d)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                      "line 1: EOF",
		"sn,cpu_milli\n":        `no column "memory_mib"`,
		nodeHead + "a,x,1,0,\n": `line 2: cpu_milli is "x", want a number`,
		nodeHead + "a,1,1,0,\nb,1,1,,\n,1,1,0,\n": "line 4: sn is empty",
		nodeHead + "a,1,1,65,\n":                  `gpu is "65", want a number from 0 to 64`,
		nodeHead + "a,-1,1,0,\n":                  `cpu_milli is "-1"`,
		nodeHead + "a,NaN,1,0,\n":                 `cpu_milli is "NaN"`,
		nodeHead + "a,1,1\n":                      "wrong number of fields",
		nodeHead + "a,1,1,0,\na,1,1,0,\n":         `machine "a" is there twice`,
	} {
		if _, err := parseNodes(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	for text, want := range map[string]string{
		nodeHead:                                 `no column "name"`,
		taskHead + "a,1,1,1,1001,,,,0,1,0\n":     `gpu_milli is "1001", want a number from 0 to 1000`,
		taskHead + "a,1,1,1,1000,,,,9,1,0\n":     "line 2: deletion_time is before creation_time",
		taskHead + "a,1,1,1,\"10\n00,,,,9,1,0\n": "not a trace",
	} {
		if _, err := parseTasks(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestReadTraces(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ReadTraces(dir); err == nil || !strings.Contains(err.Error(), nodeFiles) {
		t.Errorf("an empty folder: %v", err)
	}
	write("openb_node_list_a_part.csv", nodeHead)
	write("openb_node_list_all_node.csv", nodeHead+"n,1,1,0,\n")
	if _, err := ReadTraces(dir); err == nil || !strings.Contains(err.Error(), taskFiles) {
		t.Errorf("a folder without tasks: %v", err)
	}
	write("openb_pod_list_b.csv", taskHead)
	write("openb_pod_list_a.csv", taskHead+"t,1,1,0,0,,,,0,1,0\n")
	traces, err := ReadTraces(dir)
	if err != nil || len(traces) != 2 || traces[0].Name != "a" || len(traces[0].Tasks) != 1 || len(traces[1].Machines) != 1 {
		t.Errorf("%+v, %v", traces, err)
	}
	write("openb_pod_list_b.csv", "x\n")
	if _, err := ReadTraces(dir); err == nil || !strings.Contains(err.Error(), "openb_pod_list_b.csv") {
		t.Errorf("a damaged list: %v", err)
	}
}

func FuzzTrace(f *testing.F) {
	f.Add(nodeHead + "a,1,1,1,G2\n")
	f.Add(taskHead + "a,1,1,1,500,G2,,,0,1,0\n")
	f.Fuzz(func(t *testing.T, text string) {
		nodes, err := parseNodes(strings.NewReader(text))
		for _, n := range nodes {
			if err != nil || n.Name == "" || n.CPU < 0 || n.GPUs < 0 || n.GPUs > mostGPUs {
				t.Errorf("%q: %+v, %v", text, n, err)
			}
		}
		tasks, err := parseTasks(strings.NewReader(text))
		for _, task := range tasks {
			if err != nil || task.Share < 0 || task.Share > 1000 || !(task.Created <= task.Deleted) {
				t.Errorf("%q: %+v, %v", text, task, err)
			}
		}
	})
}
