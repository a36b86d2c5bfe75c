package consensus_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"drydock/node/consensus"
	"drydock/node/state"
	"drydock/node/wire"
	"drydock/node/world"
)

func raiseIn(term uint64) state.Command {
	return state.Command{Kind: state.KindRelease, Raise: &state.Raise{Release: state.Release2, Term: term, Voices: []world.MemberID{1, 2, 3}}}
}

// cutOff separates a member from the others, or joins it again.
func (e *env) cutOff(id world.MemberID, is bool) {
	for _, other := range e.order {
		e.cut[[2]world.MemberID{id, other}], e.cut[[2]world.MemberID{other, id}] = is, is
	}
}

// pass lets time go by for some.
func (e *env) pass(ticks int, ids ...world.MemberID) {
	for range ticks {
		e.now += tick
		for _, id := range ids {
			e.cores[id].core.Tick(e.now, 1)
		}
		e.settle()
	}
}

// What a deposed leader had proposed for its term ends with it: it is sent to
// nobody, by which it could be logged in another term.
func TestRaisesEndWithTheirTerm(t *testing.T) {
	for name, tc := range map[string]struct {
		busy bool // the disk has so much to do that the raise waits
		want consensus.Status
	}{
		"logged":  {false, consensus.Unknown},
		"waiting": {true, consensus.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			e := trio(t)
			lead := e.cores[1]
			e.cutOff(1, true)
			if lead.manual = tc.busy; tc.busy {
				for range 4 {
					if err := e.propose(1, "v"); err != nil {
						t.Fatal(err)
					}
					e.turn(lead)
				}
			}
			_, term := lead.core.Lead()
			e.token++
			raise := e.token
			if err := lead.core.Propose(raiseIn(term), raise); err != nil {
				t.Fatal(err)
			}
			e.turn(lead)
			e.pass(80, 2, 3)
			if !e.cores[2].core.IsLeader() && !e.cores[3].core.IsLeader() {
				t.Fatal("nobody follows")
			}
			e.cutOff(1, false)
			e.pass(30, 2, 3)
			e.persist(lead)
			lead.manual = false
			e.pass(30, 2, 3)
			if lead.core.IsLeader() {
				t.Fatal("the deposed leader leads")
			}
			if got := e.ends[raise]; !slices.Equal(got, []consensus.Status{tc.want}) {
				t.Errorf("ends %v, want %v", got, tc.want)
			}
			for _, id := range e.order {
				if r := e.cores[id].state.Release(); r != state.Release1 {
					t.Errorf("n%d is at release %d", id, r)
				}
			}
		})
	}
}

func TestForwardsOfWhatIsNewerAreNotTaken(t *testing.T) {
	publish := state.Command{Kind: state.KindPublish, Publish: &state.Publish{ID: 2, Name: "two"}}
	raise := raiseIn(2)
	for name, tc := range map[string]struct {
		cmd     *state.Command
		release state.Release
		want    string // "" is taken
	}{
		"a raise":                      {&raise, state.Newest, "does not belong"},
		"what this release has":        {&publish, state.Newest, ""},
		"what an older one has not":    {&publish, state.Release1, state.ErrRelease.Error()},
		"a raise, to an older release": {&raise, state.Release1, "does not belong"},
	} {
		tc.cmd.ID, tc.cmd.Low = state.ID{Member: 2, Incarnation: 1, Seq: 1}, 1
		core, err := consensus.New(consensus.Config{ID: 1, Incarnation: 1, HeartbeatTicks: 5, ElectionTicks: 25, Release: tc.release}, consensus.Start{}, func() state.Header { return state.Header{} })
		if err != nil {
			t.Fatal(err)
		}
		err = core.ReceiveForward(2, &wire.Forward{Batch: state.AppendCommand(nil, tc.cmd)})
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		if tc.want == state.ErrRelease.Error() && !errors.Is(err, state.ErrRelease) {
			t.Errorf("%s: %v does not match", name, err)
		}
	}
}
