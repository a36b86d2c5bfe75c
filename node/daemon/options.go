package daemon

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"drydock/node/machine"
)

// Option is one thing that can be configured: by a flag of its name, by
// DRYDOCK_NAME in the environment and by its name as a key of the YAML file.
type Option struct {
	Name string
	// Old are further names of it.
	Old []string
	// Usage is one line of help; Arg names the value ("" for a switch).
	Usage, Arg string
	// Default is the text of the value when nothing is said.
	Default string
	// Group is the heading that help puts it under.
	Group string
	// Section, if not empty, is where etcd's YAML file has it, by the name Key.
	Section, Key string

	set func(*Config, string) error
}

// Bool says whether the option is a switch.
func (o *Option) Bool() bool { return o.Arg == "" }

// Env is the name of its environment variable.
func (o *Option) Env() string {
	return envName("DRYDOCK_", o.Name)
}

func envName(prefix, option string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(option, "-", "_"))
}

// The groups of options, in the order of the help.
const (
	groupMember    = "This node"
	groupCluster   = "Its cluster"
	groupMachine   = "Its machine"
	groupTiming    = "Timing"
	groupSecurity  = "Certificates and users"
	groupLimits    = "Limits"
	groupOperation = "Operation"
	groupOld       = "As it was called in 2014"
)

// Groups returns the headings of the help in order.
func Groups() []string {
	return []string{groupMember, groupCluster, groupMachine, groupTiming, groupSecurity, groupLimits, groupOperation, groupOld}
}

