package keeper

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"drydock/vmlab/inject"
	"drydock/vmlab/lab"
)

// clusterMember is a member of the cluster, as its API lists it.
type clusterMember struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	PeerURLs []string `json:"peerURLs"`
}

// errMembers is matched when the cluster takes no change of who its members are.
var errMembers = errors.New("the cluster takes no change of its members")

// addMember has the cluster know a member that is to join it. One that it knows
// already is no error.
func (k *Keeper) addMember(ctx context.Context, m *lab.Machine) error {
	if at, err := k.member(ctx, m); err != nil || at != nil {
		return err
	}
	return k.ofCluster(ctx, m, http.MethodPost, "/v2/members", map[string]any{"peerURLs": []string{m.PeerURL()}}, nil)
}

// removeMember takes a member out of the cluster, if it is in it.
func (k *Keeper) removeMember(ctx context.Context, m *lab.Machine) error {
	at, err := k.member(ctx, m)
	if err != nil || at == nil {
		return err
	}
	return k.ofCluster(ctx, m, http.MethodDelete, "/v2/members/"+at.ID, nil, nil)
}

// member finds a machine's node among the cluster's members; nil if it is none.
func (k *Keeper) member(ctx context.Context, m *lab.Machine) (*clusterMember, error) {
	var list struct {
		Members []clusterMember `json:"members"`
	}
	if err := k.ofCluster(ctx, m, http.MethodGet, "/v2/members", nil, &list); err != nil {
		return nil, err
	}
	for i := range list.Members {
		if slices.Contains(list.Members[i].PeerURLs, m.PeerURL()) {
			return &list.Members[i], nil
		}
	}
	return nil, nil
}

// votes says whether a machine's node has a vote, by its own state: one that has just
// joined learns first.
func (k *Keeper) votes(ctx context.Context, m *lab.Machine) (bool, error) {
	var list []struct {
		PeerURLs []string `json:"peerURLs"`
		Learner  bool     `json:"learner"`
	}
	if err := k.getAt(ctx, m.PeerURL()+"/members", &list); err != nil {
		return false, err
	}
	for i := range list {
		if slices.Contains(list[i].PeerURLs, m.PeerURL()) {
			return !list[i].Learner, nil
		}
	}
	return false, nil
}

// untilVotes returns when a machine's node has a vote.
func (k *Keeper) untilVotes(ctx context.Context, m *lab.Machine) error {
	for {
		votes, err := k.votes(ctx, m)
		if votes {
			return nil
		}
		select {
		case <-time.After(membersEvery):
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%w: %s has no vote yet", errMembers, m.Name), err)
		}
	}
}

// membersEvery is the rest between two rounds of asking.
const membersEvery = 100 * time.Millisecond

// ofCluster asks one of the other members after another, until one answers with what
// was asked for or the lab file's time to be ready is over.
func (k *Keeper) ofCluster(ctx context.Context, about *lab.Machine, method, path string, body, into any) error {
	site := k.site()
	ctx, cancel := context.WithTimeout(ctx, k.readyWithin(site.Spec))
	defer cancel()
	var last error
	for {
		for i := range site.Machines {
			m := &site.Machines[i]
			if m.Role != lab.RoleMember || m.Name == about.Name || k.ground.Vitals(m.Name).Power != lab.PowerOn {
				continue
			}
			if last = inject.Call(ctx, k.http, m, method, path, body, into); last == nil {
				return nil
			}
		}
		if last == nil {
			return fmt.Errorf("%w: no other member is on", errMembers)
		}
		select {
		case <-time.After(membersEvery):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errMembers, last)
		}
	}
}
