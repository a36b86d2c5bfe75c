package machine

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/node/machine/tether"
	"drydock/node/unit"
)

func TestWhatAHostSaysOfItself(t *testing.T) {
	dir := t.TempDir()
	about := About{DataDir: dir, URLs: []string{"http://127.0.0.1:2379"}, Version: "v", Metadata: map[string]string{"a": "b"}, Resources: map[string]int64{"gpu": 2000}}
	first, err := Describe(about)
	if err != nil {
		t.Fatal(err)
	}
	if !tether.IsID(first.ID) || !tether.IsID(first.Boot) || first.Name == "" || first.Version != "v" {
		t.Errorf("%+v", first)
	}
	if _, err := netip.ParseAddr(first.PrimaryIP); err != nil {
		t.Error(err)
	}
	if r := first.Resources; r[unit.Memory] <= 0 || r[unit.Disk] <= 0 || r[unit.CPU]%1000 != 0 || r["gpu"] != 2000 {
		t.Errorf("%v", r)
	}
	again, err := Describe(about)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("asked again: %s", diff)
	}
	other, err := Describe(About{DataDir: t.TempDir(), Unaccounted: true, PublicIP: "192.0.2.1"})
	if err != nil || other.ID == first.ID || other.Resources != nil || other.PrimaryIP != "192.0.2.1" {
		t.Errorf("another directory: %+v, %v", other, err)
	}
	facts := specifiers(&first)
	if facts.MachineID != first.ID || facts.Kernel == "" || facts.User == "" || facts.Group == "" || facts.Arch == "" {
		t.Errorf("%+v", facts)
	}
}

func TestAnIDThatIsNone(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{"", "n1", strings.Repeat("G", 32), strings.Repeat("0", 32)} {
		if err := os.WriteFile(filepath.Join(dir, idFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Describe(About{DataDir: dir}); !errors.Is(err, ErrID) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := Describe(About{DataDir: filepath.Join(dir, "none")}); err == nil {
		t.Error("a directory that isn't there")
	}
}

func TestMetadataAndResources(t *testing.T) {
	set, err := ParseMetadata("region=eu-west, disk.type=ssd,,x=a=b")
	if diff := cmp.Diff(map[string]string{"region": "eu-west", "disk.type": "ssd", "x": "a=b"}, set); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	list, none, err := ParseResources("cpu=1.5,memory=2G,gpu=2")
	if diff := cmp.Diff(map[string]int64{"cpu": 1500, "memory": 2 << 30, "gpu": 2000}, list); err != nil || none || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
	if list, none, err := ParseResources("none"); list != nil || !none || err != nil {
		t.Errorf("%v %v %v", list, none, err)
	}
	for text, part := range map[string]string{"a": `"a"`, "a=": `"a="`, "a b=c": "letters", "a=1,a=2": "twice"} {
		if _, err := ParseMetadata(text); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for text, part := range map[string]string{"cpu": `"cpu"`, "memory=2X": "memory", "cpu=-1": "cpu"} {
		if _, _, err := ParseResources(text); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzParseResources(f *testing.F) {
	f.Add("cpu=1.5,memory=2G")
	f.Fuzz(func(t *testing.T, text string) {
		list, none, err := ParseResources(text)
		if err != nil && (list != nil || none) || none && text != "none" {
			t.Errorf("%q: %v %v %v", text, list, none, err)
		}
		for name, amount := range list {
			if amount < 0 || !isKey(name) {
				t.Errorf("%q: %s=%d", text, name, amount)
			}
		}
	})
}
