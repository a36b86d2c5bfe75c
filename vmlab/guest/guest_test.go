package guest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/node/cloudconfig"
	"drydock/node/daemon"
	"drydock/node/firstboot"
	"drydock/vmlab/guest"
	"drydock/vmlab/lab"
)

// site is a lab of three members and a worker.
func site(t *testing.T) *lab.Site {
	t.Helper()
	spec, err := lab.Parse("lab.yaml", []byte(`lab: t
machines:
  - {name: core, count: 3, metadata: [disk=ssd, rack=a], flags: [--log-level, debug]}
  - {name: work, role: worker}
`))
	if err != nil {
		t.Fatal(err)
	}
	return &lab.Site{Lab: "t", Spec: spec, Machines: spec.MachineList(), Token: "token", JoinToken: "secret"}
}

// read writes a drive and reads it as a machine does; what its plan writes is
// returned by paths.
func read(t *testing.T, d guest.Drive) (*firstboot.Drive, map[string]string) {
	t.Helper()
	dir := t.TempDir()
	if err := d.Write(dir); err != nil {
		t.Fatal(err)
	}
	got, err := firstboot.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range got.Config.Plan().Files {
		files[f.Path] = f.Text
	}
	return got, files
}

// rootKeys are the keys that let somebody in as root.
const rootKeys = "/root" + "/.ssh/authorized_keys"

// settle is the node's configuration on a machine with those files.
func settle(t *testing.T, files map[string]string) *daemon.Config {
	t.Helper()
	env := map[string]string{}
	for path, text := range files {
		if !strings.HasPrefix(path, "/run/systemd/system/etcd.service.d/") {
			continue
		}
		for line := range strings.Lines(text) {
			if pair, ok := strings.CutPrefix(strings.TrimSpace(line), "Environment="); ok {
				key, value, _ := strings.Cut(strings.Trim(pair, `"`), "=")
				env[key] = value
			}
		}
	}
	file := filepath.Join(t.TempDir(), "node.yaml")
	if err := os.WriteFile(file, []byte(files[env["DRYDOCK_CONFIG_FILE"]]), 0o600); err != nil {
		t.Fatal(err)
	}
	env["DRYDOCK_CONFIG_FILE"] = file
	c, err := daemon.Load(nil, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestMember: a machine that is told nothing else founds the cluster with the
// others.
func TestMember(t *testing.T) {
	s := site(t)
	d, err := guest.New(s, &s.Machines[1], guest.Way{Link: "vec0", Key: "ssh-ed25519 AAAA lab"})
	if err != nil {
		t.Fatal(err)
	}
	drive, files := read(t, d)
	c := settle(t, files)
	want := "core-01=http://172.17.8.101:2380,core-02=http://172.17.8.102:2380,core-03=http://172.17.8.103:2380"
	if c.Name != "core-02" || c.InitialCluster != want || c.InitialClusterToken != "token" || c.JoinToken != "secret" || c.MachineID != s.Machines[1].ID || c.PublicIP != "172.17.8.102" {
		t.Errorf("configuration: %+v", c)
	}
	if diff := cmp.Diff(map[string]string{"disk": "ssd", "rack": "a"}, c.Metadata); diff != "" {
		t.Errorf("metadata (-want +got):\n%s", diff)
	}
	if drive.Meta.Link != "vec0" || drive.Meta.PrivateIPv4 != "172.17.8.102" || drive.Config.Hostname != "core-02" {
		t.Errorf("drive: %+v", drive.Meta)
	}
	if files[rootKeys] != "ssh-ed25519 AAAA lab\n" || !strings.Contains(files["/etc/hosts"], "172.17.8.104 work-01\n") {
		t.Errorf("files: %q", files)
	}
	if !strings.Contains(files["/run/systemd/system/etcd.service.d/10-lab.conf"], `Environment="DRYDOCK_FLAGS=--log-level debug"`) {
		t.Errorf("flags: %q", files)
	}
	jobs := []cloudconfig.Job{{Command: "start", Unit: "etcd.service"}, {Command: "start", Unit: "fleet.service"}}
	if diff := cmp.Diff(jobs, drive.Config.Plan().Jobs); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}
}

func TestWorker(t *testing.T) {
	s := site(t)
	d, err := guest.New(s, &s.Machines[3], guest.Way{})
	if err != nil {
		t.Fatal(err)
	}
	_, files := read(t, d)
	if c := settle(t, files); c.Join != "http://172.17.8.101:2380" || c.InitialCluster != "" || c.JoinToken != "secret" {
		t.Errorf("configuration: %+v", c)
	}
	if _, ok := files[rootKeys]; ok {
		t.Error("somebody is let in without a key")
	}
}

// TestUsersPlaces: a user who says where etcd is and how it finds the others says
// all of it.
func TestUsersPlaces(t *testing.T) {
	s := site(t)
	m := &s.Machines[0]
	m.CloudConfig = `#cloud-config
hostname: coreos1
coreos:
  etcd:
    name: coreos1
    discovery: http://192.0.2.9:4001/v2/keys/cluster
    addr: $private_ipv4:4001
    peer-addr: $private_ipv4:7001
    bind-addr: 0.0.0.0
  fleet: {metadata: disk=hdd}
`
	d, err := guest.New(s, m, guest.Way{})
	if err != nil {
		t.Fatal(err)
	}
	drive, files := read(t, d)
	c := settle(t, files)
	if c.Name != "coreos1" || c.Discovery == "" || c.InitialCluster != "" && strings.Contains(c.InitialCluster, "core-02") || c.Metadata["disk"] != "hdd" || drive.Config.Hostname != "coreos1" {
		t.Errorf("configuration: %+v", c)
	}
}

func TestWrongCloudConfig(t *testing.T) {
	s := site(t)
	s.Machines[0].CloudConfig = "#cloud-config\nhostnam: x\n"
	if _, err := guest.New(s, &s.Machines[0], guest.Way{}); err == nil || err.Error() != `core-01: cloud_config: line 2: the cloud-config: there is no key "hostnam"` {
		t.Errorf("got %v", err)
	}
}

// TestUsersPorts: a user who says only where etcd listens founds with the others
// there.
func TestUsersPorts(t *testing.T) {
	s := site(t)
	for i := range s.Machines[:3] {
		s.Machines[i].CloudConfig = "#cloud-config\ncoreos: {etcd: {addr: \"$private_ipv4:4001\", peer-addr: \"$private_ipv4:7001\"}}\n"
		s.Machines[i].Client, s.Machines[i].Peer = 4001, 7001
	}
	d, err := guest.New(s, &s.Machines[2], guest.Way{})
	if err != nil {
		t.Fatal(err)
	}
	_, files := read(t, d)
	want := "core-01=http://172.17.8.101:7001,core-02=http://172.17.8.102:7001,core-03=http://172.17.8.103:7001"
	if c := settle(t, files); c.InitialCluster != want || c.Addr != "172.17.8.103:4001" || c.Name != "core-03" {
		t.Errorf("configuration: %+v", c)
	}
}
