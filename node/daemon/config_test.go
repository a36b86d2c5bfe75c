package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestDefaults(t *testing.T) {
	c, err := Load(nil, env())
	if err != nil {
		t.Fatal(err)
	}
	got := []any{c.Name, c.DataDir, c.ListenClientURLs, c.AdvertiseClientURLs, c.InitialCluster, c.HeartbeatInterval, c.ElectionTimeout, c.SnapshotCount}
	want := []any{
		"default", "default.drydock",
		[]string{"http://127.0.0.1:2379", "http://127.0.0.1:4001"},
		[]string{"http://127.0.0.1:2379"},
		"default=http://127.0.0.1:2380", 50 * time.Millisecond, 250 * time.Millisecond, uint64(10000),
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
}

func TestPrecedence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "node.yaml")
	text := "name: file\nheartbeat-interval: 60\nelection-timeout: 700ms\nlisten-client-urls:\n  - http://127.0.0.1:1\n  - http://127.0.0.1:2\n" +
		"peer-transport-security:\n  cert-file: peer.pem\n  client-cert-auth: yes\nenable-pprof: true\ndata-dir:\n"
	// YAML's yes is not a Boolean of Go's; the file says true in the next.
	text = strings.Replace(text, "yes", "true", 1)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(map[string]string{"heartbeat-interval": "80ms", "config-file": file}, env("DRYDOCK_HEARTBEAT_INTERVAL", "70", "DRYDOCK_NAME", "environment"))
	if err != nil {
		t.Fatal(err)
	}
	got := []any{c.Name, c.HeartbeatInterval, c.ElectionTimeout, c.ListenClientURLs, c.PeerTLS, c.Pprof}
	want := []any{
		"environment", 80 * time.Millisecond, 700 * time.Millisecond,
		[]string{"http://127.0.0.1:1", "http://127.0.0.1:2"},
		TLS{CertFile: "peer.pem", ClientCertAuth: true},
		true,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
}

// The default lease follows the election timeout; one that was given is kept.
func TestMachineLeaseFollowsTheElectionTimeout(t *testing.T) {
	for _, tc := range []struct {
		flags map[string]string
		want  time.Duration
	}{
		{nil, 3 * time.Second},
		{map[string]string{"election-timeout": "1s"}, 4 * time.Second},
		{map[string]string{"election-timeout": "20s"}, 80 * time.Second},
		{map[string]string{"election-timeout": "1s", "machine-lease": "5s"}, 5 * time.Second},
	} {
		c, err := Load(tc.flags, env())
		if err != nil || c.MachineLease != tc.want {
			t.Errorf("%v: lease %v, %v, want %v", tc.flags, c.MachineLease, err, tc.want)
		}
	}
}

// TestOldAddresses takes the flags as the manuals of 2014 give them.
func TestOldAddresses(t *testing.T) {
	for _, tc := range []struct {
		flags                                  map[string]string
		listen, advertise, peerListen, peerAdv string
	}{
		{map[string]string{"addr": "127.0.0.1:4002", "peer-addr": "127.0.0.1:7002"}, "http://127.0.0.1:4002", "http://127.0.0.1:4002", "http://127.0.0.1:7002", "http://127.0.0.1:7002"},
		{map[string]string{"addr": "10.0.0.1:4001", "bind-addr": "0.0.0.0"}, "http://0.0.0.0:4001", "http://10.0.0.1:4001", defaultPeerURLs, "http://127.0.0.1:2380"},
		{map[string]string{"addr": "10.0.0.1:4001", "bind-addr": "0.0.0.0:5001", "cert-file": "c", "key-file": "k"}, "https://0.0.0.0:5001", "https://10.0.0.1:4001", defaultPeerURLs, "http://127.0.0.1:2380"},
		{map[string]string{"listen-client-urls": "http://0.0.0.0:2379"}, "http://0.0.0.0:2379", "http://127.0.0.1:2379", defaultPeerURLs, "http://127.0.0.1:2380"},
	} {
		c, err := Load(tc.flags, env())
		if err != nil {
			t.Errorf("%v: %v", tc.flags, err)
			continue
		}
		got := []string{strings.Join(c.ListenClientURLs, ","), strings.Join(c.AdvertiseClientURLs, ","), strings.Join(c.ListenPeerURLs, ","), strings.Join(c.AdvertisePeerURLs, ",")}
		if d := cmp.Diff([]string{tc.listen, tc.advertise, tc.peerListen, tc.peerAdv}, got); d != "" {
			t.Errorf("%v: %s", tc.flags, d)
		}
	}
}

