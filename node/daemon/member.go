package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"drydock/node"
	"drydock/node/authcheck"
	"drydock/node/checkpoint"
	"drydock/node/control"
	"drydock/node/fleetapi/serve"
	"drydock/node/front"
	"drydock/node/host"
	"drydock/node/labcontrol"
	"drydock/node/legacy"
	"drydock/node/machine/tether"
	"drydock/node/state"
	"drydock/node/transport"
	"drydock/node/wal"
	"drydock/node/worker"
	"drydock/node/world"
)

// member is a running member: its node and the faces around it.
type member struct {
	cfg      *Config
	log      *slog.Logger
	identity host.Identity
	disk     *host.Disk
	lab      *labcontrol.Control // nil but in a lab that asks for it
	getenv   func(string) string
	host     *host.Host
	peers    *transport.Transport
	front    *front.Server
	peerHTTP *http.Server

	lead    world.MemberID // use: the reactor's goroutine only
	led     chan struct{}  // closed when a leader is known for the first time
	ledOnce sync.Once
	removed chan struct{} // closed when this member is one no longer
	goOnce  sync.Once

	strayOnce sync.Once  // one warning of a peer URL that the cluster doesn't know
	failed    chan error // from the peer port
	guard     *authcheck.Guard
	machine   serve.Local   // the machine in this process, nil without one
	fleet     *fleetMachine // the same, as it is started and ended
	tether    *tether.Server
	ask       *http.Client  // asks other nodes' client ports
	socket    *socketServer // the fleet API's
	// ending is over when the faces are to let go of requests that wait.
	ending context.Context
	end    context.CancelFunc
}

// drainTimeout is how long requests that are carried out may take at the end.
const drainTimeout = 5 * time.Second

// node is what the reactor is told.
func (c *Config) node(id host.Identity) node.Config {
	return node.Config{
		Cluster: id.Cluster, ID: id.ID, Name: c.Name,
		PeerURLs: c.AdvertisePeerURLs, ClientURLs: c.AdvertiseClientURLs, AutoPromote: true,
		// As in etcd a tick is a heartbeat: at rest nothing wakes more often. Members'
		// ticks fall apart, so that few stand for election at once all the same.
		Tick: c.HeartbeatInterval, Heartbeat: c.HeartbeatInterval, Election: c.ElectionTimeout,
		CheckpointEntries: c.SnapshotCount, CatchUpEntries: c.CatchUpEntries, MaxWatches: int(c.MaxWatches),
		Fleet: control.Config{Lease: c.MachineLease, Beat: c.MachineLease / 6, Keep: c.KeepRunning},
	}
}

// start brings a member up; held are sockets that are open already. Sockets are opened before the directory is founded: a
// port that is taken must not leave a half-made member behind.
func start(ctx context.Context, cfg *Config, getenv func(string) string, log *slog.Logger, held map[string]net.Listener) (m *member, err error) {
	m = &member{
		cfg: cfg, log: log, getenv: getenv,
		led: make(chan struct{}), removed: make(chan struct{}), failed: make(chan error, 1),
	}
	m.ending, m.end = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()
	if m.disk, err = openDisk(cfg); err != nil {
		return m, err
	}
	secrets, err := loadSecrets(cfg, log)
	if err != nil {
		return m, err
	}
	clients, err := listen(ctx, "listen-client-urls", cfg.ListenClientURLs, held)
	if err != nil {
		return m, err
	}
	peers, err := listen(ctx, "listen-peer-urls", cfg.ListenPeerURLs, held)
	if err != nil {
		return m, errors.Join(err, clients.close())
	}
	socket, err := listenFleet(ctx, cfg, held, log)
	if err != nil {
		return m, errors.Join(err, clients.close(), peers.close())
	}
	door := m.openPeers(peers, secrets)
	if err = m.startNode(ctx, secrets); err != nil {
		return m, errors.Join(err, clients.close(), peers.close(), closeSocket(socket))
	}
	m.ask = &http.Client{Transport: &http.Transport{TLSClientConfig: secrets.clientClient}}
	m.openTether()
	m.serve(clients, door, secrets)
	m.socket = serveFleet(socket, serve.Handler(m.fleetOptions(nil)), log, m.failed)
	closeHeld(held, log)
	users := false
	_ = m.host.Look(func(n *node.Node) { users = n.State().Auth().Enabled() })
	warnOpen(cfg, log, users)
	go giveBack(m.ending)
	go keepRegistered(m.ending, cfg, log)
	return m, nil
}

// openDisk opens and locks the data directory.
func openDisk(cfg *Config) (*host.Disk, error) {
	disk, err := host.OpenDisk(cfg.DataDir)
	if err == nil {
		return disk, nil
	}
	err = fmt.Errorf("%s: %w", cfg.where("data-dir"), err)
	if errors.Is(err, host.ErrLocked) {
		err = fmt.Errorf("%w: if that is a node, give this one a --name or --data-dir of its own", err)
	}
	return nil, err
}

