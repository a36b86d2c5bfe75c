package lab

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/google/jsonschema-go/jsonschema"

	"drydock/scenarios/scenario"
)

// TestLabFiles reads lab files: of a good one the machines are shown, of a bad one
// the problems.
func TestLabFiles(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(_ *testing.T, d *datadriven.TestData) string {
			s, err := Parse("lab.yaml", []byte(d.Input))
			if err != nil {
				return err.Error()
			}
			var b strings.Builder
			for _, m := range s.MachineList() {
				b.WriteString(strings.Join([]string{m.Name, m.Node, string(m.Role), m.Address.String(), m.MAC}, " "))
				for _, p := range m.Ports {
					b.WriteString(" " + p.String())
				}
				for _, sh := range m.Shares {
					b.WriteString(" " + filepath.Base(sh.Host) + ":" + sh.Guest)
				}
				b.WriteString("\n")
			}
			return b.String()
		})
	})
}

// FuzzParse looks for lab files that make the reader panic, or that it takes and
// can't make machines of.
func FuzzParse(f *testing.F) {
	f.Add([]byte("lab: dev\nmachines:\n- {name: core, count: 3, memory: 512MiB, ports: [2379, \"8080:80\"], shares: [\".:/srv/x:ro\"]}\n"))
	f.Add([]byte("links: [{from: core-01, delay: 10ms}]\nnetwork: {subnet: 10.0.0.0/24, path: kernel}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse("lab.yaml", text)
		if err != nil {
			if all := (*scenario.Errors)(nil); !errors.As(err, &all) {
				t.Fatalf("not an *Errors: %v", err)
			}
			return
		}
		list := s.MachineList()
		if len(list) == 0 || len(list) > MaxMachines {
			t.Fatalf("%d machines", len(list))
		}
		site := Site{Spec: s, Machines: list}
		for i := range list {
			if len(site.NodeFlags(&list[i])) == 0 || site.Machine(list[i].Name) != &list[i] {
				t.Fatalf("%+v", list[i])
			}
		}
		site.Rules()
	})
}

var time0 = time.Unix(1416614400, 0)

// TestState: what is saved is read back, and what is not a lab's state is refused.
func TestState(t *testing.T) {
	root := t.TempDir()
	if _, err := OpenStore(root, "../x"); err == nil {
		t.Error("a name with a path in it is taken")
	}
	store, err := OpenStore(root, "dev")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Load(); !errors.Is(err, ErrNoLab) {
		t.Errorf("of no lab: %v", err)
	}
	lock, err := store.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Lock(); !errors.Is(err, ErrBusy) {
		t.Errorf("locked twice: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Error(err)
	}
	a, b := NewState(Default(3), time0), NewState(Default(3), time0)
	if a.Token == b.Token || len(a.Token) != 32 || a.Machines[0].MAC != b.Machines[0].MAC {
		t.Errorf("two labs: tokens %s and %s, MACs %s and %s", a.Token, b.Token, a.Machines[0].MAC, b.Machines[0].MAC)
	}
	if err := store.Save(a); err != nil {
		t.Fatal(err)
	}
	again, err := store.Load()
	if err != nil || again.Token != a.Token || len(again.Machines) != 3 || again.Machines[2].Address != a.Machines[2].Address {
		t.Errorf("%+v, %v", again, err)
	}
	for _, bad := range []string{"", "{", "{}", `{"version": 99, "lab": "dev", "spec": {}, "machines": [{}]}`, `{"version": 1, "lab": "../x", "spec": {}, "machines": [{}]}`} {
		if err := os.WriteFile(store.file("state.json"), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if st, err := store.Load(); err == nil {
			t.Errorf("%q is taken for %+v", bad, st)
		}
	}
	if names, err := List(root); err != nil || len(names) != 1 || names[0] != "dev" {
		t.Errorf("%v, %v", names, err)
	}
	if err := store.Remove(); err != nil {
		t.Error(err)
	}
	if names, err := List(root); err != nil || len(names) != 0 {
		t.Errorf("after its removal: %v, %v", names, err)
	}
}

// TestTheReadme: the lab file that the README shows is one, and has every key.
func TestTheReadme(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, file, _ := strings.Cut(string(text), "```yaml\n")
	file, _, _ = strings.Cut(file, "```")
	s, err := Parse("lab.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if list := s.MachineList(); len(list) != 5 || len(s.Links) != 2 {
		t.Errorf("%d machines, %d links", len(list), len(s.Links))
	}
	var keys func(s *jsonschema.Schema)
	keys = func(s *jsonschema.Schema) {
		for key, below := range s.Properties {
			if !strings.Contains(file, key+":") {
				t.Errorf("the README does not show the key %s", key)
			}
			keys(below)
		}
		if s.Items != nil {
			keys(s.Items)
		}
	}
	keys(Schema())
}