func TestBadConfiguration(t *testing.T) {
	for _, tc := range []struct {
		flags map[string]string
		env   []string
		want  string
	}{
		{map[string]string{"name": "a=b"}, nil, `--name: "a=b" is no name`},
		{nil, []string{"DRYDOCK_NAME", "a,b"}, `DRYDOCK_NAME: "a,b" is no name`},
		{map[string]string{"listen-client-urls": "127.0.0.1:2379"}, nil, `--listen-client-urls: "127.0.0.1:2379"`},
		{map[string]string{"listen-client-urls": "http://127.0.0.1"}, nil, `has no port`},
		{map[string]string{"listen-client-urls": "http://127.0.0.1:1/x"}, nil, `no more than scheme, host and port`},
		{map[string]string{"listen-client-urls": "https://127.0.0.1:1"}, nil, `needs a certificate`},
		{map[string]string{"listen-client-urls": ","}, nil, `--listen-client-urls: empty`},
		{map[string]string{"advertise-client-urls": "http://:1"}, nil, `has no host`},
		{map[string]string{"heartbeat-interval": "fast"}, nil, `--heartbeat-interval: "fast" is not a time`},
		{map[string]string{"heartbeat-interval": "-5"}, nil, `is not a time`},
		{map[string]string{"election-timeout": "100"}, nil, `--election-timeout: 100ms is below five heartbeats`},
		{map[string]string{"initial-cluster-state": "old"}, nil, `neither "new" nor "existing"`},
		{map[string]string{"snapshot-count": "0"}, nil, `not a number from 1`},
		{map[string]string{"enable-pprof": "perhaps"}, nil, `neither true nor false`},
		{map[string]string{"addr": "localhost"}, nil, `--addr: "localhost" is not host:port`},
		{map[string]string{"addr": "a:1", "advertise-client-urls": "http://a:1"}, nil, `--addr and --advertise-client-urls say the same thing twice`},
		{map[string]string{"discovery": "http://x", "initial-cluster": "a=http://b:1"}, nil, `--initial-cluster and --discovery: only one`},
		{map[string]string{"discovery": "http://x"}, nil, `is not the URL of a token`},
		{map[string]string{"join": "http://x:1"}, nil, `--join-token`},
		{map[string]string{"log-level": "loud"}, nil, `--log-level: "loud"`},
		{map[string]string{"log-format": "xml"}, nil, `--log-format: "xml"`},
		{map[string]string{"machine-id": "n1"}, nil, `--machine-id: "n1" is not 32 hexadecimal digits`},
		{map[string]string{"machine-lease": "0.9s"}, nil, `--machine-lease: 900ms is below four election timeouts`},
		{map[string]string{"machine-lease": "3s", "election-timeout": "1s"}, nil, `--machine-lease: 3s is below four election timeouts`},
		{map[string]string{"machine-lease": "2m"}, nil, `--machine-lease: 2m0s is above 1m`},
		{map[string]string{"public-ip": "here"}, nil, `--public-ip: "here" is not an address`},
		{map[string]string{"metadata": "a"}, nil, `--metadata: "a" is not key=value`},
		{nil, []string{"DRYDOCK_METADATA", "a b=c"}, `DRYDOCK_METADATA: "a b=c": a key is made of`},
		{map[string]string{"resources": "memory=2X"}, nil, `--resources: memory: `},
		{map[string]string{"unit-runtime": "runit"}, nil, `--unit-runtime: "runit" is not auto`},
		{map[string]string{"fleet": "perhaps"}, nil, `--fleet: "perhaps" is neither true nor false`},
		{map[string]string{"config-file": "/nowhere/node.yaml"}, nil, `no such file`},
	} {
		_, err := Load(tc.flags, env(tc.env...))
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v %v: %v, want %q", tc.flags, tc.env, err, tc.want)
		}
	}
}