// Options returns every option, in the order of the help.
func Options() []Option {
	list := []Option{
		str(groupMember, "name", "NAME", "default", "the node's name for people, and in --initial-cluster", func(c *Config) *string { return &c.Name }),
		str(groupMember, "data-dir", "DIR", "", "where everything is kept (default NAME.drydock)", func(c *Config) *string { return &c.DataDir }),
		urlList(groupMember, "listen-client-urls", defaultClientURLs, "where to listen for clients", func(c *Config) *[]string { return &c.ListenClientURLs }),
		urlList(groupMember, "advertise-client-urls", "", "where clients reach this node (default: where it listens)", func(c *Config) *[]string { return &c.AdvertiseClientURLs }),
		urlList(groupMember, "listen-peer-urls", defaultPeerURLs, "where to listen for other members", func(c *Config) *[]string { return &c.ListenPeerURLs }),
		urlList(groupMember, "initial-advertise-peer-urls", "", "where other members reach this node (default: where it listens)", func(c *Config) *[]string { return &c.AdvertisePeerURLs }),
		str(groupMember, "fleet-socket", "PATH", "", "Unix socket of the fleet API, or none (default fleet.sock in the data directory)", func(c *Config) *string { return &c.FleetSocket }),

		str(groupCluster, "initial-cluster", "LIST", "", "the founders, as name=peerURL,... (default: this node alone)", func(c *Config) *string { return &c.InitialCluster }),
		str(groupCluster, "initial-cluster-state", "STATE", "new", "new to found the cluster, existing to join one that has added this node", func(c *Config) *string { return &c.InitialClusterState }),
		str(groupCluster, "initial-cluster-token", "TOKEN", "etcd-cluster", "keeps clusters apart that are founded at the same addresses", func(c *Config) *string { return &c.InitialClusterToken }),
		str(groupCluster, "discovery", "URL", "", "find the other founders by this discovery URL", func(c *Config) *string { return &c.Discovery }),
		str(groupCluster, "discovery-proxy", "URL", "", "HTTP proxy for the discovery", func(c *Config) *string { return &c.DiscoveryProxy }),
		str(groupCluster, "discovery-fallback", "WHAT", "proxy", "when the discovered cluster is full: be a worker (proxy), or exit", func(c *Config) *string { return &c.DiscoveryFallback }),
		str(groupCluster, "join", "URL", "", "be a worker: run units and pass clients on to the cluster at URL, without a vote", func(c *Config) *string { return &c.Join }),
		str(groupCluster, "join-token", "SECRET", "", "what workers must know to join; give the same to every member", func(c *Config) *string { return &c.JoinToken }),

		flag(groupMachine, "fleet", true, "run units: this host is a machine of the cluster", func(c *Config) *bool { return &c.Fleet }),
		str(groupMachine, "machine-id", "ID", "", "the machine's id, 32 hexadecimal digits (default: one that is drawn for the data directory)", func(c *Config) *string { return &c.MachineID }),
		str(groupMachine, "public-ip", "ADDRESS", "", "what lists show as the machine's address (default: the host's first)", func(c *Config) *string { return &c.PublicIP }, "public_ip"),
		pairs(groupMachine, "metadata", "key=value,... that units choose their machine by", func(c *Config) *map[string]string { return &c.Metadata }),
		resources(),
		str(groupMachine, "unit-runtime", "NAME", "auto", "what runs units: "+strings.Join(runtimes, ", ")+"; auto is systemd where that has started this node as root's", func(c *Config) *string { return &c.UnitRuntime }),
		str(groupMachine, "run-dir", "DIR", "", "where machines keep what their next life must know until the host boots again (default /run/drydock)", func(c *Config) *string { return &c.RunDir }),
		flag(groupMachine, "keep-running-when-isolated", false, "machines cut off from the cluster go on running their units, which may then run twice; the same on every member", func(c *Config) *bool { return &c.KeepRunning }),

		duration(groupTiming, "heartbeat-interval", 50*time.Millisecond, "how often a leader speaks up", func(c *Config) *time.Duration { return &c.HeartbeatInterval }, "peer-heartbeat-interval"),
		duration(groupTiming, "election-timeout", 250*time.Millisecond, "how long without a leader until an election", func(c *Config) *time.Duration { return &c.ElectionTimeout }, "peer-election-timeout"),
		duration(groupTiming, "machine-lease", 3*time.Second, "how long a machine that is cut off goes on; its units run elsewhere soon after. The same on every member; if not given, at least four election timeouts", func(c *Config) *time.Duration { return &c.MachineLease }),
		number(groupTiming, "snapshot-count", 10000, "entries of the log between two checkpoints", func(c *Config) *uint64 { return &c.SnapshotCount }),
		number(groupTiming, "snapshot-catchup-entries", 5000, "entries of the log kept behind a checkpoint for members that lag; who lags more is sent a snapshot", func(c *Config) *uint64 { return &c.CatchUpEntries }),
	}
	list = append(list, tlsOptions()...)
	list = append(list,
		number(groupSecurity, "bcrypt-cost", 10, "how dear the hashing of users' passwords is made", func(c *Config) *uint64 { return &c.BcryptCost }),

		number(groupLimits, "max-request-bytes", 10<<20, "size of the largest request body", func(c *Config) *uint64 { return &c.MaxRequestBytes }),
		number(groupLimits, "max-connections", 10000, "open client connections", func(c *Config) *uint64 { return &c.MaxConnections }),
		number(groupLimits, "max-watches", 10000, "open watches", func(c *Config) *uint64 { return &c.MaxWatches }),

		str(groupOperation, "log-level", "LEVEL", "info", "debug, info, warn or error", func(c *Config) *string { return &c.LogLevel }),
		str(groupOperation, "log-format", "FORMAT", "text", "text or json", func(c *Config) *string { return &c.LogFormat }),
		flag(groupOperation, "http-direct", true, "serve plain requests of /v2/keys by a loop of their own (Linux, without TLS); false leaves all to net/http", func(c *Config) *bool { return &c.DirectHTTP }),
		flag(groupOperation, "enable-pprof", false, "serve profiles at /debug/pprof/ on the client port", func(c *Config) *bool { return &c.Pprof }),
		str(groupOperation, "lab-control", "PATH", "", "in a lab only: let it lose unsynced writes and move clocks by the socket at PATH", func(c *Config) *string { return &c.LabControl }),
		str(groupOperation, "cors", "ORIGIN", "*", "the origin that pages in browsers may come from", func(c *Config) *string { return &c.CORS }),
		str(groupOperation, "config-file", "FILE", "", "YAML file with any of these options; flags and environment beat it", func(c *Config) *string { return &c.ConfigFile }, "config"),

		str(groupOld, "addr", "HOST:PORT", "", "where clients reach this node", func(c *Config) *string { return &c.Addr }),
		str(groupOld, "bind-addr", "HOST[:PORT]", "", "where to listen for clients", func(c *Config) *string { return &c.BindAddr }),
		str(groupOld, "peer-addr", "HOST:PORT", "", "where other members reach this node", func(c *Config) *string { return &c.PeerAddr }),
		str(groupOld, "peer-bind-addr", "HOST[:PORT]", "", "where to listen for other members", func(c *Config) *string { return &c.PeerBindAddr }),
		hosts(groupOld, "peers", "members to join, as HOST:PORT,... of their peer ports", func(c *Config) *[]string { return &c.Peers }),
	)
	return list
}

