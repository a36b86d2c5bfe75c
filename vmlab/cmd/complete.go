package cmd

import (
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"drydock/chaos"
	"drydock/vmlab/inject"
	"drydock/vmlab/lab"
)

// completion is what a shell asks for: words, and what to do about files.
type completion = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective)

// completeMachines completes names of the lab's machines, each once; of most arguments at
// most, 0 is no bound.
func (l *labs) completeMachines(most int) completion {
	return func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return slices.DeleteFunc(l.machineNames(), func(name string) bool { return slices.Contains(args, name) }), cobra.ShellCompDirectiveNoFileComp
	}
}

// machineNames are the names of the machines of the lab that is meant; none if that
// isn't clear.
func (l *labs) machineNames() []string {
	_, st, _, err := l.open()
	if err != nil {
		return nil
	}
	var names []string
	for i := range st.Machines {
		names = append(names, st.Machines[i].Name)
	}
	return names
}

// completeLabs completes names of labs.
func completeLabs(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	names, err := lab.List(lab.Root)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeFault completes a fault's kind, of those that the lab can do, and machines.
func (l *labs) completeFault(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return append(l.machineNames(), "leader", "follower", "any"), cobra.ShellCompDirectiveNoFileComp
	}
	var kinds []string
	_, st, _, err := l.open()
	for _, e := range chaos.Vocabulary() {
		if e.Kind != chaos.KindHeal && (err != nil || can(st, e.Kind) == nil) {
			kinds = append(kinds, string(e.Kind)+"\t"+e.Does)
		}
	}
	return kinds, cobra.ShellCompDirectiveNoFileComp
}

// can says why a lab can't inject faults of a kind, nil if it can.
func can(st *lab.State, kind chaos.Kind) error {
	d, err := findDriver(st.Driver)
	if err != nil {
		return err
	}
	kernel, full := st.Spec.Network.Path == lab.PathKernel, lab.Controlled(d)
	if st.Spec.Control {
		return inject.Supports(full, kernel, kind)
	}
	err = inject.Supports(d, kernel, kind)
	missing := new(lab.MissingError)
	if errors.As(err, &missing) && d.Capabilities().Has(lab.HasControl) && inject.Supports(full, kernel, kind) == nil {
		missing.Why = "a lab whose file says `control: true` has it"
	}
	return err
}