// TestEtcdsEnvironment takes the variables that member add prints, and those that a
// cloud-config of 2014 became.
func TestEtcdsEnvironment(t *testing.T) {
	c, err := Load(nil, env("ETCD_NAME", "coreos1", "ETCD_DISCOVERY", "http://192.0.2.1:4001/v2/keys/cluster",
		"ETCD_ADDR", "192.0.2.2:4001", "ETCD_PEER_ADDR", "192.0.2.2:7001", "ETCD_BIND_ADDR", "0.0.0.0",
		"FLEET_PUBLIC_IP", "192.0.2.2", "FLEET_METADATA", "disk=ssd,region=eu", "ETCD_DATA_DIR", "etcd's", "DRYDOCK_DATA_DIR", "ours", "ETCD_UNKNOWN", "x"))
	if err != nil {
		t.Fatal(err)
	}
	got := []string{c.Name, c.Discovery, c.DataDir, strings.Join(c.ListenClientURLs, ","), strings.Join(c.AdvertisePeerURLs, ",")}
	want := []string{"coreos1", "http://192.0.2.1:4001/v2/keys/cluster", "ours", "http://0.0.0.0:4001", "http://192.0.2.2:7001"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{"disk": "ssd", "region": "eu"}, c.Metadata); d != "" || c.PublicIP != "192.0.2.2" {
		t.Errorf("fleet's variables: %s %s", c.PublicIP, d)
	}
	c, err = Load(nil, env("ETCD_NAME", "n4", "ETCD_INITIAL_CLUSTER", "n1=http://a:1,n4=http://b:1", "ETCD_INITIAL_CLUSTER_STATE", "existing"))
	if err != nil || c.Name != "n4" || c.InitialClusterState != "existing" {
		t.Errorf("member add's variables: %+v, %v", c, err)
	}
	if _, err = Load(nil, env("ETCD_ELECTION_TIMEOUT", "soon")); err == nil || !strings.Contains(err.Error(), "ETCD_ELECTION_TIMEOUT") {
		t.Errorf("a bad value: %v", err)
	}
}

func TestBadFile(t *testing.T) {
	for text, want := range map[string]string{
		"nmae: x\n":                                    `:1: there is no option "nmae"; did you mean "name"?`,
		"name: x\nelection: 5\n":                       `:2: there is no option "election"; did you mean "election-timeout"?`,
		"name: x\nname: y\n":                           `name`,
		"- name\n":                                     `line 1: a list of "option: value" belongs here`,
		"name: [a, [b]]\n":                             `line 1: a plain value belongs here`,
		"heartbeat-interval: soon\n":                   `:1: heartbeat-interval: "soon" is not a time`,
		"client-transport-security:\n  cert: x\n":      `there is no option "client-transport-security.cert"`,
		"client-transport-security:\n  a:\n    b: c\n": `a plain value belongs here`,
		"name: \"x\n":                                  `line`,
		"name: &a [*a]\n":                              ``,
	} {
		file := filepath.Join(t.TempDir(), "node.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(map[string]string{"config-file": file}, env())
		if !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "node.yaml") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte("name: x\npeer-transport-security:\n  cert-file: y\n"))
	f.Add([]byte("listen-client-urls: [http://a:1, http://b:2]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := parseFile(text)
		for _, e := range entries {
			if err == nil && e.line <= 0 {
				t.Fatalf("%q: %+v has no line", text, e)
			}
		}
	})
}

func TestParseCluster(t *testing.T) {
	members, err := parseCluster("n1=http://10.0.0.1:2380,n2=http://10.0.0.2:2380,n1=http://10.0.1.1:2380")
	if err != nil || len(members) != 2 || len(members[0].PeerURLs) != 2 {
		t.Fatalf("%+v, %v", members, err)
	}
	// The order in which founders are listed is nobody's business.
	other, err := parseCluster("n2=http://10.0.0.2:2380,n1=http://10.0.1.1:2380,n1=http://10.0.0.1:2380")
	if err != nil {
		t.Fatal(err)
	}
	if a, b := foundingIDs("t", members), foundingIDs("t", other); a != b || members[0].ID != other[1].ID {
		t.Fatalf("%x and %x: %+v %+v", a, b, members, other)
	}
	if a, b := foundingIDs("t", members), foundingIDs("u", other); a == b || members[0].ID == other[1].ID {
		t.Fatal("the token makes no difference")
	}
	for _, bad := range []string{"", "n1", "=http://a:1", "n1=a:1", "n1=http://a", "n1=http://a:1,n2=http://a:1", "n1=http://a:1/x"} {
		if _, err := parseCluster(bad); err == nil {
			t.Errorf("%q is no cluster", bad)
		}
	}
}

func FuzzFace(f *testing.F) {
	f.Add([]byte(`{"cluster":"1","member":"2","members":[{"id":"2","name":"n","peerURLs":["http://a:1"]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		face, _, err := decodeFace(text)
		if err == nil && face.cluster == 0 {
			t.Fatalf("%q gave a cluster without an id", text)
		}
	})
}
