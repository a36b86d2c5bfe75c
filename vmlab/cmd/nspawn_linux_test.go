package cmd_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"drydock/vmlab/image"
)

// needNspawn skips a test of containers with systemd where there can be none, and
// returns a shell for one.
func needNspawn(t *testing.T) *shell {
	s := newShell(t)
	if _, err := exec.LookPath("systemd-nspawn"); err != nil {
		t.Skip("skipped: no systemd-nspawn: apt-get install systemd-container")
	}
	s.withImage()
	if i, err := (image.Store{Dir: filepath.Join(s.dir, image.Root)}).Open(image.Default); err != nil || !i.HasRoot() {
		t.Skip("skipped: the image was built by an ordinary user: sudo drydock lab image build --force")
	}
	return s
}

// helloUnit and apacheUnit are those of an article of March 2014.
const (
	helloUnit = `[Unit]
Description=MyApp
After=docker.service
Requires=docker.service

[Service]
ExecStart=/usr/bin/docker run busybox /bin/sh -c "while true; do echo Hello World; sleep 1; done"
`
	apacheUnit = `[Unit]
Description=My Apache Frontend
After=docker.service
Requires=docker.service

[Service]
ExecStart=/usr/bin/docker run -name apache -p 80:80 coreos/apache /usr/sbin/apache2ctl -D FOREGROUND
ExecStop=/usr/bin/docker stop apache

[X-Fleet]
X-Conflicts=apache.*.service
`
)

// put writes a file on a machine.
func (s *shell) put(machine, path, text string) {
	s.t.Helper()
	s.exec(machine, "cat > "+path+" <<'END OF FILE'\n"+text+"END OF FILE\n")
}

// TestNspawn takes a lab of containers with systemd from up to down. A unit with a
// container is one of that machine's systemd, and goes elsewhere when the machine
// loses its power.
func TestNspawn(t *testing.T) {
	s := needNspawn(t)
	s.write("lab.yaml", "driver: nspawn\n"+machinesFile)
	s.write("user-data", strings.Replace(userData, "  units:\n", "  units:\n    - name: docker.service\n      command: start\n", 1))
	s.must("lab", "up")
	s.checkMachines(3)
	if console, err := os.ReadFile(filepath.Join(s.dir, ".drydock/labs/left/machines/core-01/console.log")); err != nil || !strings.Contains(string(console), "host name core-01") {
		t.Errorf("the console: %v\n%s", err, console)
	}
	if out, code := s.run("lab", "image", "remove", image.Default); code != 4 || !strings.Contains(out, "a lab is up") {
		t.Errorf("removing the image of a lab that is up: exit status %d\n%s", code, out)
	}

	s.put("core-02", "/opt/hello.service", helloUnit)
	s.exec("core-02", "fleetctl start /opt/hello.service")
	// where looks for the machine that has the unit, and what it has made, besides one.
	where := func(besides string) (name string) {
		for _, m := range []string{"core-01", "core-02", "core-03"} {
			if m == besides {
				continue
			}
			out, code := s.run("lab", "exec", m, "--", "sh", "-c", "systemctl is-active hello.service && docker ps --format '{{.Image}}'")
			if code == 0 && out == "active\nbusybox\n" {
				return m
			}
		}
		return ""
	}
	var first, second string
	s.within("hello.service runs", func() bool { first = where(""); return first != "" })
	// The way in goes with the machine.
	_, _ = s.run("lab", "exec", first, "--", "systemctl", "poweroff", "--force", "--force")
	s.within("hello.service runs elsewhere", func() bool { second = where(first); return second != "" })
	s.within("and says so", func() bool { return strings.Contains(s.exec(second, "fleetctl journal hello"), "Hello World") })
	s.must("lab", "up")
	s.healthy()
	if got := s.exec(first, "etcdctl get /message; cat /run/greeted"); got != "Hello\nhello from 172.17.8.10"+first[len(first)-1:] {
		t.Errorf("after its power has gone: %q", got)
	}
	s.keeperDies()
}

// articleFile is a lab of the article's two machines and of the etcd that they find
// each other by.
const articleFile = `lab: left
driver: nspawn
machines:
  - name: disco
    cloud_config: disco.yml
  - name: one
    cloud_config: one.yml
  - name: two
    cloud_config: two.yml
`

const discoConfig = `#cloud-config
coreos:
  etcd:
    name: disco
    addr: $private_ipv4:4001
    peer-addr: $private_ipv4:7001
`

// articleConfig is the article's cloud-config, with its placeholders filled in: the
// machine's number, and a key.
func articleConfig(number int, key string) string {
	address := fmt.Sprintf("172.17.8.%d", 101+number)
	return fmt.Sprintf(`#cloud-config

hostname: coreos%d

coreos:
    etcd:
        name: coreos%[1]d
        discovery: http://172.17.8.101:4001/v2/keys/cluster
        addr: %s:4001
        peer-addr: %[2]s:7001
        bind-addr: 0.0.0.0

    units:
      - name: etcd.service
        command: start
      - name: docker.service
        command: start
      - name: fleet.service
        command: start

ssh_authorized_keys:
  - %s


write_files:
  - path: /etc/systemd/network/10-static.network
    content: |
      [Match]
      Name=ens*

      [Network]
      Address=%[2]s/24
      Gateway=172.17.8.1
      DNS=8.8.8.8
`, number, address, key)
}