func tlsOptions() (list []Option) {
	for _, side := range []struct {
		// own begins the names that etcd has made for each side apart.
		prefix, own, section, whose string
		of                          func(*Config) *TLS
		old                         map[string]string
	}{
		{"", "client-", "client-transport-security", "client", func(c *Config) *TLS { return &c.ClientTLS }, map[string]string{"trusted-ca-file": "ca-file"}},
		{"peer-", "peer-", "peer-transport-security", "peer", func(c *Config) *TLS { return &c.PeerTLS }, map[string]string{"trusted-ca-file": "peer-ca-file"}},
	} {
		of := side.of
		options := []Option{
			str(groupSecurity, "cert-file", "FILE", "", "certificate of the "+side.whose+" listener", func(c *Config) *string { return &of(c).CertFile }),
			str(groupSecurity, "key-file", "FILE", "", "its key", func(c *Config) *string { return &of(c).KeyFile }),
			str(groupSecurity, "trusted-ca-file", "FILE", "", "authorities whose "+side.whose+" certificates are trusted", func(c *Config) *string { return &of(c).TrustedCAFile }),
			flag(groupSecurity, "client-cert-auth", false, "turn away whoever has no certificate of theirs ("+side.whose+" listener)", func(c *Config) *bool { return &of(c).ClientCertAuth }),
			flag(groupSecurity, "auto-tls", false, "make certificates of its own ("+side.whose+" listener)", func(c *Config) *bool { return &of(c).Auto }),
			str(groupSecurity, side.own+"crl-file", "FILE", "", "certificates of "+side.whose+"s that were revoked", func(c *Config) *string { return &of(c).CRLFile }),
			str(groupSecurity, side.own+"cert-allowed-hostname", "NAME", "", "the one name that a "+side.whose+"'s certificate may be for", func(c *Config) *string { return &of(c).AllowedHostname }),
		}
		if side.prefix != "" {
			options = append(options, str(groupSecurity, "peer-cert-allowed-cn", "NAME", "", "the one common name that a peer's certificate may have", func(c *Config) *string { return &of(c).AllowedCN }))
		}
		for i := range options {
			o := &options[i]
			if o.Name == "client-cert-auth" || !strings.HasPrefix(o.Name, side.own) {
				o.Section, o.Key = side.section, o.Name
			}
			if old := side.old[o.Name]; old != "" {
				o.Old = append(o.Old, old)
			}
			if !strings.HasPrefix(o.Name, side.own) {
				o.Name = side.prefix + o.Name
			}
		}
		list = append(list, options...)
	}
	return list
}

func str(group, name, arg, def, usage string, field func(*Config) *string, old ...string) Option {
	return Option{
		Group: group, Name: name, Arg: arg, Default: def, Usage: usage, Old: old,
		set: func(c *Config, v string) error { *field(c) = v; return nil },
	}
}

func urlList(group, name, def, usage string, field func(*Config) *[]string) Option {
	return Option{
		Group: group, Name: name, Arg: "URLS", Default: def, Usage: usage,
		set: func(c *Config, v string) error { *field(c) = splitList(v); return nil },
	}
}

func hosts(group, name, usage string, field func(*Config) *[]string) Option {
	return Option{
		Group: group, Name: name, Arg: "LIST", Usage: usage,
		set: func(c *Config, v string) error { *field(c) = splitList(v); return nil },
	}
}

// runtimes are what can run units here.
var runtimes = []string{"auto", machine.Supervisor, machine.Systemd}

// pairs is a list of key=value.
func pairs(group, name, usage string, field func(*Config) *map[string]string) Option {
	return Option{
		Group: group, Name: name, Arg: "LIST", Usage: usage,
		set: func(c *Config, v string) (err error) {
			*field(c), err = machine.ParseMetadata(v)
			return err
		},
	}
}

func resources() Option {
	return Option{
		Group: groupMachine, Name: "resources", Arg: "LIST",
		Usage: "what units may reserve, as cpu=4,memory=8G,disk=100G,NAME=N, instead of what was found; none for no accounting",
		set: func(c *Config, v string) (err error) {
			c.Resources, c.Unaccounted, err = machine.ParseResources(v)
			return err
		},
	}
}

func splitList(v string) []string {
	var list []string
	for _, s := range strings.Split(v, ",") {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}

func flag(group, name string, def bool, usage string, field func(*Config) *bool) Option {
	return Option{
		Group: group, Name: name, Default: strconv.FormatBool(def), Usage: usage,
		set: func(c *Config, v string) error {
			b, err := strconv.ParseBool(v)
			if err != nil {
				return fmt.Errorf("%q is neither true nor false", v)
			}
			*field(c) = b
			return nil
		},
	}
}

func number(group, name string, def uint64, usage string, field func(*Config) *uint64) Option {
	return Option{
		Group: group, Name: name, Arg: "N", Default: strconv.FormatUint(def, 10), Usage: usage,
		set: func(c *Config, v string) error {
			n, err := strconv.ParseUint(v, 10, 40)
			if err != nil || n == 0 {
				return fmt.Errorf("%q is not a number from 1 to %d", v, uint64(1)<<40-1)
			}
			*field(c) = n
			return nil
		},
	}
}

// duration is a time as Go writes it, or a bare number of milliseconds, as etcd
// takes it.
func duration(group, name string, def time.Duration, usage string, field func(*Config) *time.Duration, old ...string) Option {
	return Option{
		Group: group, Name: name, Arg: "TIME", Default: def.String(), Usage: usage, Old: old,
		set: func(c *Config, v string) error {
			d, err := time.ParseDuration(v)
			if ms, bad := strconv.ParseUint(v, 10, 32); bad == nil {
				d, err = time.Duration(ms)*time.Millisecond, nil
			}
			if err != nil || d <= 0 {
				return fmt.Errorf("%q is not a time: milliseconds (100) or with a unit (100ms)", v)
			}
			*field(c) = d
			return nil
		},
	}
}
