package firstboot_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"drydock/node/cloudconfig"
	"drydock/node/firstboot"
)

// limaSeed is a drive as Lima 1.2 makes it.
var limaSeed = map[string]string{
	"meta-data": "instance-id: iid-1700000000\nlocal-hostname: lima-core-01\n",
	"user-data": `#cloud-config
# vim:syntax=yaml

growpart:
  mode: auto
  devices: ['/']
users:
  - name: "core"
    uid: "1000"
    homedir: "/home/core"
    shell: /bin/bash
    sudo: ALL=(ALL) NOPASSWD:ALL
    lock_passwd: true
    ssh-authorized-keys:
      - "ssh-ed25519 AAAA lima"
write_files:
 - content: |
      #!/bin/sh
      exec "${LIMA_CIDATA_MNT}"/boot.sh
   owner: root:root
   path: /var/lib/cloud/scripts/per-boot/00-lima.boot.sh
   permissions: '0755'
manage_resolv_conf: true
resolv_conf:
  nameservers:
  - 192.168.5.3
`,
	"network-config": `version: 2
ethernets:
  eth0:
    match:
      macaddress: '52:55:55:AA:BB:CC'
    dhcp4: true
    set-name: eth0
    dhcp4-overrides:
      route-metric: 200
    dhcp-identifier: mac
    nameservers:
      addresses:
      - 192.168.5.3
  lab0:
    match:
      macaddress: '02:dd:00:00:00:05'
    dhcp4: true
    set-name: lab0
    dhcp4-overrides:
      route-metric: 100
    dhcp-identifier: mac
`,
	"lima.env": `LIMA_CIDATA_USER=core
LIMA_CIDATA_DATAFILE_00000001_OVERWRITE=true
LIMA_CIDATA_DATAFILE_00000001_OWNER=root:root
LIMA_CIDATA_DATAFILE_00000001_PATH=/etc/hello
LIMA_CIDATA_DATAFILE_00000001_PERMISSIONS=640
LIMA_CIDATA_PLAIN=1
`,
	"provision.data/00000001": "hello\n",
}

