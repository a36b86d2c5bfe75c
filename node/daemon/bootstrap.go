package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"drydock/node"
	"drydock/node/checkpoint"
	"drydock/node/discovery"
	"drydock/node/host"
	"drydock/node/state"
	"drydock/node/wal"
	"drydock/node/worker"
	"drydock/node/world"
)

// bootstrap makes an empty data directory a member's. It decides by the
// configuration whether the node founds a cluster or joins one, writes the
// directory's identity, and then its log.
type bootstrap struct {
	cfg  *Config
	disk *host.Disk
	log  *slog.Logger
	http *http.Client // to other members' peer ports
}

// prepare returns whose the directory is, making it somebody's if need be. A
// directory whose founding was cut short is founded again under its identity.
func (b *bootstrap) prepare(ctx context.Context) (host.Identity, error) {
	id, err := host.ReadIdentity(b.cfg.DataDir)
	if err == nil && id.Founding {
		b.log.Info("the founding of this data directory was cut short: it begins again", "data-dir", b.cfg.DataDir)
		err = fs.ErrNotExist
	}
	if err == nil {
		if b.cfg.given("name") && id.Name != b.cfg.Name {
			b.log.Info("the member's name changes", "was", id.Name, "is", b.cfg.Name)
		}
		for _, option := range []string{"initial-cluster", "discovery", "peers"} {
			if b.cfg.given(option) {
				b.log.Info("the data directory has a member already: it goes on as that", "ignored", b.cfg.where(option))
			}
		}
		return id, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	switch {
	case b.cfg.Discovery != "":
		return b.discover(ctx)
	case worker.Remembers(b.cfg.DataDir):
		return id, fmt.Errorf("%w: %s: %s is a worker's directory, and this node would be a member: give it another, or start the worker with --join or --discovery",
			ErrConfig, b.cfg.where("data-dir"), b.cfg.DataDir)
	case len(b.cfg.Peers) > 0:
		var urls []string
		for _, p := range b.cfg.Peers {
			urls = append(urls, withScheme(p, b.cfg.PeerTLS))
		}
		return b.join(ctx, urls)
	case b.cfg.InitialClusterState == "existing":
		return b.joinAdded(ctx)
	}
	founders, err := parseCluster(b.cfg.InitialCluster)
	if err != nil {
		return id, b.cfg.errorf("initial-cluster", "%w", err)
	}
	return b.found(ctx, founders, foundingIDs(b.cfg.InitialClusterToken, founders))
}

func withScheme(addr string, tls TLS) string {
	switch {
	case strings.Contains(addr, "://"):
		return addr
	case tls.CertFile != "" || tls.Auto:
		return "https://" + addr
	}
	return "http://" + addr
}

// nodeConfig is what the reactor is told.
func (b *bootstrap) nodeConfig(id host.Identity) node.Config {
	return b.cfg.node(id)
}

// found makes the directory a founder's.
func (b *bootstrap) found(ctx context.Context, founders []state.Member, cluster uint64) (host.Identity, error) {
	self, err := b.cfg.self(founders)
	if err != nil {
		return host.Identity{}, err
	}
	id := host.Identity{Cluster: cluster, ID: self.ID, Name: self.Name, Bootstrap: addresses(founders)}
	if err := b.unborn(ctx, founders, id); err != nil {
		return id, err
	}
	id.Founding = true
	if err := host.WriteIdentity(b.cfg.DataDir, id); err != nil {
		return id, err
	}
	err = node.Found(b.disk, b.nodeConfig(id), checkpoint.Store{}, founders)
	if err != nil && !errors.Is(err, wal.ErrExists) { // a log of these ids: a founding that got that far
		return id, err
	}
	id.Founding = false
	return id, host.WriteIdentity(b.cfg.DataDir, id)
}

// finish completes a joining that a crash has cut short: there is an identity and
// no log, and nothing was promised under it yet. A founder's identity without a
// log is another matter: founding has its own mark, so that log is lost.
func (b *bootstrap) finish(id host.Identity) error {
	founder := slices.ContainsFunc(id.Bootstrap, func(a host.Address) bool { return a.ID == id.ID })
	if !founder {
		return node.Join(b.disk, b.nodeConfig(id))
	}
	return fmt.Errorf("%w: the data directory %s has lost its log; drydock node inspect %s says what to do",
		node.ErrNotFounded, b.cfg.DataDir, b.cfg.DataDir)
}

func addresses(members []state.Member) (list []host.Address) {
	for _, m := range members {
		list = append(list, host.Address{ID: m.ID, PeerURLs: m.PeerURLs})
	}
	return list
}

// unborn asks the other founders whether this member has lived before: a member
// that lost its disk must not come back under its id, since it has forgotten
// what it promised. Founders that don't answer have not started, or can't tell.
func (b *bootstrap) unborn(ctx context.Context, founders []state.Member, id host.Identity) error {
	for _, f := range founders {
		if f.ID == id.ID {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, peerTimeout)
		face, err := askPeers(ctx, b.http, f.PeerURLs)
		cancel()
		switch {
		case err != nil:
			b.log.Debug("a founder does not answer yet", "name", f.Name, "why", err)
			continue
		case face.cluster != id.Cluster:
			return b.cfg.errorf("initial-cluster", "%s is of another cluster, %x, and this one would be %x; do all founders have the same list and --initial-cluster-token? "+
				"A node that was added to a running cluster is started with --initial-cluster-state existing",
				f.Name, face.cluster, id.Cluster)
		}
		i := slices.IndexFunc(face.members, func(m state.Member) bool { return m.ID == id.ID })
		if i < 0 || len(face.members[i].ClientURLs) > 0 {
			return fmt.Errorf("%w: member %s (%x) has been part of this cluster before and its data is gone: remove it (drydock etcdctl member remove %x), "+
				"add it anew (member add) and start it with --initial-cluster-state existing", ErrConfig, b.cfg.Name, uint64(id.ID), uint64(id.ID))
		}
	}
	return nil
}

// joinAdded joins a cluster that an operator has told about this node by its
// peer URLs.
func (b *bootstrap) joinAdded(ctx context.Context) (host.Identity, error) {
	listed, err := parseCluster(b.cfg.InitialCluster)
	if err != nil {
		return host.Identity{}, b.cfg.errorf("initial-cluster", "%w", err)
	}
	self, err := b.cfg.self(listed)
	if err != nil {
		return host.Identity{}, err
	}
	own := slices.Sorted(slices.Values(self.PeerURLs))
	var failures []error
	for _, m := range listed {
		if m.Name == b.cfg.Name {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, peerTimeout)
		face, err := askPeers(ctx, b.http, m.PeerURLs)
		cancel()
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", m.Name, err))
			continue
		}
		i := slices.IndexFunc(face.members, func(m state.Member) bool {
			return slices.Equal(slices.Sorted(slices.Values(m.PeerURLs)), own)
		})
		switch {
		case i < 0:
			return host.Identity{}, fmt.Errorf("%w: %w: first say on a member: drydock etcdctl member add %s %s", ErrConfig, errNoMember, b.cfg.Name, strings.Join(own, ","))
		case len(face.members[i].ClientURLs) > 0:
			return host.Identity{}, fmt.Errorf("%w: the cluster knows a running member at %s: remove it and add it anew", ErrConfig, strings.Join(own, ","))
		}
		return b.becomeMember(face, face.members[i])
	}
	return host.Identity{}, fmt.Errorf("no member of %s answers: %w", b.cfg.where("initial-cluster"), errors.Join(failures...))
}

