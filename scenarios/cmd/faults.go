package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"drydock/chaos"
	"drydock/node/ui"
	"drydock/scenarios/runner"
	"drydock/scenarios/scenario"
)

func newFaults(env *ui.Env, worlds []runner.World) *cobra.Command {
	return &cobra.Command{
		Use:     "faults [FAULT…]",
		Short:   "Document the faults, triggers, selectors and expectations",
		Example: "  drydock scenario faults\n  drydock scenario faults partition",
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return faultNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error { return faultsFunc(env, worlds, args) },
	}
}

func faultNames() []string {
	var names []string
	for _, e := range chaos.Vocabulary() {
		names = append(names, string(e.Kind))
	}
	return names
}

func faultsFunc(env *ui.Env, worlds []runner.World, args []string) error {
	if len(args) == 0 {
		overview(env, worlds)
		return nil
	}
	for i, arg := range args {
		e, ok := chaos.Find(chaos.Kind(arg))
		if !ok {
			hint := "`drydock scenario faults` lists them"
			if near := ui.Nearest(arg, faultNames()); near != "" {
				hint = fmt.Sprintf("did you mean `%s`?", near)
			}
			return ui.Usagef("no fault is called %q\nhint: %s", arg, hint)
		}
		if i > 0 {
			fmt.Fprintln(env.Stdout)
		}
		detail(env, worlds, e)
	}
	return nil
}

// overview lists all that a step and an expectation can say.
func overview(env *ui.Env, worlds []runner.World) {
	section(env, "faults", "`drydock scenario faults NAME` tells all about one", func(t *ui.Table) {
		for _, e := range chaos.Vocabulary() {
			t.Row("  "+string(e.Kind), e.Does, injectedBy(e.Kind, worlds))
		}
	})
	section(env, "\nnodes", "chosen when the fault strikes", func(t *ui.Table) {
		for _, s := range chaos.SelectorWords() {
			t.Row("  "+string(s.Name), s.Doc)
		}
	})
	section(env, "\nevents", "for `after:`", func(t *ui.Table) {
		for _, e := range chaos.Events() {
			t.Row("  "+string(e.Name), e.Doc)
		}
		t.Row("  "+chaos.EventStepPrefix+"NAME", "the fault of the step of that name has struck")
	})
	section(env, "\npoints", "for `failpoint:`, and what is counted there", func(t *ui.Table) {
		for _, p := range chaos.Points() {
			t.Row("  "+p.Name, p.Doc)
		}
	})
	for _, trigger := range []struct {
		name string
		of   any
	}{{"after", &chaos.After{}}, {"every", &chaos.Every{}}} {
		section(env, "\n"+trigger.name, "keys of the trigger", func(t *ui.Table) { params(t, trigger.of) })
	}
	section(env, "\nexpectations", "for `expect:`", func(t *ui.Table) {
		for _, e := range scenario.Expectations() {
			name := e.Kind
			switch e.Takes {
			case scenario.TakesTime:
				name += ": TIME"
			case scenario.TakesNumber:
				name += ": N"
			}
			t.Row("  "+name, e.Doc)
		}
	})
}

func section(env *ui.Env, title, about string, rows func(*ui.Table)) {
	fmt.Fprintf(env.Stdout, "%s (%s)\n", title, about)
	t := ui.NewTable(env.Stdout)
	rows(t)
	t.Flush()
}

// detail tells all about one fault.
func detail(env *ui.Env, worlds []runner.World, e chaos.Entry) {
	fmt.Fprintf(env.Stdout, "%s: %s\n", env.Paint(string(e.Kind), ui.Bold), e.Does)
	fmt.Fprintf(env.Stdout, "ends by: %s\n", e.Undo)
	fmt.Fprintf(env.Stdout, "worlds: %s\n\n", injectedBy(e.Kind, worlds))
	t := ui.NewTable(env.Stdout)
	params(t, e.New())
	t.Flush()
	fmt.Fprintf(env.Stdout, "\nexample\n  %s\n", strings.ReplaceAll(e.Example, "\n", "\n  "))
}

// params adds a row for each parameter.
func params(t *ui.Table, of any) {
	for _, p := range scenario.ParamsOf(of) {
		def := p.Default
		if def == "" {
			def = "-"
		}
		doc := p.Doc
		if p.Bare {
			doc += " (may be written bare)"
		}
		t.Row("  "+p.Name, p.Type, def, doc)
	}
}

// injectedBy names the worlds that can inject a fault, or why none can.
func injectedBy(k chaos.Kind, worlds []runner.World) string {
	var can, not []string
	for _, w := range worlds {
		if err := w.Supports(k); err == nil || k == chaos.KindHeal {
			can = append(can, w.Name())
		} else {
			not = append(not, fmt.Sprintf("not %s: %s", w.Name(), err))
		}
	}
	return strings.Join(append(can, not...), ", ")
}
