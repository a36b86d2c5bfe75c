package worker

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"drydock/node/fleetapi/serve"
	"drydock/node/host"
)

// PathWorker is where a worker tells of itself.
const PathWorker = "/drydock/worker"

const (
	defaultRefresh = 30 * time.Second
	minPause       = 500 * time.Millisecond
	maxPause       = 15 * time.Second

	headerTime = 10 * time.Second
	idleTime   = 5 * time.Minute
	stopTime   = 5 * time.Second
)

// dialer gives up on a member that doesn't take a connection, so that another can
// be asked.
var dialer = net.Dialer{Timeout: 2 * time.Second, KeepAlive: 15 * time.Second}

// ErrOptions is matched when the options make no sense.
var ErrOptions = errors.New("worker: options")

// Options are what a worker needs.
type Options struct {
	// Name is the node's name for people.
	Name string
	// DataDir is where the worker keeps who it is and where the members are.
	DataDir string
	// Join are URLs of the cluster, of client or peer ports; one that answers is
	// enough. Peers are URLs of peer ports, as a discovery tells them. A worker that
	// Remembers its cluster needs neither.
	Join, Peers []string
	// Token is the cluster's join token. Without one the worker has no identity,
	// and passes requests on as any client may.
	Token string
	// Listeners are where clients come in; they are the worker's from here on.
	Listeners []net.Listener
	// TLS is for client URLs, PeerTLS for peers'.
	TLS, PeerTLS *tls.Config
	// Machine, if not nil, is the machine in this process: what only it knows of its
	// units, members ask for here.
	Machine serve.Local
	// Known, if not nil, is called when the worker knows its cluster's id, in hex, and
	// where its members' peer ports are, and again when that has changed.
	Known func(cluster string, peers []string)
	// Refresh is how often the list of members is read (default 30 s).
	Refresh time.Duration
	// Ready, if not nil, is called once clients are served.
	Ready func(Status)
	// Logger hears what an operator may want to know; nil for none.
	Logger *slog.Logger

	_ struct{}
}

// Status is what a worker tells of itself.
type Status struct {
	Name    string `json:"name"`
	Worker  string `json:"worker,omitempty"`
	Cluster string `json:"cluster,omitempty"`
	// Members are the names of the cluster's members.
	Members   []string    `json:"members"`
	Endpoints []condition `json:"endpoints"`
}

// worker is a running one.
type worker struct {
	o       *Options
	log     *slog.Logger
	ask     asker
	balance *balance

	mu  sync.Mutex
	mem *memory
}

// Run runs a worker until ctx ends (then it returns nil) or it can't go on: its
// directory is somebody else's, or the cluster refuses it.
func Run(ctx context.Context, o Options) error {
	defer func() {
		for _, l := range o.Listeners {
			// Served ones are closed already.
			_ = l.Close()
		}
	}()
	if err := o.check(); err != nil {
		return err
	}
	disk, err := host.OpenDisk(o.DataDir)
	if err != nil {
		return err
	}
	mem, err := readMemory(o.DataDir, o.Name)
	if err != nil {
		return errors.Join(err, disk.Close())
	}
	via := newTransport(&o)
	peerVia := newTransport(&o)
	peerVia.TLSClientConfig = o.PeerTLS
	defer via.CloseIdleConnections()
	defer peerVia.CloseIdleConnections()
	w := &worker{
		o: &o, log: o.Logger, mem: mem, balance: &balance{now: time.Now},
		ask: asker{client: &http.Client{Transport: via}, peer: &http.Client{Transport: peerVia}, token: o.Token},
	}
	w.balance.set(spread(clientURLs(mem.Members)))
	w.tell()
	return errors.Join(w.run(ctx, newProxy(w.balance, via, w.log)), disk.Close())
}