func TestReadSeed(t *testing.T) {
	s, err := firstboot.ReadSeed(drive(t, limaSeed))
	if err != nil {
		t.Fatal(err)
	}
	want := &firstboot.Seed{
		Hostname: "lima-core-01",
		Users:    []firstboot.User{{Name: "core", UID: "1000", Home: "/home/core", Shell: "/bin/bash", Keys: []string{"ssh-ed25519 AAAA lima"}}},
		Files:    []cloudconfig.File{{Path: "/etc/hello", Text: "hello\n", Mode: 0o640, Owner: "root:root"}},
		Links: []firstboot.Link{
			{Name: "eth0", MAC: "52:55:55:aa:bb:cc", Metric: 200, Resolvers: []netip.Addr{netip.MustParseAddr("192.168.5.3")}},
			{Name: "lab0", MAC: "02:dd:00:00:00:05", Metric: 100},
		},
		Done: limaSeed["meta-data"],
	}
	if diff := cmp.Diff(want, s, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if s, err := firstboot.ReadSeed(t.TempDir()); s != nil || err != nil {
		t.Errorf("a directory without one: %+v, %v", s, err)
	}
}

// TestSeedOfOthers: of a drive that isn't Lima's the user-data is a cloud-config.
func TestSeedOfOthers(t *testing.T) {
	s, err := firstboot.ReadSeed(drive(t, map[string]string{
		"meta-data": "local-hostname: a\n",
		"user-data": "#cloud-config\nhostname: b\nwrite_files: [{path: /x, content: y}]\n",
	}))
	if err != nil {
		t.Fatal(err)
	}
	d := &firstboot.Drive{}
	d.Add(s)
	if d.Config.Hostname != "b" || len(d.Config.Files) != 1 || s.Done != "" {
		t.Errorf("%+v", d)
	}
}

// TestApplySeed: the drive's own link gets the drive's address, the other one asks
// for its; who is not there is made; Lima hears of the end.
func TestApplySeed(t *testing.T) {
	files := map[string]string{}
	for name, text := range limaSeed { // any order: into a map
		files[name] = text
	}
	files["user-data"] = "users: [{name: drydock-nobody, uid: \"4294\", homedir: /nobody, ssh-authorized-keys: [k]}]\n"
	delete(files, "lima.env")
	files["lima.env"] = "LIMA_CIDATA_PLAIN=1\n"
	s, err := firstboot.ReadSeed(drive(t, files))
	if err != nil {
		t.Fatal(err)
	}
	d, err := firstboot.Read(drive(t, map[string]string{
		firstboot.MetaData: `{"hostname": "core-01", "local-ipv4": "172.17.8.101", "drydock-link": "02:DD:00:00:00:05", "drydock-prefix": 24}`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	d.Add(s)
	root := drive(t, map[string]string{
		"sys/class/net/lo/address":   "00:00:00:00:00:00\n",
		"sys/class/net/eth0/address": "52:55:55:aa:bb:cc\n",
		"sys/class/net/eth1/address": "02:dd:00:00:00:05\n",
	})
	var ran []string
	m := &firstboot.Machine{Root: root, Log: io.Discard, Run: func(_ context.Context, name string, args ...string) error {
		ran = append(ran, name+" "+strings.Join(args, " "))
		return nil
	}}
	// Nobody of that name is there, so that the key's file can have no owner.
	if err := m.Apply(t.Context(), d); err == nil || !strings.Contains(err.Error(), "unknown user drydock-nobody") {
		t.Errorf("%v", err)
	}
	want := []string{
		"ip address replace 172.17.8.101/24 dev eth1",
		"ip link set eth1 up",
		"useradd --password * --create-home --home-dir /nobody --uid 4294 -- drydock-nobody",
		"systemctl daemon-reload",
		"systemctl --no-block start -- drydock-lease-eth0.service",
	}
	if diff := cmp.Diff(want, ran); diff != "" {
		t.Errorf("programs (-want +got):\n%s", diff)
	}
	for path, want := range map[string]string{
		"etc/hostname":       "core-01\n",
		"etc/resolv.conf":    "nameserver 192.168.5.3\n",
		"etc/sudoers.d/lima": "drydock-nobody ALL=(ALL) NOPASSWD: ALL\n",
		firstboot.DoneFile:   limaSeed["meta-data"],
		"run/drydock/lease":  "#!/bin/sh\n",
		"run/systemd/system/drydock-lease-eth0.service": "udhcpc -f -i eth0 ",
	} { // any order: each by itself
		if got, err := os.ReadFile(filepath.Join(root, path)); err != nil || !strings.Contains(string(got), want) {
			t.Errorf("%s: got %q, %v", path, got, err)
		}
	}
}

func TestApplySeedWithoutDevice(t *testing.T) {
	d := &firstboot.Drive{Meta: firstboot.Meta{Link: "02:dd:00:00:00:05", PrivateIPv4: "172.17.8.101", Prefix: 24}}
	m := &firstboot.Machine{Root: t.TempDir(), Log: io.Discard, Run: func(context.Context, string, ...string) error { return nil }}
	if err := m.Apply(t.Context(), d); err == nil || !strings.Contains(err.Error(), "02:dd:00:00:00:05: there is no such network device") {
		t.Errorf("%v", err)
	}
}

// seedsWrong are drives with one file in another's place, and what is said of them.
var seedsWrong = map[string]struct{ name, text, want string }{
	"meta":     {"meta-data", "a: [", "meta-data: "},
	"user":     {"user-data", "users: 7\n", "user-data: "},
	"name":     {"user-data", "users: [{name: a b}]\n", `user-data: users: "a b" is not a user's name`},
	"option":   {"user-data", "users: [{name: -r}]\n", `"-r" is not a user's name`},
	"uid":      {"user-data", "users: [{name: a, uid: x}]\n", `users: a: uid: "x" is not a number`},
	"home":     {"user-data", "users: [{name: a, homedir: b}]\n", `users: a: homedir: "b" is not an absolute path`},
	"key":      {"user-data", "users: [{name: a, ssh-authorized-keys: [\"x\\ny\"]}]\n", "users: a: ssh-authorized-keys: want one line"},
	"network":  {"network-config", "ethernets: {a: {dhcp4: true}}\n", `network-config: ethernets: "a": want a name`},
	"link":     {"network-config", "ethernets: {\"a/b\": {dhcp4: true, match: {macaddress: \"02:dd:00:00:00:05\"}}}\n", `"a/b": want a name`},
	"resolver": {"network-config", "ethernets: {a: {dhcp4: true, match: {macaddress: \"02:dd:00:00:00:05\"}, nameservers: {addresses: [x]}}}\n", `nameservers: "x" is not an address`},
	"number":   {"lima.env", "LIMA_CIDATA_DATAFILE_x_PATH=/a\n", "lima.env: LIMA_CIDATA_DATAFILE_x_PATH: want a number"},
	"missing":  {"lima.env", "LIMA_CIDATA_DATAFILE_7_PATH=/a\n", "provision.data/7 is missing"},
	"path":     {"lima.env", "LIMA_CIDATA_DATAFILE_00000001_PATH=/../a\n", `file 00000001: PATH: "/../a" is not`},
	"mode":     {"lima.env", "LIMA_CIDATA_DATAFILE_00000001_PATH=/a\nLIMA_CIDATA_DATAFILE_00000001_PERMISSIONS=9\n", `PERMISSIONS: "9" is not as chmod`},
	"long":     {"user-data", strings.Repeat("#", 2<<20), "at most 1048576 are read"},
}

func TestReadSeedWrong(t *testing.T) {
	for name, test := range seedsWrong { // any order: tests of their own
		t.Run(name, func(t *testing.T) {
			dir := drive(t, limaSeed)
			if err := os.WriteFile(filepath.Join(dir, test.name), []byte(test.text), 0o644); err != nil {
				t.Fatal(err)
			}
			s, err := firstboot.ReadSeed(dir)
			if s != nil && err == nil || !errors.Is(err, firstboot.ErrDrive) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, %v; want %q", s, err, test.want)
			}
		})
	}
}

// FuzzReadSeed: whatever a drive has, a seed is what it should be or an error.
func FuzzReadSeed(f *testing.F) {
	f.Add(limaSeed["meta-data"], limaSeed["user-data"], limaSeed["network-config"], limaSeed["lima.env"])
	for _, test := range seedsWrong { // any order: seeds
		if len(test.text) < 1000 {
			f.Add("", test.text, test.text, test.text)
		}
	}
	f.Fuzz(func(t *testing.T, meta, user, network, env string) {
		dir := drive(t, map[string]string{"meta-data": meta, "user-data": user, "network-config": network, "lima.env": env, "provision.data/1": "x"})
		s, err := firstboot.ReadSeed(dir)
		if err != nil {
			return
		}
		if s == nil {
			t.Fatal("no seed where there is one")
		}
		for _, u := range s.Users {
			if u.Name == "" || strings.ContainsAny(u.Name, " :/\n") || strings.ContainsAny(u.Home+u.Shell, "\n:") {
				t.Errorf("user %+v", u)
			}
		}
		for _, file := range s.Files {
			if !filepath.IsAbs(file.Path) || filepath.Clean(file.Path) != file.Path {
				t.Errorf("file %+v", file)
			}
		}
	})
}
