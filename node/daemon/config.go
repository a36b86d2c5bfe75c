package daemon

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"drydock/node/machine/tether"
)

// Config is everything that a node can be told. The names are etcd's where etcd
// has one; Options lists them with their meaning and defaults.
type Config struct {
	Name, DataDir string

	ListenClientURLs, AdvertiseClientURLs []string
	ListenPeerURLs, AdvertisePeerURLs     []string

	InitialCluster, InitialClusterState, InitialClusterToken string
	Discovery, DiscoveryProxy, DiscoveryFallback             string

	// Peers are addresses of members to join, 2014's way.
	Peers []string
	// Join and JoinToken make a worker of the node; a member with a JoinToken
	// lets workers in that know it.
	Join, JoinToken string

	// Fleet has the node run units; what follows is of its machine. Resources of
	// none are those that were found, unless the machine is Unaccounted.
	Fleet               bool
	MachineID, PublicIP string
	Metadata            map[string]string
	Resources           map[string]int64
	Unaccounted         bool
	UnitRuntime, RunDir string
	KeepRunning         bool
	MachineLease        time.Duration

	HeartbeatInterval, ElectionTimeout time.Duration
	SnapshotCount                      uint64
	CatchUpEntries                     uint64

	ClientTLS, PeerTLS TLS

	MaxRequestBytes, MaxConnections, MaxWatches uint64
	CORS                                        string
	BcryptCost                                  uint64

	// FleetSocket is the path of the fleet API's Unix socket: empty for one in the data
	// directory, "none" for none.
	FleetSocket string

	LogLevel, LogFormat string
	// LabControl is the socket by which a lab moves the node's clocks and spoils its
	// disk; empty but in labs.
	LabControl string
	DirectHTTP bool
	Pprof      bool
	ConfigFile string

	// Version is the program's own, for answers and logs.
	Version string

	// Addr, PeerAddr, BindAddr and PeerBindAddr are 2014's addresses, host:port
	// without a scheme; Normalize turns them into URLs.
	Addr, PeerAddr, BindAddr, PeerBindAddr string

	// set remembers which options were given, and where ("--name", "DRYDOCK_NAME",
	// "node.yaml:3").
	set map[string]string
}

// TLS names the files that secure one of the two listeners.
type TLS struct {
	CertFile, KeyFile, TrustedCAFile string
	ClientCertAuth, Auto             bool
	CRLFile                          string
	AllowedCN, AllowedHostname       string
}

// ErrConfig is matched by every error in a node's configuration.
var ErrConfig = errors.New("configuration")

// given says whether an option was given, in whichever way.
func (c *Config) given(name string) bool { return c.set[name] != "" }

// where names an option as the user gave it, for errors.
func (c *Config) where(name string) string {
	if w := c.set[name]; w != "" {
		return w
	}
	return "--" + name
}

func (c *Config) errorf(option, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %w", ErrConfig, c.where(option), fmt.Errorf(format, args...))
}

// Default ports of etcd and, behind them, of 2014.
const (
	defaultClientURLs = "http://127.0.0.1:2379,http://127.0.0.1:4001"
	defaultPeerURLs   = "http://127.0.0.1:2380,http://127.0.0.1:7001"
)

