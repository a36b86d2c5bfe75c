package labworld

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"drydock/node/fleetapi"
	"drydock/node/runtime/lease"
	"drydock/sim/history"
	"drydock/vmlab/lab"
)

// stateTime is how long members may take to say what they hold to be so, at the end.
const stateTime = 5 * time.Second

// finish closes the records at the end of the run, and asks the cluster what it
// believes. Users have ceased.
func (f *fleetSide) finish(ctx context.Context) *history.Fleet {
	f.mu.Lock()
	until := f.base + f.r.res.Simulated
	f.over = true
	rec := &f.record
	rec.Wishes = f.wishes
	for _, l := range f.lives {
		if !l.ended {
			l.life.seen = l.process.Seen()
		}
		ran, began := l.life.ran(f.base, until)
		if !began {
			continue
		}
		rec.Runs = append(rec.Runs, ran)
		// One that was told to end and hasn't yet is in a state that only its machine knows.
		if ran.End == 0 && ran.Told == 0 {
			rec.Actual = append(rec.Actual, history.FleetActual{Unit: ran.Unit, Machine: ran.Machine, Active: "active", Sub: "running"})
		}
	}
	for _, p := range f.places {
		p.heard.finish(p.name, lease.Now(), f.base)
		rec.Losses = append(rec.Losses, p.heard.losses...)
	}
	f.mu.Unlock()
	slices.SortStableFunc(rec.Runs, func(a, b history.Ran) int { return cmp.Compare(a.Begin, b.Begin) })
	slices.SortStableFunc(rec.Losses, func(a, b history.FleetLoss) int { return cmp.Compare(a.Begin, b.Begin) })
	if f.r.s.Rest > 0 {
		rec.RestFrom = int64(f.r.s.Duration - f.r.s.Rest)
	}
	ctx, cancel := context.WithTimeout(ctx, stateTime)
	defer cancel()
	for !rec.Known && rest(ctx, appliedEvery) == nil {
		for i := range f.r.site.Machines {
			if m := &f.r.site.Machines[i]; m.Role == lab.RoleMember && f.believed(ctx, m) == nil {
				break
			}
		}
	}
	return rec
}

// believed asks a member what the cluster holds to be so.
func (f *fleetSide) believed(ctx context.Context, m *lab.Machine) error {
	living, err := f.living(ctx, m)
	if err != nil {
		return err
	}
	var states []history.FleetState
	err = f.pages(ctx, m, "/state", func() (any, func() string) {
		page := new(fleetapi.StatePage)
		return page, func() string {
			for _, x := range page.States {
				states = append(states, history.FleetState{
					Unit: x.Name, Machine: f.nameOf(x.MachineID), Hash: x.Hash, Launched: x.Launched,
					Load: x.SystemdLoadState, Active: x.SystemdActiveState, Sub: x.SystemdSubState,
				})
			}
			return page.NextPageToken
		}
	})
	if err != nil {
		return err
	}
	f.record.Living, f.record.States, f.record.Known = living, states, true
	return nil
}

// living asks a member which machines have a session; they are in order.
func (f *fleetSide) living(ctx context.Context, m *lab.Machine) (list []string, err error) {
	err = f.pages(ctx, m, "/machines", func() (any, func() string) {
		page := new(fleetapi.MachinePage)
		return page, func() string {
			for _, x := range page.Machines {
				if !x.Down {
					list = append(list, f.nameOf(x.ID))
				}
			}
			return page.NextPageToken
		}
	})
	slices.Sort(list)
	return list, err
}

// ready waits until all machines that run units have joined; a nil side has none.
func (f *fleetSide) ready(ctx context.Context) error {
	if f == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	var want, list []string
	for _, p := range f.places {
		if !f.r.site.Machine(p.name).Joins {
			want = append(want, p.name)
		}
	}
	slices.Sort(want)
	m := &f.r.site.Machines[0]
	for {
		// What it says while it has no leader is no answer.
		if now, err := f.living(ctx, m); err == nil {
			list = now
		}
		missing := slices.DeleteFunc(slices.Clone(want), func(name string) bool { return slices.Contains(list, name) })
		if len(missing) == 0 {
			return nil
		}
		if rest(ctx, 20*time.Millisecond) != nil {
			name := missing[0]
			return fmt.Errorf("%s has not joined after %s; the end of its console:\n%s", name, readyTime, lastLines(f.r.site.Console(name)))
		}
	}
}

// pages reads a list of the fleet's API, page by page: each is read into what next
// gives first, and then taken by what it gives second, which returns the token of
// the page after it.
func (f *fleetSide) pages(ctx context.Context, m *lab.Machine, path string, next func() (into any, take func() string)) error {
	token := ""
	for {
		query := url.Values{"details": {"true"}}
		if token != "" {
			query.Set("nextPageToken", token)
		}
		into, take := next()
		if err := f.fetch(ctx, m, fleetapi.Prefix+path+"?"+query.Encode(), into); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		if token = take(); token == "" {
			return nil
		}
	}
}

// fetch reads an answer that is no refusal.
func (f *fleetSide) fetch(ctx context.Context, m *lab.Machine, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.ClientURL()+path, nil)
	if err != nil {
		return err
	}
	resp, err := f.r.http.Do(req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, resp.Status)
	} else {
		err = json.NewDecoder(resp.Body).Decode(into)
	}
	return errors.Join(err, resp.Body.Close())
}

// nameOf is the name of a machine by its id, or that if nobody knows it.
func (f *fleetSide) nameOf(id string) string {
	for _, p := range f.places {
		if p.id == id {
			return p.name
		}
	}
	return id
}
