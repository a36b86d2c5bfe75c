package keeper

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"drydock/vmlab/lab"
)

// snapshotter is the ground, if its driver keeps machines' states.
func (k *Keeper) snapshotter() (lab.Snapshotter, error) {
	if s, ok := k.ground.(lab.Snapshotter); ok {
		return s, nil
	}
	return nil, &lab.MissingError{What: "snapshots", Driver: k.driver.Name(), Needs: lab.HasSnapshot}
}

// Snapshots lists the lab's snapshots, the oldest first.
func (k *Keeper) Snapshots() ([]lab.Snapshot, error) {
	s, err := k.snapshotter()
	if err != nil {
		return nil, err
	}
	return s.Snapshots()
}

// SaveSnapshot keeps the state of all machines under a name.
func (k *Keeper) SaveSnapshot(ctx context.Context, name string) (*lab.Snapshot, error) {
	s, err := k.snapshotter()
	if err != nil {
		return nil, err
	}
	if !lab.IsName(name) {
		return nil, fmt.Errorf("%q is no name of a snapshot: small letters, digits and hyphens", name)
	}
	return s.SaveSnapshot(ctx, name)
}

// DeleteSnapshot gives one up.
func (k *Keeper) DeleteSnapshot(ctx context.Context, name string) error {
	s, err := k.snapshotter()
	if err != nil {
		return err
	}
	return s.DeleteSnapshot(ctx, name)
}

// RestoreSnapshot brings all machines back to where they were, and returns when
// those whose nodes ran are ready. Faults of links stay as they are.
func (k *Keeper) RestoreSnapshot(ctx context.Context, name string, tell func(Event)) error {
	s, err := k.snapshotter()
	if err != nil {
		return err
	}
	t := k.teller(tell)
	was, err := s.RestoreSnapshot(ctx, name)
	if err != nil {
		return err
	}
	k.http.CloseIdleConnections() // machines don't know them any more
	var names []string
	for _, m := range was.Machines {
		k.setReady(m.Name, false)
		text := ""
		switch {
		case m.Power != lab.PowerOn:
			text = string(m.Power)
		case !m.NodeUp:
			text = "on, its node killed"
		case m.NodePaused:
			text = "on, its node paused"
		default:
			names = append(names, m.Name)
		}
		t.say(m.Name, WhatRestored, text)
	}
	if len(names) == 0 {
		return nil
	}
	return k.together(ctx, names, t, func(ctx context.Context, m *lab.Machine) error {
		if err := k.untilReady(ctx, m); err != nil {
			return err
		}
		k.setReady(m.Name, true)
		t.say(m.Name, WhatReady, "")
		return nil
	})
}

// snapshotCalls answers calls about snapshots.
func (k *Keeper) snapshotCalls(mux *http.ServeMux) {
	mux.HandleFunc("GET /snapshots", func(w http.ResponseWriter, _ *http.Request) {
		list, err := k.Snapshots()
		reply(w, list, err)
	})
	mux.HandleFunc("POST /snapshots/{name}", func(w http.ResponseWriter, r *http.Request) {
		s, err := k.SaveSnapshot(r.Context(), r.PathValue("name"))
		reply(w, s, err)
	})
	mux.HandleFunc("DELETE /snapshots/{name}", func(w http.ResponseWriter, r *http.Request) {
		reply(w, answer{Done: true}, k.DeleteSnapshot(r.Context(), r.PathValue("name")))
	})
	mux.HandleFunc("POST /restore", k.streamed(func(r *http.Request, c call, tell func(Event)) error {
		if c.Snapshot == "" {
			return errors.New("a call without a snapshot's name")
		}
		return k.RestoreSnapshot(r.Context(), c.Snapshot, tell)
	}))
}

// Snapshots asks which there are.
func (c *Client) Snapshots(ctx context.Context) (list []lab.Snapshot, err error) {
	return list, c.ask(ctx, http.MethodGet, "/snapshots", nil, &list)
}

// SaveSnapshot asks for one.
func (c *Client) SaveSnapshot(ctx context.Context, name string) (*lab.Snapshot, error) {
	s := new(lab.Snapshot)
	return s, c.ask(ctx, http.MethodPost, "/snapshots/"+name, nil, s)
}

// DeleteSnapshot asks for one to be given up.
func (c *Client) DeleteSnapshot(ctx context.Context, name string) error {
	return c.ask(ctx, http.MethodDelete, "/snapshots/"+name, nil, new(answer))
}

// RestoreSnapshot has all machines go back to one, and tells what happens.
func (c *Client) RestoreSnapshot(ctx context.Context, name string, tell func(Event)) error {
	return c.stream(ctx, "/restore", call{Snapshot: name}, tell)
}
