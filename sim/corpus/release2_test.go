package corpus_test

import (
	"errors"
	"testing"

	"drydock/node"
	"drydock/node/auth"
	"drydock/node/keys"
	"drydock/node/state"
	"drydock/node/wire"
	"drydock/node/world"
)

// releases are all there have been, the first one first.
func releases() []*content { return []*content{release1(), release2(), release3()} }

// release2 adds the cluster's release, what members publish, the ids of removed
// members, users, and the frame that tells a member's release.
func release2() *content {
	command := func(seq uint64, c state.Command) state.Command {
		c.ID, c.Low = state.ID{Member: self, Incarnation: 1, Seq: seq}, seq
		return c
	}
	raise := state.Command{Kind: state.KindRelease, Raise: &state.Raise{
		Release: state.Release2, Term: 2, Voices: []world.MemberID{1, 2, 3},
	}}
	publish := state.Command{Kind: state.KindPublish, Publish: &state.Publish{
		ID: 1, Name: "one", PeerURLs: []string{"http://one:2380"}, ClientURLs: []string{"http://one:2379", "http://one:4001"},
	}}
	remove := command(9, state.Command{Kind: state.KindMembers, Members: []state.MemberChange{
		{Kind: state.Remove, Member: state.Member{ID: 3}},
	}})
	users := state.Command{Kind: state.KindAuth, Auth: &auth.Command{
		Kind: auth.UpdateRole, Name: "readers", Unjudged: true,
		Grant:  auth.Permissions{Read: []string{"/a/*"}, Write: []string{"/b"}},
		Revoke: auth.Permissions{Read: []string{"/c"}},
	}}
	return &content{
		number: 2,
		frames: map[string]*wire.Frame{
			"hello": {Kind: wire.KindHello, Cluster: cluster, From: 1, To: 2, Hello: &wire.Hello{Release: 2, Term: 1 << 40}},
		},
		before: [][]byte{
			batchOf(1, write(keys.Command{Kind: keys.Set, Path: "/a", Value: "first"}), raise),
			batchOf(3, publish, write(keys.Command{Kind: keys.Set, Path: "/a", Value: "second"})),
		},
		change: &remove,
		after: [][]byte{
			batchOf(10, write(keys.Command{Kind: keys.Set, Path: "/b", Value: "third"}),
				state.Command{Kind: state.KindPublish, Publish: &state.Publish{ID: 2, PeerURLs: []string{"http://two:2380"}}}),
		},
		commands: map[string]state.Command{"raise": command(1, raise), "publish": command(2, publish), "auth": command(3, users)},
	}
}

func TestAnOlderProgramRefusesWhatIsNewer(t *testing.T) {
	if _, err := release2().boot(t, func(c *node.Config) { c.Release = state.Release1 }); !errors.Is(err, state.ErrRelease) {
		t.Errorf("err = %v", err)
	}
	if _, err := release3().boot(t, func(c *node.Config) { c.Release = state.Release2 }); !errors.Is(err, state.ErrRelease) {
		t.Errorf("err = %v", err)
	}
	n, err := release1().boot(t, func(c *node.Config) { c.Release = state.Release1 })
	if err != nil || n.State().Release() != state.Release1 {
		t.Errorf("its own: %v", err)
	}
}