// startNode founds or joins if need be, and begins to turn the node.
func (m *member) startNode(ctx context.Context, s *secrets) (err error) {
	b := &bootstrap{cfg: m.cfg, disk: m.disk, log: m.log, http: s.peerHTTP()}
	if m.identity, err = b.prepare(ctx); err != nil {
		return err
	}
	if err = m.startMachine(s); err != nil {
		return err
	}
	m.peers = transport.New(transport.Options{
		Cluster: m.identity.Cluster, ID: m.identity.ID, Name: m.cfg.Name,
		Release: strconv.FormatUint(uint64(state.Newest), 10), URLs: m.cfg.AdvertisePeerURLs,
		TLSClient: s.peerClient, Logger: m.log, Deliver: m.deliver,
		Removed: m.isRemoved, OnRefused: m.refused,
	})
	m.setPeers(bootstrapMembers(m.identity))
	o := host.Options{
		Config: m.cfg.node(m.identity), Store: checkpoint.Store{}, Peers: m.peers,
		OnRole: m.roleChanged, OnMembers: m.membersChanged, OnRest: cpus.resting,
	}
	if err := m.controlled(&o); err != nil {
		return err
	}
	m.host, err = host.Start(m.files(), o)
	if errors.Is(err, node.ErrNotFounded) {
		if err = b.finish(m.identity); err == nil {
			m.host, err = host.Start(m.files(), o)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w%s", m.cfg.DataDir, err, damageHint(m.cfg.DataDir, err))
	}
	cpus.wake()
	m.attached()
	return nil
}

// damageHint names the command that says what is damaged where, and what to do.
func damageHint(dir string, err error) string {
	for _, kind := range []error{wal.ErrCorrupt, checkpoint.ErrCorrupt, state.ErrCorrupt, node.ErrDamaged} {
		if errors.Is(err, kind) {
			return fmt.Sprintf(" (drydock node inspect %s says what is damaged, and what to do)", dir)
		}
	}
	return ""
}

// isRemoved says whether id was a member and is none any more.
func (m *member) isRemoved(id world.MemberID) (removed bool) {
	err := m.host.Look(func(n *node.Node) { removed = n.State().Removed(id) })
	return err == nil && removed
}

// refused is told that another member will not hear this one.
func (m *member) refused(_ world.MemberID, r *transport.Refusal) {
	if r.Why == transport.WhyRemoved {
		m.goOnce.Do(func() { close(m.removed) })
	}
}

// deliver hands a frame to the node.
func (m *member) deliver(frame []byte) { m.host.Receive(frame) }

func bootstrapMembers(id host.Identity) (list []state.Member) {
	for _, a := range id.Bootstrap {
		list = append(list, state.Member{ID: a.ID, PeerURLs: a.PeerURLs})
	}
	return list
}

func (m *member) setPeers(members []state.Member) {
	var peers []transport.Peer
	for _, other := range members {
		if other.ID != m.identity.ID {
			peers = append(peers, transport.Peer{ID: other.ID, Name: other.Name, URLs: other.PeerURLs})
		}
	}
	m.peers.SetPeers(peers)
}

// roleChanged is called on the reactor's goroutine.
func (m *member) roleChanged(r node.Role) {
	switch {
	case r.Leader:
		m.log.Info("this member leads", "term", r.Term)
	case r.Lead != 0:
		m.log.Info("there is a leader", "leader", fmt.Sprintf("%x", uint64(r.Lead)), "term", r.Term)
	case m.lead != 0:
		m.log.Warn("the leader is lost", "was", fmt.Sprintf("%x", uint64(m.lead)), "term", r.Term)
	default:
		m.log.Debug("no leader yet", "term", r.Term)
	}
	m.lead = r.Lead
	if r.Lead != 0 {
		m.ledOnce.Do(func() { close(m.led) })
	}
}

// membersChanged is called on the reactor's goroutine.
func (m *member) membersChanged(members []state.Member) {
	if len(members) == 0 {
		return // joining: what was learned from the others still holds
	}
	m.setPeers(members)
	m.fleet.follow(m.peerURLs(members))
	if warning := strayed(m.cfg, m.identity.ID, members); warning != "" {
		m.strayOnce.Do(func() { m.log.Warn(warning) })
	}
	if !slices.ContainsFunc(members, func(o state.Member) bool { return o.ID == m.identity.ID }) {
		m.goOnce.Do(func() { close(m.removed) })
	}
}

// strayed says so if the others are told to reach this member elsewhere than where
// it says it is: a peer URL changes by a decision of the cluster, not by a flag.
func strayed(cfg *Config, id world.MemberID, members []state.Member) string {
	own := slices.Sorted(slices.Values(cfg.AdvertisePeerURLs))
	for _, o := range members {
		if known := slices.Sorted(slices.Values(o.PeerURLs)); o.ID == id && !slices.Equal(known, own) {
			return fmt.Sprintf("the others reach this member at %s, and %s says %s: if it has moved, tell them by drydock etcdctl member update %x %s",
				strings.Join(known, ","), cfg.where("initial-advertise-peer-urls"), strings.Join(own, ","), uint64(id), strings.Join(own, ","))
		}
	}
	return ""
}

// openPeers begins to listen to other members, and to tell founders that ask that
// there is no member here yet.
func (m *member) openPeers(peers listeners, s *secrets) *door {
	d := &door{opened: make(chan struct{})}
	m.peerHTTP = transport.NewServer(d, nil, m.log)
	for _, ln := range peers {
		var l net.Listener = ln
		if ln.secure {
			l = tls.NewListener(l, s.peerServer)
		}
		go func() { m.peerEnded(m.peerHTTP.Serve(l)) }()
	}
	return d
}

// serve begins to answer at both ports.
func (m *member) serve(clients listeners, d *door, s *secrets) {
	mux := http.NewServeMux()
	mux.Handle(transport.Path, m.peers.Handler())
	mux.Handle(tether.Path, m.tether)
	(&peerServer{cluster: m.identity.Cluster, host: m.host}).register(mux)
	m.front = m.newFront().Serve(m.clientListeners(clients, s)...)
	old := legacy.Peer(m.host, legacy.Options{Guard: m.guard, Stop: m.ending})
	mux.Handle(worker.PathJoin, worker.JoinHandler(m.host, m.identity.Cluster, m.cfg.JoinToken))
	for _, path := range legacy.PeerPaths() {
		mux.Handle(path, old)
	}
	d.open(mux)
}

func (m *member) clientListeners(clients listeners, s *secrets) (list []front.Listener) {
	for _, ln := range clients {
		l := front.Listener{Listener: ln.Listener}
		if ln.secure {
			l.TLS = s.clientServer
		}
		list = append(list, l)
	}
	return list
}

func (m *member) peerEnded(err error) {
	if errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return
	}
	select {
	case m.failed <- fmt.Errorf("the peer listener failed: %w", err):
	default:
	}
}

