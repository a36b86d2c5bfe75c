package cloudconfig_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/node/cloudconfig"
)

var here = cloudconfig.Variables{PrivateIPv4: "172.17.8.101", PublicIPv4: "203.0.113.1"}

// article is the cloud-config of a machine of 2014, with its addresses as variables.
const article = `#cloud-config

hostname: coreos1

coreos:
    etcd:
        name: coreos1
        discovery: http://192.168.2.10:4001/v2/keys/cluster
        addr: $private_ipv4:4001
        peer-addr: $private_ipv4:7001
        bind-addr: 0.0.0.0
    fleet:
        public_ip: $public_ipv4
        metadata: disk="ssd",rate=100%

    units:
      - name: etcd.service
        command: start
      - name: docker.service
        command: start
      - name: fleet.service
        command: start

ssh_authorized_keys:
  - ssh-rsa AAAA core@example

write_files:
  - path: /etc/systemd/network/10-static.network
    permissions: 0644
    content: |
      [Match]
      Name=ens*
`

func parse(t *testing.T, text string) *cloudconfig.Config {
	t.Helper()
	c, err := cloudconfig.Parse([]byte(text), here)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestArticle(t *testing.T) {
	want := &cloudconfig.Plan{
		Hostname: "coreos1",
		Files: []cloudconfig.File{
			{Path: "/etc/systemd/network/10-static.network", Text: "[Match]\nName=ens*\n", Mode: 0o644},
			{Path: "/home/core" + "/.ssh/authorized_keys.d/cloud-config", Text: "ssh-rsa AAAA core@example\n", Mode: 0o600, Owner: "core:core"},
			{
				Path: "/run/systemd/system/etcd.service.d/20-cloudinit.conf", Mode: 0o644,
				Text: `[Service]
Environment="ETCD_NAME=coreos1"
Environment="ETCD_DISCOVERY=http://192.168.2.10:4001/v2/keys/cluster"
Environment="ETCD_ADDR=172.17.8.101:4001"
Environment="ETCD_PEER_ADDR=172.17.8.101:7001"
Environment="ETCD_BIND_ADDR=0.0.0.0"
`,
			},
			{Path: "/run/systemd/system/fleet.service.d/20-cloudinit.conf", Text: fleetDropIn, Mode: 0o644},
			{Path: "/run/systemd/system/etcd.service.d/20-cloudinit-fleet.conf", Text: fleetDropIn, Mode: 0o644},
		},
		Jobs: []cloudconfig.Job{{Command: "start", Unit: "etcd.service"}, {Command: "start", Unit: "docker.service"}, {Command: "start", Unit: "fleet.service"}},
	}
	if diff := cmp.Diff(want, parse(t, article).Plan()); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

const fleetDropIn = `[Service]
Environment="FLEET_PUBLIC_IP=203.0.113.1"
Environment="FLEET_METADATA=disk=\"ssd\",rate=100%%"
`

// TestUnits covers what may be asked for a unit.
func TestUnits(t *testing.T) {
	got := parse(t, `#cloud-config
coreos:
  units:
    - name: a.service
      runtime: yes
      enable: on
      content: "[Service]\n"
      drop-ins:
        - name: 10-b.conf
          content: "[Unit]\n"
    - {name: b.service, enable: true, command: restart}
    - {name: c.timer, mask: true}
    - name: 00-eth.network
      content: "[Match]\n"
`).Plan()
	want := &cloudconfig.Plan{
		Files: []cloudconfig.File{
			{Path: "/run/systemd/system/a.service", Text: "[Service]\n", Mode: 0o644},
			{Path: "/run/systemd/system/a.service.d/10-b.conf", Text: "[Unit]\n", Mode: 0o644},
			{Path: "/etc/systemd/network/00-eth.network", Text: "[Match]\n", Mode: 0o644},
		},
		Masks:         []string{"/etc/systemd/system/c.timer"},
		Enable:        []string{"b.service"},
		EnableRuntime: []string{"a.service"},
		Network:       true,
		Jobs:          []cloudconfig.Job{{Command: "restart", Unit: "b.service"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("plan (-want +got):\n%s", diff)
	}
}

// TestScalars: what looks like a number or a truth is a text all the same.
func TestScalars(t *testing.T) {
	got := parse(t, `#cloud-config
coreos: {etcd: {name: 1.10, snapshot-count: 100}}
write_files:
  - {path: /a, permissions: 1744, content: off}
  - {path: /b, encoding: base64, content: aGVs bG8=, owner: "core:core"}
  - {path: //c/./d, content: 'costs \$private_ipv4 $private_ipv4$public_ipv4'}
`)
	want := &cloudconfig.Config{
		Etcd: []cloudconfig.Setting{{Name: "name", Value: "1.10"}, {Name: "snapshot_count", Value: "100"}},
		Files: []cloudconfig.File{
			{Path: "/a", Text: "off", Mode: 0o1744},
			{Path: "/b", Text: "hello", Mode: 0o644, Owner: "core:core"},
			{Path: "/c/d", Text: "costs $private_ipv4 172.17.8.101203.0.113.1", Mode: 0o644},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func TestEmpty(t *testing.T) {
	for _, text := range []string{"#cloud-config", "#cloud-config\r\n", "#cloud-config\n# nothing\n", "#cloud-config\ncoreos:\n  units:\n"} {
		if diff := cmp.Diff(new(cloudconfig.Config), parse(t, text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestMerge(t *testing.T) {
	c := parse(t, article)
	c.Merge(parse(t, `#cloud-config
hostname: other
coreos:
  etcd: {name: other, cors: "*"}
  units: [{name: docker.service, mask: true}]
ssh_authorized_keys: [ssh-rsa AAAA core@example, ssh-rsa BBBB]
`))
	if c.Hostname != "other" || len(c.Keys) != 2 || len(c.Units) != 3 || !c.Units[1].Mask || c.Units[1].Command != "" {
		t.Errorf("merged: %+v", c)
	}
	if c.Etcd[0].Value != "other" || len(c.Etcd) != 6 {
		t.Errorf("merged settings: %+v", c.Etcd)
	}
}

// TestProblems: whatever is wrong is said, all of it, where it is.
func TestProblems(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", `line 1: the first line must be "#cloud-config"`},
		{"a space", "# cloud-config\n", `line 1: the first line must be "#cloud-config"`},
		{"script", "#!/bin/sh\n", `line 1: the first line must be "#cloud-config"`},
		{"bytes", "#cloud-config\n\xff", "it is not UTF-8"},
		{"long", "#cloud-config\n" + strings.Repeat("#", cloudconfig.MaxBytes), "it is 1048590 bytes long, at most 1048576 are read"},
		{"yaml", "#cloud-config\na: b: c\n", "line 2: mapping values are not allowed in this context"},
		{"a list", "#cloud-config\n- a\n", "line 2: the cloud-config: want keys with values"},
		{"several", "#cloud-config\nhostnam: a\ncoreos:\n  etcd: {adr: x}\n  update: {group: beta}\n", `line 2: the cloud-config: there is no key "hostnam"
line 4: etcd: there is no key "adr"
line 5: coreos: "update" is not supported`},
		{"twice", "#cloud-config\nhostname: a\nhostname: b\n", `line 3: the cloud-config: a second "hostname"; the first is on line 2`},
		{"twice, spelt apart", "#cloud-config\ncoreos:\n  etcd:\n    peer-addr: a\n    peer_addr: b\n", `line 5: etcd: a second "peer_addr"; the first is on line 4`},
		{"hostname", "#cloud-config\nhostname: -a\n", `line 2: hostname: "-a" is not a host's name`},
		{"number", "#cloud-config\ncoreos: {etcd: {snapshot_count: many}}\n", `line 2: etcd.snapshot_count: "many" is not a whole number`},
		{"lines", "#cloud-config\ncoreos: {etcd: {name: \"a\\nb\"}}\n", "line 2: etcd.name: want one line"},
		{"path", "#cloud-config\nwrite_files:\n  - path: /a/../../etc/passwd\n  - path: b\n  - content: c\n", `line 3: path: "/a/../../etc/passwd" is not the absolute path of a file
line 4: path: "b" is not the absolute path of a file
line 5: write_files: a file without a path`},
		{"mode", "#cloud-config\nwrite_files: [{path: /a, permissions: 0999}]\n", `line 2: permissions: "0999" is not as chmod has them: 0644`},
		{"encoding", "#cloud-config\nwrite_files: [{path: /a, encoding: gzip}]\n", `line 2: write_files: the encoding "gzip" is not supported`},
		{"base64", "#cloud-config\nwrite_files: [{path: /a, encoding: b64, content: '!'}]\n", "line 2: content: it is not base64"},
		{"units", "#cloud-config\ncoreos:\n  units:\n    - name: a\n    - command: start\n    - {name: b.service, command: run}\n    - {name: c.service, mask: true, command: start}\n", `line 4: name: "a" is not a unit's name
line 5: units: a unit without a name
line 6: command: "run" is not one of start, stop, restart, reload, try-restart, reload-or-restart, reload-or-try-restart
line 7: units: c.service is masked, and is to run`},
		{"escape", "#cloud-config\ncoreos: {units: [{name: ../a.service}, {name: b.service, drop_ins: [{name: a/b.conf}]}]}\n", `line 2: name: "../a.service" is not a unit's name
line 2: name: "a/b.conf" is not a drop-in's name: 10-more.conf`},
		{"network", "#cloud-config\ncoreos: {units: [{name: a.network, command: start}]}\n", "line 2: units: a.network is networkd's, which reads it by itself: no command, no enable"},
		{"key", "#cloud-config\nssh_authorized_keys:\n  - \"a\\nb\"\n  - [c]\n", "line 3: ssh_authorized_keys: want one line for each key\nline 4: ssh_authorized_keys: want a text\nline 4: ssh_authorized_keys: want one line for each key"},
		{"truth", "#cloud-config\ncoreos: {units: [{name: a.service, enable: maybe}]}\n", "line 2: enable: want true or false"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := cloudconfig.Parse([]byte(test.text), here)
			var problems *cloudconfig.Error
			if c != nil || !errors.As(err, &problems) {
				t.Fatalf("got %+v, %v", c, err)
			}
			if err.Error() != test.want {
				t.Errorf("got\n%v\nwant\n%s", err, test.want)
			}
		})
	}
}

// TestUnknownAddress: a variable that nobody has set is no empty text.
func TestUnknownAddress(t *testing.T) {
	_, err := cloudconfig.Parse([]byte("#cloud-config\n\ncoreos: {etcd: {addr: \"$private_ipv4:4001\"}}\n"), cloudconfig.Variables{})
	if want := "line 3: $private_ipv4 is not known on this machine"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// FuzzParse: no text makes a plan with a file outside of where it says, or a
// drop-in with lines of its own.
func FuzzParse(f *testing.F) {
	f.Add([]byte(article))
	f.Add([]byte("#cloud-config\ncoreos: {units: [&a {name: a.service, drop_ins: [*a]}]}\n"))
	f.Add([]byte("#cloud-config\na: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := cloudconfig.Parse(text, here)
		if err != nil {
			return
		}
		p := c.Plan()
		for _, file := range p.Files {
			if !strings.HasPrefix(file.Path, "/") || strings.Contains(file.Path+"/", "/../") || file.Mode > 0o7777 {
				t.Errorf("file %q with mode %o", file.Path, file.Mode)
			}
		}
		for _, s := range append(c.Etcd, c.Fleet...) {
			if strings.ContainsAny(s.Value, "\r\n\x00") {
				t.Errorf("setting %q", s)
			}
		}
		again := parse(t, string(text))
		if diff := cmp.Diff(p, again.Plan()); diff != "" {
			t.Errorf("read twice (-first +second):\n%s", diff)
		}
	})
}
