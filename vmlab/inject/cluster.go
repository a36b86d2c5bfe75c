package inject

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"drydock/chaos"
	"drydock/node/labcontrol"
	"drydock/vmlab/lab"
)

// Operated says whether faults of a kind change who the members are, or what they are
// made of: whoever keeps the lab's machines brings them about.
func Operated(k chaos.Kind) bool {
	return k == chaos.KindMembership || k == chaos.KindWipe || k == chaos.KindReplace
}

// DataDir is the directory of the host that has what a machine's node keeps, where the
// driver's machines have no disk of their own.
func DataDir(site *lab.Site, m *lab.Machine) string {
	return filepath.Join(site.MachineDir(m.Name), "root"+lab.GuestData)
}

// HandOver has a controlled node, which leads, hand its leadership over to the member of
// a name.
func HandOver(g lab.Ground, from, to string) error {
	if _, err := labcontrol.Ask(g.Control(from), labcontrol.Call{Transfer: to}); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return nil
}

// MayHarm says whether a member's disk may be spoiled for good, of how many others there
// are and live: they must be a majority by themselves.
func MayHarm(others, living int) error {
	if living <= (others+1)/2 {
		return fmt.Errorf("%w: of the other %d, %d live", chaos.ErrNotYet, others, living)
	}
	return nil
}

// transfer has the leader hand over to one of the nodes.
func (i *Injector) transfer(nodes []string) (Undo, string, error) {
	if len(nodes) != 1 || i.Site.Machine(nodes[0]) == nil {
		return nil, "", fmt.Errorf("%w: one member can lead, of %d named", chaos.ErrNoEffect, len(nodes))
	}
	to, from := i.Site.Machine(nodes[0]), i.leader()
	if from == nil || from == to {
		return nil, "", fmt.Errorf("%w: nobody to hand over", chaos.ErrNoEffect)
	}
	return nil, "from " + from.Name, HandOver(i.Ground, from.Name, to.Name)
}

// leader is the member that says it leads, in the newest term; nil if none does.
func (i *Injector) leader() (leads *lab.Machine) {
	ctx, cancel := context.WithTimeout(context.Background(), userPatience)
	defer cancel()
	newest := uint64(0)
	for k := range i.Site.Machines {
		m := &i.Site.Machines[k]
		if !i.answers(m) {
			continue
		}
		var vars struct {
			Raft struct {
				Term  uint64 `json:"term"`
				State string `json:"raftState"`
			} `json:"raft.status"`
		}
		if i.call(ctx, m, http.MethodGet, "/debug/vars", nil, &vars) == nil && vars.Raft.State == "StateLeader" && vars.Raft.Term >= newest {
			leads, newest = m, vars.Raft.Term
		}
	}
	return leads
}

// answers says whether a machine is one whose node may answer calls of the cluster.
func (i *Injector) answers(m *lab.Machine) bool {
	v := i.Ground.Vitals(m.Name)
	return m.Role == lab.RoleMember && v.Power == lab.PowerOn && v.NodeUp && !v.NodePaused
}

// userPatience is how long a call of the cluster is tried, userRetry the rest between two
// rounds of trying.
const (
	userPatience = 10 * time.Second
	userRetry    = 100 * time.Millisecond
)

// errAnswer is matched by the errors about answers that are a refusal.
var errAnswer = errors.New("refused")

// user makes a call of the cluster as its users do: of one member after another, until one
// grants or refuses it.
func (i *Injector) user(method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(context.Background(), userPatience)
	defer cancel()
	last := errors.New("no member is up")
	for {
		for k := range i.Site.Machines {
			m := &i.Site.Machines[k]
			if !i.answers(m) {
				continue
			}
			if last = i.call(ctx, m, method, path, body, into); last == nil || errors.Is(last, errAnswer) {
				return last
			}
		}
		select {
		case <-time.After(userRetry):
		case <-ctx.Done():
			return last
		}
	}
}

// callPatience is how long one member may take.
const callPatience = 2 * time.Second

// call makes one call of one member.
func (i *Injector) call(ctx context.Context, m *lab.Machine, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, callPatience)
	defer cancel()
	return Call(ctx, i.HTTP, m, method, path, body, into)
}

// Call makes a call of a member's API, with a body in JSON unless that is nil, and reads
// its answer into into, unless that is. Its errors tell what the member said.
func Call(ctx context.Context, client *http.Client, m *lab.Machine, method, path string, body, into any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, m.ClientURL()+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	switch {
	case resp.StatusCode/100 == 4:
		return fmt.Errorf("%w: %s: %s %s: %s: %s", errAnswer, m.Name, method, path, resp.Status, strings.TrimSpace(string(answer)))
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("%s: %s %s: %s: %s", m.Name, method, path, resp.Status, strings.TrimSpace(string(answer)))
	case into == nil:
		return nil
	}
	return json.Unmarshal(answer, into)
}
