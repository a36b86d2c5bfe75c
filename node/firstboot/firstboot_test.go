package firstboot_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/node/firstboot"
)

// drive makes a config drive of files.
func drive(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const meta = `{"hostname": "core-01", "local-ipv4": "172.17.8.101", "public-ipv4": "172.17.8.101", "uuid": "x",
"public_keys": {"b": "ssh-rsa B", "a": "ssh-rsa A"}, "drydock-link": "eth0", "drydock-prefix": 24}`

func TestApply(t *testing.T) {
	dir := drive(t, map[string]string{
		firstboot.MetaData: meta,
		firstboot.BaseData: `#cloud-config
coreos:
  etcd: {name: core-01, addr: "$private_ipv4:4001"}
  units:
    - {name: etcd.service, command: start}
    - {name: apt-daily.timer, mask: true}
`,
		firstboot.UserData: `#cloud-config
hostname: mine
coreos:
  etcd: {addr: "$private_ipv4:2379"}
  units:
    - {name: a.service, enable: true, content: "[Service]\n"}
    - {name: b.service, enable: true, runtime: true}
    - {name: a.network, content: "[Match]\n"}
write_files:
  - {path: /opt/deep/er/run, permissions: 4750, content: hello}
`,
	})
	d, err := firstboot.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	d.Config.Keys = nil // there is no user core here
	var ran []string
	m := &firstboot.Machine{
		Root: t.TempDir(), Log: io.Discard,
		Run: func(_ context.Context, name string, args ...string) error {
			ran = append(ran, name+" "+strings.Join(args, " "))
			return nil
		},
	}
	for range 2 { // once is as good as twice
		ran = nil
		if err := m.Apply(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"ip address replace 172.17.8.101/24 dev eth0",
		"ip link set eth0 up",
		"systemctl enable --no-reload -- a.service",
		"systemctl enable --runtime --no-reload -- b.service",
		"systemctl daemon-reload",
		"systemctl --no-block restart systemd-networkd.service",
		"systemctl --no-block start -- etcd.service",
	}
	if diff := cmp.Diff(want, ran); diff != "" {
		t.Errorf("programs (-want +got):\n%s", diff)
	}
	for path, text := range map[string]string{
		"/etc/hostname":                 "mine\n",
		"/opt/deep/er/run":              "hello",
		"/etc/systemd/system/a.service": "[Service]\n",
		"/run/systemd/system/etcd.service.d/20-cloudinit.conf": "[Service]\nEnvironment=\"ETCD_NAME=core-01\"\nEnvironment=\"ETCD_ADDR=172.17.8.101:2379\"\n",
	} {
		if got, err := os.ReadFile(filepath.Join(m.Root, path)); err != nil || string(got) != text {
			t.Errorf("%s: got %q, %v; want %q", path, got, err, text)
		}
	}
	info, err := os.Stat(filepath.Join(m.Root, "/opt/deep/er/run"))
	if err != nil || info.Mode() != 0o750|os.ModeSetuid {
		t.Errorf("mode: %v, %v", info.Mode(), err)
	}
	if to, err := os.Readlink(filepath.Join(m.Root, "/etc/systemd/system/apt-daily.timer")); to != "/dev/null" {
		t.Errorf("mask: %q, %v", to, err)
	}
}

// TestApplyGoesOn: what fails doesn't keep the rest from being done.
func TestApplyGoesOn(t *testing.T) {
	d, err := firstboot.Read(drive(t, map[string]string{firstboot.UserData: `#cloud-config
write_files:
  - {path: /a/b, content: x}
  - {path: /c, owner: "nobody-of-that-name", content: x}
  - {path: /d, content: x}
coreos: {units: [{name: a.service, command: start}]}
`}))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	m := &firstboot.Machine{Root: t.TempDir(), Log: &log, Run: func(_ context.Context, _ string, args ...string) error {
		if args[0] == "--no-block" {
			return errors.New("no such unit")
		}
		return nil
	}}
	if err := os.WriteFile(filepath.Join(m.Root, "a"), nil, 0o644); err != nil { // a file where a directory should be
		t.Fatal(err)
	}
	err = m.Apply(t.Context(), d)
	for _, want := range []string{"file /a/b: ", "file /c: user: unknown user nobody-of-that-name", "start a.service: no such unit"} {
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(log.String(), "failed: "+want) {
			t.Errorf("no %q in %v\nlog: %s", want, err, &log)
		}
	}
	if _, err := os.Stat(filepath.Join(m.Root, "d")); err != nil {
		t.Error(err)
	}
}

func TestReadWrong(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"meta": {map[string]string{firstboot.MetaData: "{"}, firstboot.MetaData + ": unexpected end"},
		"user": {map[string]string{firstboot.UserData: "#cloud-config\nx: 1\n"}, firstboot.UserData + `: line 2: the cloud-config: there is no key "x"`},
		"base": {map[string]string{firstboot.BaseData: "#!/bin/sh\n"}, firstboot.BaseData + ": line 1: "},
		"long": {map[string]string{firstboot.UserData: strings.Repeat("#", 2<<20)}, "at most 1048576 are read"},
		"address": {
			map[string]string{firstboot.UserData: "#cloud-config\ncoreos: {etcd: {addr: $public_ipv4}}\n"},
			"$public_ipv4 is not known on this machine",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := firstboot.Read(drive(t, test.files))
			if d != nil || !errors.Is(err, firstboot.ErrDrive) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, %v; want %q", d, err, test.want)
			}
		})
	}
	if d, err := firstboot.Read(t.TempDir()); err != nil || d.Config.Hostname != "" {
		t.Errorf("an empty drive: %+v, %v", d, err)
	}
}
