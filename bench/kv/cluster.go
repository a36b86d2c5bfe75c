package kv

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"drydock/bench/load"
)

// Bounds of waiting for servers.
const (
	probeTime    = 2 * time.Second
	probeEvery   = 20 * time.Millisecond
	readyTime    = time.Minute
	snapshotsPer = 100_000 // entries between two snapshots, for all systems: etcd's default
)

// cluster is the processes of one system. Its methods are for one goroutine.
type cluster struct {
	sys     System
	starter *starter
	procs   []*process
	addrs   []string // of the members' client ports
}

// newCluster prepares a cluster in a directory; nothing runs yet.
func newCluster(s *starter, sys System, dir string, members int, timers Timers) (*cluster, error) {
	dir = filepath.Join(dir, sys.Name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	addrs, err := freeAddrs(2 * members)
	if err != nil {
		return nil, err
	}
	clients, peers := addrs[:members], addrs[members:]
	var founders []string
	for i, peer := range peers {
		founders = append(founders, fmt.Sprintf("n%d=http://%s", i+1, peer))
	}
	c := &cluster{sys: sys, starter: s, addrs: clients}
	for i := range members {
		name := fmt.Sprintf("n%d", i+1)
		c.procs = append(c.procs, &process{
			path: sys.path, log: filepath.Join(dir, name+".log"),
			args: sys.args(place{
				name: name, data: filepath.Join(dir, name), client: clients[i], peer: peers[i],
				founders: strings.Join(founders, ","), timers: timers, snapshots: snapshotsPer,
			}),
		})
	}
	return c, nil
}

// freeAddrs returns addresses of loopback that nobody listens on. The ports are
// below those that systems give to connections that go out, so that the load's own
// connections can't take one while its member is down.
func freeAddrs(n int) ([]string, error) {
	var addrs []string
	var held []net.Listener
	for tries := 0; len(addrs) < n && tries < 100*n; tries++ {
		addr := "127.0.0.1:" + strconv.Itoa(12000+rand.IntN(20000))
		if l, err := net.Listen("tcp", addr); err == nil {
			addrs, held = append(addrs, addr), append(held, l)
		}
	}
	var errs []error
	for _, l := range held {
		errs = append(errs, l.Close())
	}
	if len(addrs) < n {
		errs = append(errs, errors.New("kv: no free ports on 127.0.0.1 from 12000 to 32000"))
	}
	return addrs, errors.Join(errs...)
}

// start starts what does not run and waits until all members are healthy and agree
// that one leads.
func (c *cluster) start(ctx context.Context) error {
	for _, p := range c.procs {
		if err := p.start(c.starter); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	for {
		why := c.unready(ctx)
		if why == nil {
			return nil
		}
		for i, p := range c.procs {
			if !p.running() {
				return fmt.Errorf("kv: %s n%d has ended: %s", c.sys.Name, i+1, lastLines(p.log))
			}
		}
		if err := pause(ctx, probeEvery); err != nil {
			return fmt.Errorf("kv: %s does not get ready: %w: %w", c.sys.Name, err, why)
		}
	}
}

// unready says why the cluster can't be measured now, nil if it can.
func (c *cluster) unready(ctx context.Context) error {
	for i := range c.procs {
		var answer struct {
			Health string `json:"health"`
		}
		if err := c.get(ctx, i, "/health", &answer); err != nil {
			return err
		}
		if answer.Health != "true" {
			return fmt.Errorf("n%d says that it isn't healthy", i+1)
		}
	}
	_, err := c.leader(ctx)
	return err
}

// leader returns the member that leads, by its own word.
func (c *cluster) leader(ctx context.Context) (int, error) {
	var errs []error
	for i, p := range c.procs {
		if !p.running() {
			continue
		}
		var self struct {
			State string `json:"state"`
		}
		err := c.get(ctx, i, "/v2/stats/self", &self)
		if err == nil && self.State == "StateLeader" {
			return i, nil
		}
		errs = append(errs, err)
	}
	return -1, fmt.Errorf("kv: no member of %s says that it leads: %w", c.sys.Name, errors.Join(errs...))
}

// get reads a JSON answer of a member.
func (c *cluster) get(ctx context.Context, i int, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	body, err := once(ctx, c.addrs[i], appendGet(nil, c.addrs[i], path), probeTime)
	if err != nil {
		return fmt.Errorf("n%d: GET %s: %w", i+1, path, err)
	}
	return json.Unmarshal(body, into)
}

// once sends one request over a connection of its own and returns the body of its
// answer, which must be a success.
func once(ctx context.Context, addr string, request []byte, patience time.Duration) ([]byte, error) {
	client, err := load.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer func() { _ = client.Close() }()
	a, err := client.Do(request, patience)
	if err != nil {
		return nil, err
	}
	if a.Status/100 != 2 {
		return nil, fmt.Errorf("status %d: %.200s", a.Status, bytes.TrimSpace(a.Body))
	}
	return a.Body, nil
}

// pids are the processes' ids.
func (c *cluster) pids() []int {
	var list []int
	for _, p := range c.procs {
		list = append(list, p.pid())
	}
	return list
}

// close kills what runs.
func (c *cluster) close() {
	for _, p := range c.procs {
		if p.running() {
			_ = p.cmd.Process.Signal(syscall.SIGKILL)
		}
	}
	for _, p := range c.procs {
		p.kill()
	}
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