func (o *Options) check() error {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Refresh <= 0 {
		o.Refresh = defaultRefresh
	}
	switch {
	case o.Name == "" || len(o.Name) > maxNameBytes:
		return fmt.Errorf("%w: --name: want 1 to %d bytes", ErrOptions, maxNameBytes)
	case o.DataDir == "":
		return fmt.Errorf("%w: --data-dir is missing", ErrOptions)
	case len(o.Join)+len(o.Peers) == 0 && !Remembers(o.DataDir):
		return fmt.Errorf("%w: --join: give the URL of a member", ErrOptions)
	case len(o.Listeners) == 0:
		return fmt.Errorf("%w: --listen-client-urls: there is nowhere to listen", ErrOptions)
	}
	for _, u := range slices.Concat(o.Join, o.Peers) {
		if err := checkURL(u); err != nil {
			return fmt.Errorf("%w: --join: %w", ErrOptions, err)
		}
	}
	return nil
}

// run joins, serves and keeps the list of members fresh. A worker that has been
// let in before serves at once: its cluster may come back later.
func (w *worker) run(ctx context.Context, p *proxy) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	known := len(clientURLs(w.mem.Members)) > 0 && (w.mem.Worker != "" || w.o.Token == "")
	if !known {
		if err := w.enter(ctx); err != nil {
			return unlessStopped(ctx, err)
		}
	}
	var group sync.WaitGroup
	group.Go(func() {
		if known {
			if err := w.enter(ctx); err != nil {
				stop(err)
				return
			}
		}
		w.refresh(ctx)
	})
	err := w.serve(ctx, p)
	stop(err)
	group.Wait()
	if err == nil {
		err = unlessStopped(ctx, context.Cause(ctx))
	}
	return err
}

// unlessStopped drops the error of a worker that was told to stop.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, ErrRefused) {
		return nil
	}
	return err
}

// serve serves clients until ctx ends.
func (w *worker) serve(ctx context.Context, p *proxy) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+PathWorker, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		// A client that is gone misses nothing by it.
		_ = json.NewEncoder(rw).Encode(w.status())
	})
	local := &serve.Machine{Local: w.o.Machine, Token: w.o.Token, Judge: w.judge, Stop: p.closing}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	server := &http.Server{
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			// The cluster's paths go on as they are; a mux would clean them.
			switch {
			case r.URL.Path == PathWorker:
				mux.ServeHTTP(rw, r)
			case isFleet(r.URL.Path) && local.Owns(r):
				local.ServeHTTP(rw, r)
			default:
				p.ServeHTTP(rw, r)
			}
		}),
		Protocols: protocols, ReadHeaderTimeout: headerTime, IdleTimeout: idleTime,
		ErrorLog: slog.NewLogLogger(w.log.Handler(), slog.LevelDebug),
	}
	errs := make(chan error, len(w.o.Listeners))
	for _, l := range w.o.Listeners {
		go func() { errs <- server.Serve(l) }()
	}
	if w.o.Ready != nil {
		w.o.Ready(w.status())
	}
	left := len(w.o.Listeners)
	var failed error
	select {
	case <-ctx.Done():
	case err := <-errs:
		left--
		failed = fmt.Errorf("worker: serving: %w", err)
	}
	p.endWatches()
	end, stop := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
	defer stop()
	if err := server.Shutdown(end); err != nil {
		failed = errors.Join(failed, err, server.Close())
	}
	for range left {
		<-errs
	}
	return failed
}

// enter asks until the cluster has let the worker in, or has refused it.
func (w *worker) enter(ctx context.Context) error {
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		err := w.tryEnter(ctx)
		if err == nil || errors.Is(err, ErrRefused) {
			return err
		}
		if ctx.Err() == nil {
			w.log.Warn("no member lets this worker in yet", "err", err, "in", pause)
		}
		if !sleep(ctx, pause) {
			return errors.Join(ctx.Err(), err)
		}
	}
}

// tryEnter asks each URL once. Without a token it is enough to find the members.
func (w *worker) tryEnter(ctx context.Context) error {
	if w.o.Token == "" {
		return w.look(ctx)
	}
	var failures []error
	var silent []string // URLs that may be of peer ports
	try := func(c *http.Client, urls []string) (bool, error) {
		for _, url := range urls {
			ans, err := w.ask.join(ctx, c, url, w.memory())
			if err != nil {
				failures = append(failures, err)
				if !errors.Is(err, ErrRefused) {
					silent = append(silent, url)
				}
				continue
			}
			m := w.memory()
			if m.Worker == "" {
				w.log.Info("joined the cluster", "cluster", ans.Cluster, "worker", ans.Worker)
			}
			m.Cluster, m.Worker = ans.Cluster, ans.Worker
			return true, w.take(m, ans.Members)
		}
		return false, nil
	}
	if done, err := try(w.ask.client, slices.Concat(w.balance.order(), w.o.Join)); done {
		return err
	}
	if done, err := try(w.ask.peer, slices.Concat(silent, w.o.Peers)); done {
		return err
	}
	return oneLine(failures)
}

