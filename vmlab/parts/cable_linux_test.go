package parts

import (
	"testing"

	"drydock/vmlab/lab"
)

// TestACableThatCannotBeMade: there is none then, and not one of nothing, which would be
// closed.
func TestACableThatCannotBeMade(t *testing.T) {
	spec, err := lab.Parse("lab.yaml", []byte("lab: lab\nmachines: [{name: core-01}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	site := lab.Site{Lab: "lab", Spec: spec, Machines: []lab.Machine{{Name: "core-01", MAC: "none"}}}
	if c, err := NewCable(&site); err == nil || c != nil {
		t.Errorf("%v, %v", c, err)
	}
}