// run waits until the member is to end, and ends it.
func (m *member) run(ctx context.Context) error {
	inner, stop := context.WithCancel(ctx)
	defer stop()
	// A reactor that doesn't come round doesn't answer, and systemd hears nothing.
	go watchdog(inner, m.log, func() bool { return m.host.Look(func(*node.Node) {}) == nil })
	go func() {
		select {
		case <-m.led:
			notify(m.log, daemon.SdNotifyReady)
		case <-inner.Done():
		}
	}()
	var reason error
	select {
	case <-ctx.Done():
		m.log.Info("stopping")
		notify(m.log, daemon.SdNotifyStopping)
		reason = m.fleet.leave("the node stops")
		m.handOver()
	case <-m.removed:
		m.log.Warn("this member was removed from the cluster: it ends here, and its data directory is of no more use", "data-dir", m.cfg.DataDir)
	case <-m.host.Done():
		reason = fmt.Errorf("the node stopped: %w", m.host.Err())
	case reason = <-m.failed:
	case reason = <-m.front.Err():
	}
	return errors.Join(reason, m.close())
}

// handOver gives the leader's office to the member that is closest behind, so that
// nobody has to wait for an election. If that fails the others will elect.
func (m *member) handOver() {
	var heir world.MemberID
	err := m.host.Look(func(n *node.Node) {
		var most uint64
		for _, p := range n.Progress() {
			if p.Active && !p.Learner && p.Match >= most && m.peers.Connected(p.ID) {
				most, heir = p.Match, p.ID
			}
		}
	})
	if err != nil || heir == 0 {
		return // not the leader, or nobody to hand over to
	}
	m.log.Info("handing the leadership over", "to", fmt.Sprintf("%x", uint64(heir)))
	ctx, stop := context.WithTimeout(context.Background(), 2*m.cfg.ElectionTimeout)
	defer stop()
	m.host.Transfer(ctx, heir)
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	for ctx.Err() == nil {
		leads := false
		if m.host.Look(func(n *node.Node) { leads = n.View().Role.Leader }) != nil || !leads {
			return
		}
		<-t.C
	}
}

// close takes down what start has put up, faces first. It may be called at any
// stage of a start.
func (m *member) close() error {
	var errs []error
	errs = append(errs, m.fleet.close())
	m.end()
	if m.front != nil {
		ctx, stop := context.WithTimeout(context.Background(), drainTimeout)
		errs = append(errs, m.front.Shutdown(ctx), m.socket.close(ctx))
		stop()
		m.ask.CloseIdleConnections()
	}
	if m.peerHTTP != nil {
		errs = append(errs, m.peerHTTP.Close())
	}
	if m.tether != nil {
		m.tether.Close()
	}
	if m.peers != nil {
		m.peers.Close()
	}
	if m.host != nil {
		// Why it stopped, if by itself, is told by run.
		_ = m.host.Stop()
		cpus.rest()
	}
	if m.lab != nil {
		errs = append(errs, m.lab.Close())
	}
	if m.disk != nil {
		errs = append(errs, m.disk.Close())
	}
	return errors.Join(errs...)
}
