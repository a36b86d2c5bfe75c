package lab

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// specWith reads a lab file beside a file with user-data.
func specWith(t *testing.T, userData string) *Spec {
	t.Helper()
	file := filepath.Join(t.TempDir(), "lab.yaml")
	s, err := Parse(file, []byte("lab: t\nmachines: [{name: core, count: 2, cloud_config: user-data}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if userData != "" {
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), "user-data"), []byte(userData), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestUserData(t *testing.T) {
	text := "#cloud-config\ncoreos: {etcd: {addr: \"$private_ipv4:4001\", peer-addr: \"$public_ipv4:7001\"}}\n"
	s := specWith(t, text)
	if err := s.ReadUserData(); err != nil {
		t.Fatal(err)
	}
	m := s.MachineList()[1]
	if m.CloudConfig != text || m.ClientURL() != "http://172.17.8.102:4001" || m.PeerURL() != "http://172.17.8.102:7001" {
		t.Errorf("machine: %+v, %s, %s", m, m.ClientURL(), m.PeerURL())
	}
}

func TestUserDataWrong(t *testing.T) {
	for text, want := range map[string]string{
		"":                            "no such file",
		"#cloud-config\nhostnam: a\n": "user-data: cloud_config of core: line 2: the cloud-config: there is no key \"hostnam\"",
	} {
		if err := specWith(t, text).ReadUserData(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}