// Normalize turns 2014's addresses into URLs, fills in what follows from other
// options and refuses what can't be.
func (c *Config) Normalize() error {
	if err := c.oldAddresses(); err != nil {
		return err
	}
	if err := c.urls(); err != nil {
		return err
	}
	if c.DataDir == "" {
		c.DataDir = c.Name + ".drydock"
	}
	c.DataDir = filepath.Clean(c.DataDir)
	leaseGiven := c.given("machine-lease")
	if !leaseGiven {
		c.MachineLease = max(c.MachineLease, 4*c.ElectionTimeout)
	}
	switch {
	case c.Name == "" || len(c.Name) > 256 || strings.ContainsAny(c.Name, "=,/\n"):
		return c.errorf("name", "%q is no name: up to 256 bytes without '=', ',' and '/'", c.Name)
	case !slices.Contains([]string{"new", "existing"}, c.InitialClusterState):
		return c.errorf("initial-cluster-state", "%q is neither \"new\" nor \"existing\"", c.InitialClusterState)
	case !slices.Contains([]string{"exit", "proxy"}, c.DiscoveryFallback):
		return c.errorf("discovery-fallback", "%q is neither \"exit\" nor \"proxy\"", c.DiscoveryFallback)
	case !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel):
		return c.errorf("log-level", "%q is not debug, info, warn or error", c.LogLevel)
	case !slices.Contains([]string{"text", "json"}, c.LogFormat):
		return c.errorf("log-format", "%q is neither \"text\" nor \"json\"", c.LogFormat)
	case !slices.Contains(runtimes, c.UnitRuntime):
		return c.errorf("unit-runtime", "%q is not %s", c.UnitRuntime, strings.Join(runtimes, " or "))
	case c.MachineID != "" && !tether.IsID(c.MachineID):
		return c.errorf("machine-id", "%q is not 32 hexadecimal digits in lower case", c.MachineID)
	case c.PublicIP != "" && net.ParseIP(c.PublicIP) == nil:
		return c.errorf("public-ip", "%q is not an address", c.PublicIP)
	case c.HeartbeatInterval < 2*time.Millisecond || c.HeartbeatInterval > time.Minute:
		return c.errorf("heartbeat-interval", "%v is outside of 2ms to 1m", c.HeartbeatInterval)
	case c.ElectionTimeout < 5*c.HeartbeatInterval:
		return c.errorf("election-timeout", "%v is below five heartbeats of %v: elections would be lost to a late packet", c.ElectionTimeout, c.HeartbeatInterval)
	case c.ElectionTimeout > 50*time.Second:
		return c.errorf("election-timeout", "%v is above 50s", c.ElectionTimeout)
	case c.MachineLease < 4*c.ElectionTimeout:
		return c.errorf("machine-lease", "%v is below four election timeouts of %v: units would stop for a change of leaders", c.MachineLease, c.ElectionTimeout)
	case leaseGiven && c.MachineLease > time.Minute:
		return c.errorf("machine-lease", "%v is above 1m", c.MachineLease)
	case c.BcryptCost < 4 || c.BcryptCost > 31:
		return c.errorf("bcrypt-cost", "%d is outside of 4 to 31", c.BcryptCost)
	}
	return c.ways()
}

// ways refuses two ways into a cluster at once.
func (c *Config) ways() error {
	var ways []string
	for _, name := range []string{"initial-cluster", "discovery", "peers", "join"} {
		if c.given(name) {
			ways = append(ways, c.where(name))
		}
	}
	if len(ways) > 1 {
		return fmt.Errorf("%w: %s: only one of them can say which cluster this node is of", ErrConfig, strings.Join(ways, " and "))
	}
	if c.Discovery != "" {
		u, err := url.Parse(c.Discovery)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.Trim(u.Path, "/") == "" {
			return c.errorf("discovery", "%q is not the URL of a token: http://HOST/v2/keys/PREFIX/TOKEN or https://HOST/TOKEN", c.Discovery)
		}
	}
	if c.Join != "" && c.JoinToken == "" {
		return c.errorf("join", "a worker needs the cluster's --join-token as well")
	}
	if c.InitialCluster == "" && c.Discovery == "" && len(c.Peers) == 0 && c.Join == "" {
		for _, u := range c.AdvertisePeerURLs {
			c.InitialCluster += "," + c.Name + "=" + u
		}
		c.InitialCluster = c.InitialCluster[1:]
	}
	return nil
}