// newKey makes a key, as a file and as a line of authorized_keys.
func newKey(t *testing.T) (file, line string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// TestArticle does on machines with systemd and Docker what an article of March 2014
// does, with its cloud-config, its units and its commands.
func TestArticle(t *testing.T) {
	s := needNspawn(t)
	secret, key := newKey(t)
	s.write("lab.yaml", articleFile)
	s.write("disco.yml", discoConfig)
	s.write("one.yml", articleConfig(1, key))
	s.write("two.yml", articleConfig(2, key))
	s.must("lab", "up")
	const a, b = "one-01", "two-01"
	for _, unit := range []string{"etcd", "docker", "fleet"} {
		s.within(unit+" is active", func() bool {
			out, _ := s.run("lab", "exec", a, "--", "systemctl", "status", "--no-pager", unit)
			return strings.Contains(out, unit+".service") && strings.Contains(out, "Active: active (")
		})
	}
	conf := s.exec(a, "cat /run/systemd/system/etcd.service.d/20-cloudinit.conf")
	for _, want := range []string{"ETCD_NAME=coreos1", "ETCD_DISCOVERY=http://172.17.8.101:4001/v2/keys/cluster", "ETCD_ADDR=172.17.8.102:4001", "ETCD_PEER_ADDR=172.17.8.102:7001", "ETCD_BIND_ADDR=0.0.0.0"} {
		if !strings.Contains(conf, want) {
			t.Errorf("no %s in\n%s", want, conf)
		}
	}
	// The key lets core in, who types all that follows.
	s.put("disco-01", "/opt/key", secret)
	if got := s.exec("disco-01", "chmod 600 /opt/key; ssh -q -i /opt/key -o StrictHostKeyChecking=no core@172.17.8.102 'whoami; hostname'"); got != "core\ncoreos1\n" {
		t.Errorf("ssh: %q", got)
	}
	s.transcript(a, b)
	if got := s.exec("disco-01", "curl -s http://172.17.8.102/ http://172.17.8.103/"); strings.Count(got, "It works!") != 2 {
		t.Errorf("the web servers: %q", got)
	}
	s.must("lab", "down", "--now")
}

// transcript types the article's commands.
func (s *shell) transcript(a, b string) {
	s.t.Helper()
	core := func(machine, command string) string {
		s.t.Helper()
		return s.exec(machine, "runuser -u core -- env HOME=/home/core FLEETCTL_COMPAT=2014 sh -c 'cd; "+command+"'")
	}
	shows := func(what, machine, command, want string) {
		s.t.Helper()
		re := regexp.MustCompile("^" + want + "$")
		var got string
		s.within(what, func() bool { got = core(machine, command); return re.MatchString(got) })
	}
	if got := core(a, "etcdctl set /message Hello"); got != "Hello\n" {
		s.t.Errorf("set: %q", got)
	}
	if got := core(b, "etcdctl get /message"); got != "Hello\n" {
		s.t.Errorf("get: %q", got)
	}
	if got := core(a, "curl -s http://172.17.8.102:4001/mod/dashboard/"); !strings.Contains(got, "<html") {
		s.t.Errorf("the dashboard: %q", got)
	}
	const id = `[0-9a-f]{8}\.\.\.`
	shows("two machines", a, "fleetctl list-machines", `MACHINE\t+IP\t+METADATA\n(`+id+`\t+172\.17\.8\.10[23]\t+-\n){2}`)
	s.put(a, "~core/hello.service", helloUnit)
	s.put(a, "~core/apache.1.service", apacheUnit)
	core(a, "cp apache.1.service apache.2.service")
	const (
		head    = `UNIT\t+LOAD\tACTIVE\tSUB\tDESC\t+MACHINE\n`
		none    = `\t+-\t-\t-\t`
		running = `\t+loaded\tactive\trunning\t`
		on      = `\t+` + id + `/172\.17\.8\.10`
	)
	core(a, "fleetctl submit hello.service")
	shows("hello is submitted", a, "fleetctl list-units", head+`hello\.service`+none+`MyApp\t-\n`)
	core(a, "fleetctl start hello.service")
	shows("hello runs", a, "fleetctl list-units", head+`hello\.service`+running+`MyApp`+on+`[23]\n`)
	core(a, "fleetctl stop hello.service")
	shows("hello is stopped", a, "fleetctl list-units", head+`hello\.service`+none+`MyApp\t-\n`)
	core(a, "fleetctl submit apache.*")
	const front = `My Apache Frontend`
	shows("apaches are submitted", a, "fleetctl list-units", head+`apache\.1\.service`+none+front+`\t-\napache\.2\.service`+none+front+`\t-\nhello\.service`+none+`MyApp\t+-\n`)
	core(a, "fleetctl start apache.*")
	shows("apaches run apart", a, "fleetctl list-units", head+
		`(apache\.1\.service`+running+front+on+`2\napache\.2\.service`+running+front+on+`3|apache\.1\.service`+running+front+on+`3\napache\.2\.service`+running+front+on+`2)`+
		`\nhello\.service`+none+`MyApp\t+-\n`)
	for _, machine := range []string{a, b} {
		shows("a container of "+machine, machine, "docker ps --format {{.Names}}", `apache\n`)
	}
}