// refresh reads the list of members again and again.
func (w *worker) refresh(ctx context.Context) {
	for pause := w.o.Refresh; sleep(ctx, pause); {
		if err := w.look(ctx); err != nil && ctx.Err() == nil {
			w.log.Warn("no member tells who the members are", "err", err)
			pause = min(w.o.Refresh, maxPause)
			continue
		}
		pause = w.o.Refresh
	}
}

// look asks one URL after another for the members.
func (w *worker) look(ctx context.Context) error {
	m := w.memory()
	var failures []error
	take := func(r roster, err error) bool {
		if err == nil {
			if m.Cluster == "" {
				m.Cluster = r.cluster
			}
			err = w.take(m, r.members)
		}
		if err != nil {
			failures = append(failures, err)
		}
		return err == nil
	}
	for _, url := range w.balance.order() {
		list, err := w.ask.members(ctx, url, m.Cluster)
		if err == nil {
			w.balance.answered(url)
		} else if w.balance.failed(url, err) {
			w.log.Warn("a member doesn't answer", "endpoint", url, "err", err)
		}
		if take(list, err) {
			return nil
		}
	}
	for _, url := range w.o.Join {
		list, err := w.ask.members(ctx, url, m.Cluster)
		if err != nil {
			list, err = w.ask.peers(ctx, url, m.Cluster)
		}
		if take(list, err) {
			return nil
		}
	}
	for _, url := range w.o.Peers {
		if take(w.ask.peers(ctx, url, m.Cluster)) {
			return nil
		}
	}
	return oneLine(failures)
}

// oneLine joins errors, each of them once, so that a log's line is one.
func oneLine(failures []error) error {
	var all error
	var seen []string
	for _, err := range failures {
		switch {
		case slices.Contains(seen, err.Error()):
			continue
		case all == nil:
			all = err
		default:
			all = fmt.Errorf("%w; %w", all, err)
		}
		seen = append(seen, err.Error())
	}
	return all
}

// memory copies what is known.
func (w *worker) memory() *memory {
	w.mu.Lock()
	defer w.mu.Unlock()
	m := *w.mem
	return &m
}

// take keeps m with a new list of members, on disk if anything has changed.
func (w *worker) take(m *memory, list []memberJSON) error {
	changed, err := w.keep(m, list)
	if changed {
		w.tell()
	}
	return err
}

func (w *worker) keep(m *memory, list []memberJSON) (changed bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	old := w.mem
	m.Members = list
	if !sameMembers(old.Members, list) || old.Worker != m.Worker || old.Cluster != m.Cluster {
		if err := m.write(w.o.DataDir); err != nil {
			return false, fmt.Errorf("worker: keeping the list of members: %w", err)
		}
		w.mem, changed = m, true
		w.balance.set(spread(clientURLs(list)))
	}
	return changed, nil
}

// tell says which cluster it is and where its members are, if that is known.
func (w *worker) tell() {
	m := w.memory()
	var peers []string
	for _, member := range m.Members {
		peers = append(peers, member.PeerURLs...)
	}
	if w.o.Known != nil && m.Cluster != "" && len(peers) > 0 {
		w.o.Known(m.Cluster, spread(peers))
	}
}

// status tells of the worker.
func (w *worker) status() Status {
	m := w.memory()
	s := Status{Name: m.Name, Worker: m.Worker, Cluster: m.Cluster, Members: []string{}, Endpoints: w.balance.conditions()}
	for _, member := range m.Members {
		s.Members = append(s.Members, member.Name)
	}
	return s
}

// spread shuffles endpoints, so that not all workers keep to the same.
func spread(urls []string) []string {
	rand.Shuffle(len(urls), func(i, j int) { urls[i], urls[j] = urls[j], urls[i] })
	return urls
}

// sleep waits, a little more or less, and returns false when ctx has ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d/2 + rand.N(d))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
