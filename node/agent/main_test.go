package agent_test

import (
	"flag"
	"testing"
)

// TestMain has the properties draw the same cases each time: whether a tree is good
// must not be a matter of luck. -rapid.seed=N draws others, -rapid.checks more.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.seed"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("20261122"); err != nil {
			panic(err)
		}
	}
	m.Run()
}
