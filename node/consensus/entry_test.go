package consensus_test

import (
	"bytes"
	"strings"
	"testing"

	"drydock/node/keys"
	"drydock/node/state"
)

// An entry that is under way, on the disk or on the wire, stays what it was when
// the next one is packed: the core reuses the room it packs in.
func TestEntriesStayWhatTheyWere(t *testing.T) {
	lead := newLoop(t, 1).cores[0]
	propose := func(letter string) []byte {
		t.Helper()
		cmd := state.Command{Kind: state.KindKeys, Keys: keys.Command{Kind: keys.Set, Path: "/k", Value: strings.Repeat(letter, 300)}}
		if err := lead.Propose(cmd, 1); err != nil {
			t.Fatal(err)
		}
		out := lead.Ready()
		if len(out.Appends) != 1 || len(out.Appends[0].Entries) != 1 {
			t.Fatalf("%d appends", len(out.Appends))
		}
		return out.Appends[0].Entries[0].GetData()
	}
	first := propose("a")
	was := bytes.Clone(first)
	second := propose("b")
	if !bytes.Contains(first, []byte("aaa")) || !bytes.Contains(second, []byte("bbb")) {
		t.Fatal("the entries hold other commands")
	}
	if !bytes.Equal(first, was) {
		t.Error("an entry changed when the next one was packed")
	}
}
