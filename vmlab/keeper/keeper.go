package keeper

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"drydock/vmlab/inject"
	"drydock/vmlab/lab"
)

// Keeper keeps one lab. Its methods may be called by several goroutines.
type Keeper struct {
	store  lab.Store
	driver lab.Driver
	lock   *os.File
	http   *http.Client // to machines
	ground lab.Ground

	mu       sync.Mutex
	closed   bool
	state    *lab.State
	injector *inject.Injector
	ports    map[string][]*forward
	// ready are the machines that have been healthy since they were switched on.
	ready map[string]bool
	// lasting are the faults that have not ended, numbered how many there were.
	lasting  []*Fault
	numbered int
	// restarts are the timers of crashes that are to be followed by one.
	restarts []*time.Timer

	striking sync.Mutex // held while a fault is injected
	changing sync.Mutex // held while machines are taken in or given up
	seating  sync.Mutex // held while a machine's disk is emptied, or it becomes a new member

	end  context.CancelFunc
	done chan struct{} // closed when the lab is down
}

// Open makes the lab of a directory whose state was saved. Nothing is switched on.
func Open(ctx context.Context, store lab.Store, driver lab.Driver) (k *Keeper, err error) {
	lock, err := store.LockKeeper()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, lock.Close())
		}
	}()
	k = &Keeper{store: store, driver: driver, lock: lock, ports: map[string][]*forward{}, ready: map[string]bool{}, done: make(chan struct{})}
	if k.state, err = store.Load(); err != nil {
		return nil, err
	}
	if err := store.NoteKeeper(); err != nil {
		return nil, err
	}
	if k.state.Spec.Control {
		k.driver = lab.Controlled(driver)
	}
	site := store.Site(k.state)
	if _, err := driver.Reap(site); err != nil {
		return nil, fmt.Errorf("what an earlier keeper has left: %w", err)
	}
	for i := range site.Machines {
		if err := os.MkdirAll(site.MachineDir(site.Machines[i].Name), 0o755); err != nil {
			return nil, err
		}
	}
	if k.ground, err = driver.Open(ctx, site); err != nil {
		return nil, err
	}
	k.http = &http.Client{Timeout: askPatience, Transport: &http.Transport{
		DialContext: k.ground.Dial, MaxIdleConnsPerHost: 2, IdleConnTimeout: 5 * time.Second,
	}}
	k.settle(k.state.Spec, k.state.Machines)
	return k, nil
}

// settle takes note of what the lab is from now on.
func (k *Keeper) settle(spec *lab.Spec, machines []lab.Machine) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.state.Settle(spec, machines)
	site := k.store.Site(k.state)
	k.injector = &inject.Injector{Site: &site, Driver: k.driver, Ground: k.ground, HTTP: k.http, Boot: k.boot}
}

// site is the lab as it is now.
func (k *Keeper) site() lab.Site {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.store.Site(k.state)
}

// inject is what injects faults into the lab as it is now.
func (k *Keeper) inject() *inject.Injector {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.injector
}

// askPatience is how long a machine's node may take to answer the keeper.
const askPatience = 2 * time.Second

// Close ends the lab and all that it was made of.
func (k *Keeper) Close() error {
	k.calm()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil
	}
	k.closed = true
	var errs []error
	for _, list := range k.ports { // any order: each by itself
		for _, f := range list {
			errs = append(errs, f.close())
		}
	}
	k.http.CloseIdleConnections()
	errs = append(errs, k.ground.Close(), k.lock.Close())
	return errors.Join(errs...)
}

// Serve answers commands until ctx ends or the lab is taken down. It then closes.
func (k *Keeper) Serve(ctx context.Context) error {
	ctx, k.end = context.WithCancel(ctx)
	defer k.end()
	path := filepath.Join(k.store.Dir, socketName)
	_ = os.Remove(path) // an earlier keeper's; this one has the lock
	l, err := listen(k.store.Dir)
	if err != nil {
		return errors.Join(err, k.Close())
	}
	srv := &http.Server{Handler: k.handler(), BaseContext: func(net.Listener) context.Context { return ctx }}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	<-ctx.Done()
	err = k.Close()
	close(k.done)
	stop, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if srv.Shutdown(stop) != nil {
		_ = srv.Close() // somebody watches still
	}
	<-served
	return err
}