// oldAddresses understands 2014's addr, bind-addr, peer-addr and peer-bind-addr.
func (c *Config) oldAddresses() error {
	for _, o := range []struct {
		addr, bind, addrOption, bindOption, listenOption, advertiseOption string
		tls                                                               TLS
		listen, advertise                                                 *[]string
	}{
		{c.Addr, c.BindAddr, "addr", "bind-addr", "listen-client-urls", "advertise-client-urls", c.ClientTLS, &c.ListenClientURLs, &c.AdvertiseClientURLs},
		{c.PeerAddr, c.PeerBindAddr, "peer-addr", "peer-bind-addr", "listen-peer-urls", "initial-advertise-peer-urls", c.PeerTLS, &c.ListenPeerURLs, &c.AdvertisePeerURLs},
	} {
		scheme := "http://"
		if o.tls.CertFile != "" || o.tls.Auto {
			scheme = "https://"
		}
		if o.addr != "" {
			host, port, err := splitAddr(o.addr)
			switch {
			case err != nil:
				return c.errorf(o.addrOption, "%w", err)
			case c.given(o.advertiseOption):
				return fmt.Errorf("%w: %s and %s say the same thing twice", ErrConfig, c.where(o.addrOption), c.where(o.advertiseOption))
			}
			*o.advertise = []string{scheme + net.JoinHostPort(host, port)}
			if !c.given(o.listenOption) {
				*o.listen = *o.advertise
			}
		}
		if o.bind != "" {
			host, port, err := splitAddr(o.bind)
			if err != nil && o.addr != "" && !strings.Contains(o.bind, ":") {
				// 2014 took a bare address to bind to, with the port of addr.
				_, port, _ = splitAddr(o.addr)
				host, err = o.bind, nil
			}
			switch {
			case err != nil:
				return c.errorf(o.bindOption, "%w", err)
			case c.given(o.listenOption):
				return fmt.Errorf("%w: %s and %s say the same thing twice", ErrConfig, c.where(o.bindOption), c.where(o.listenOption))
			}
			*o.listen = []string{scheme + net.JoinHostPort(host, port)}
		}
	}
	return nil
}

func splitAddr(s string) (host, port string, err error) {
	host, port, err = net.SplitHostPort(s)
	if err == nil && port == "" {
		err = errors.New("no port")
	}
	if err != nil {
		return "", "", fmt.Errorf("%q is not host:port (%w)", s, err)
	}
	return host, port, nil
}

// urls checks the four lists of URLs and derives the two that may be left out.
func (c *Config) urls() error {
	lists := []struct {
		option string
		urls   *[]string
		listen bool
		tls    TLS
	}{
		{"listen-client-urls", &c.ListenClientURLs, true, c.ClientTLS},
		{"listen-peer-urls", &c.ListenPeerURLs, true, c.PeerTLS},
	}
	for _, l := range lists {
		if len(*l.urls) == 0 {
			return c.errorf(l.option, "empty")
		}
	}
	// What is advertised follows what is listened on, but for wildcards, which
	// nobody can dial.
	for _, p := range []struct {
		from, to *[]string
		option   string
	}{
		{&c.ListenClientURLs, &c.AdvertiseClientURLs, "listen-client-urls"},
		{&c.ListenPeerURLs, &c.AdvertisePeerURLs, "listen-peer-urls"},
	} {
		if len(*p.to) > 0 {
			continue
		}
		from := *p.from
		if !c.given(p.option) {
			from = from[:1] // 2014's port is for those who look for it there
		}
		for _, u := range from {
			*p.to = append(*p.to, strings.NewReplacer("//0.0.0.0:", "//127.0.0.1:", "//[::]:", "//127.0.0.1:").Replace(u))
		}
	}
	lists = append(lists, []struct {
		option string
		urls   *[]string
		listen bool
		tls    TLS
	}{
		{"advertise-client-urls", &c.AdvertiseClientURLs, false, c.ClientTLS},
		{"initial-advertise-peer-urls", &c.AdvertisePeerURLs, false, c.PeerTLS},
	}...)
	for _, l := range lists {
		for i, s := range *l.urls {
			clean, err := checkURL(s, l.listen)
			if err == nil && strings.HasPrefix(clean, "https") && l.listen && l.tls.CertFile == "" && !l.tls.Auto {
				err = fmt.Errorf("%q needs a certificate: give the cert-file and key-file of this listener, or auto-tls", s)
			}
			if err != nil {
				return c.errorf(l.option, "%w", err)
			}
			(*l.urls)[i] = clean
		}
	}
	return nil
}

// checkURL takes http(s)://host:port and nothing more.
func checkURL(s string, listen bool) (string, error) {
	u, err := url.Parse(strings.TrimSpace(s))
	switch {
	case err != nil:
		return "", fmt.Errorf("%q is not a URL: %w", s, err)
	case u.Scheme != "http" && u.Scheme != "https":
		return "", fmt.Errorf("%q must begin with http:// or https://", s)
	case u.Port() == "":
		return "", fmt.Errorf("%q has no port", s)
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil || u.Fragment != "":
		return "", fmt.Errorf("%q must be no more than scheme, host and port", s)
	case u.Hostname() == "" && !listen:
		return "", fmt.Errorf("%q has no host", s)
	}
	return u.Scheme + "://" + u.Host, nil
}
