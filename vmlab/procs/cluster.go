package procs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Options say what cluster to run.
type Options struct {
	// Binary is the program, Dir the directory for data and logs.
	Binary, Dir string
	// Members is how many there are (default 3).
	Members int
	// Flags are given to each member beside those that name and place it.
	Flags []string

	_ struct{}
}

// Cluster is a set of processes, each a member. Its methods may be called by
// several goroutines; members are numbered from 0.
type Cluster struct {
	members []*member
	starter *starter
	http    *http.Client
}

// member is one of a cluster's processes.
type member struct {
	process
	name, url, data string
	// run is where the node's machine has its run directory.
	run string
}

// Bounds of asking a member how it is.
const (
	probeTimeout = time.Second
	probeEvery   = 20 * time.Millisecond
)

// New prepares a cluster. Nothing runs before Start.
func New(o Options) (*Cluster, error) {
	if o.Members == 0 {
		o.Members = 3
	}
	ports, err := freePorts(2 * o.Members)
	if err != nil {
		return nil, err
	}
	url := func(i int) string { return "http://127.0.0.1:" + strconv.Itoa(ports[i]) }
	var founders []string
	for i := range o.Members {
		founders = append(founders, fmt.Sprintf("n%d=%s", i+1, url(2*i+1)))
	}
	c := &Cluster{starter: newStarter(), http: &http.Client{Timeout: probeTimeout}}
	for i := range o.Members {
		name := fmt.Sprintf("n%d", i+1)
		m := &member{name: name, url: url(2 * i), data: filepath.Join(o.Dir, name+".drydock"), run: filepath.Join(o.Dir, name+".run")}
		m.path, m.dir, m.log = o.Binary, o.Dir, filepath.Join(o.Dir, name+".log")
		m.args = append([]string{
			"node", "--name", name, "--data-dir", m.data,
			"--listen-client-urls", m.url, "--advertise-client-urls", m.url,
			"--listen-peer-urls", url(2*i + 1), "--initial-advertise-peer-urls", url(2*i + 1),
			"--initial-cluster", strings.Join(founders, ","), "--initial-cluster-token", "procs",
			"--run-dir", m.run, "--fleet-socket", "none",
		}, o.Flags...)
		c.members = append(c.members, m)
	}
	return c, nil
}

// freePorts returns ports of loopback that nobody listens on. They are below
// those that systems give to connections that go out, so that none is taken while
// its member is down.
func freePorts(n int) ([]int, error) {
	var ports []int
	var held []net.Listener
	for tries := 0; len(ports) < n; tries++ {
		if tries > 100*n {
			return nil, errors.New("procs: no free ports on 127.0.0.1 from 12000 to 32000")
		}
		port := 12000 + rand.IntN(20000)
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		ports, held = append(ports, port), append(held, l)
	}
	var errs []error
	for _, l := range held {
		errs = append(errs, l.Close())
	}
	return ports, errors.Join(errs...)
}

// Size is the number of members.
func (c *Cluster) Size() int { return len(c.members) }

// Name returns a member's name.
func (c *Cluster) Name(i int) string { return c.members[i].name }

// URL returns where clients reach a member.
func (c *Cluster) URL(i int) string { return c.members[i].url }

// DataDir returns a member's data directory.
func (c *Cluster) DataDir(i int) string { return c.members[i].data }

// Pid returns the id of a member's process, 0 while it does not run.
func (c *Cluster) Pid(i int) int { return c.members[i].pid() }

// Running says whether a member's process runs, and whether it is paused.
func (c *Cluster) Running(i int) (up, paused bool) { return c.members[i].running() }

// Start starts a member that does not run.
func (c *Cluster) Start(i int) error { return c.members[i].start(c.starter) }

// StartAll starts every member that does not run and waits until all are healthy.
func (c *Cluster) StartAll(ctx context.Context) error {
	for i := range c.members {
		if err := c.Start(i); err != nil {
			return err
		}
	}
	return c.Ready(ctx)
}

// Kill ends a member as kill -9 does.
func (c *Cluster) Kill(i int) { c.members[i].kill() }

// KillAll ends all members at once.
func (c *Cluster) KillAll() {
	for _, m := range c.members {
		_ = m.signal(syscall.SIGKILL)
	}
	for _, m := range c.members {
		m.kill()
	}
}

// Stop asks a member to stop and waits until it has; one that does not is killed
// after some time, and that is an error.
func (c *Cluster) Stop(i int) error {
	m := c.members[i]
	done := make(chan struct{})
	go func() {
		m.end(syscall.SIGTERM)
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-time.After(stopPatience):
	}
	m.kill()
	<-done
	return fmt.Errorf("%s did not stop within %v of SIGTERM; see %s", m.name, stopPatience, m.log)
}

// stopPatience is how long a member may take to stop.
const stopPatience = 15 * time.Second

// Pause stops a member's process where it is; Resume lets it go on.
func (c *Cluster) Pause(i int) error { return c.members[i].signal(syscall.SIGSTOP) }

// Resume lets a paused member go on.
func (c *Cluster) Resume(i int) error { return c.members[i].signal(syscall.SIGCONT) }

// Close kills what runs, units and their machines' guards too.
func (c *Cluster) Close() {
	c.KillAll()
	for _, m := range c.members {
		endAll(m.run)
	}
	c.starter.close()
}

// Ready waits until every member that runs says that it is healthy.
func (c *Cluster) Ready(ctx context.Context) error {
	for i, m := range c.members {
		for {
			up, _ := m.running()
			if !up {
				return fmt.Errorf("%s has ended: %s", m.name, lastLines(m.log))
			}
			if c.healthy(ctx, i) {
				break
			}
			if err := pause(ctx, probeEvery); err != nil {
				return fmt.Errorf("%s is not healthy: %w: %s", m.name, err, lastLines(m.log))
			}
		}
	}
	return nil
}

func (c *Cluster) healthy(ctx context.Context, i int) bool {
	var answer struct {
		Health string `json:"health"`
	}
	return c.get(ctx, i, "/health", &answer) == nil && answer.Health == "true"
}

// Leader returns the member that says it leads, -1 if none does.
func (c *Cluster) Leader(ctx context.Context) int {
	for i := range c.members {
		var self struct {
			State string `json:"state"`
		}
		if up, paused := c.Running(i); !up || paused {
			continue
		}
		if c.get(ctx, i, "/v2/stats/self", &self) == nil && self.State == "StateLeader" {
			return i
		}
	}
	return -1
}

// get reads a JSON answer of a member.
func (c *Cluster) get(ctx context.Context, i int, path string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL(i)+path, nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	err = json.NewDecoder(resp.Body).Decode(into)
	return errors.Join(err, resp.Body.Close())
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

// lastLines returns the end of a log.
func lastLines(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}