// becomeMember makes the directory that of a member which the cluster has added.
func (b *bootstrap) becomeMember(face *peerFace, self state.Member) (host.Identity, error) {
	others := slices.DeleteFunc(slices.Clone(face.members), func(m state.Member) bool { return m.ID == self.ID })
	id := host.Identity{Cluster: face.cluster, ID: self.ID, Name: b.cfg.Name, Bootstrap: addresses(others)}
	if err := host.WriteIdentity(b.cfg.DataDir, id); err != nil {
		return id, err
	}
	return id, node.Join(b.disk, b.nodeConfig(id))
}

// join asks members to add this node, 2014's way: they need not be told before.
func (b *bootstrap) join(ctx context.Context, urls []string) (host.Identity, error) {
	ask := joinRequest{Name: b.cfg.Name, PeerURLs: b.cfg.AdvertisePeerURLs}
	deadline := time.Now().Add(joinPatience)
	for {
		face, id, err := askToJoin(ctx, b.http, urls, ask)
		if err == nil {
			i := slices.IndexFunc(face.members, func(m state.Member) bool { return m.ID == id })
			if i < 0 {
				return host.Identity{}, fmt.Errorf("%w: the answer of %s does not name this node", errNoMember, strings.Join(urls, ","))
			}
			return b.becomeMember(face, face.members[i])
		}
		if ctx.Err() != nil || errors.Is(err, errRefused) || time.Now().After(deadline) {
			return host.Identity{}, fmt.Errorf("joining through %s: %w", strings.Join(urls, ","), err)
		}
		b.log.Warn("can't join yet", "through", urls, "why", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// joinPatience is how long a joining node waits for members that don't answer.
const joinPatience = 2 * time.Minute

// discover finds the cluster by a discovery URL.
func (b *bootstrap) discover(ctx context.Context) (host.Identity, error) {
	token := b.cfg.Discovery
	self := state.Member{Name: b.cfg.Name, PeerURLs: slices.Sorted(slices.Values(b.cfg.AdvertisePeerURLs))}
	self.ID = memberID(token, self.Name, self.PeerURLs)
	o := discoveryOptions(b.cfg, b.log)
	mark := fmt.Sprintf("%s\n%x\n", token, o.ID)
	path := filepath.Join(b.cfg.DataDir, discoveryFile)
	// A start that was cut short while it waited has registered this member: the
	// next one must know that it was itself.
	before, err := os.ReadFile(path)
	if o.Again = err == nil && string(before) == mark; !o.Again {
		if err := renameio.WriteFile(path, []byte(mark), 0o600); err != nil {
			return host.Identity{}, fmt.Errorf("discovery: %w", err)
		}
	}
	res, err := discovery.Join(ctx, o)
	if err != nil {
		if errors.Is(err, discovery.ErrDuplicateID) {
			err = fmt.Errorf("%w: if that was this node and its data is lost, remove the member (drydock etcdctl member remove), add it anew (member add) "+
				"and start it with --initial-cluster-state existing; if not, give this one another --name", err)
		}
		return host.Identity{}, full(&res, err)
	}
	if len(res.Founders) == 0 {
		var urls []string
		for _, p := range res.Join {
			urls = append(urls, p.PeerURLs...)
		}
		if len(urls) > 0 {
			return b.join(ctx, urls)
		}
		// 2014's protocol names nobody to the first: it is to found alone.
		return b.found(ctx, []state.Member{self}, clusterID(token, []state.Member{self}))
	}
	var founders []state.Member
	for _, p := range res.Founders {
		m := state.Member{ID: world.MemberID(p.ID), Name: p.Name, PeerURLs: p.PeerURLs}
		if m.ID == 0 {
			m.ID = memberID(token, m.Name, m.PeerURLs)
		}
		founders = append(founders, m)
	}
	return b.found(ctx, founders, clusterID(token, founders))
}

// discoveryFile is where a node notes that it has registered with a discovery.
const discoveryFile = "discovery"

func discoveryOptions(cfg *Config, log *slog.Logger) discovery.Options {
	self := slices.Sorted(slices.Values(cfg.AdvertisePeerURLs))
	return discovery.Options{
		URL: cfg.Discovery, Proxy: cfg.DiscoveryProxy, Logger: log,
		ID: uint64(memberID(cfg.Discovery, cfg.Name, self)), Name: cfg.Name, PeerURLs: self,
	}
}

// keepRegistered renews what 2014's discovery would forget in a week.
func keepRegistered(ctx context.Context, cfg *Config, log *slog.Logger) {
	if cfg.Discovery == "" {
		return
	}
	if err := discovery.Keep(ctx, discoveryOptions(cfg, log)); err != nil {
		log.Warn("the registration with the discovery is not renewed", "why", err)
	}
}
