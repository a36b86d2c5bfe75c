package cmd

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"drydock/chaos"
	"drydock/node/ui"
	"drydock/scenarios/scenario"
	"drydock/vmlab/keeper"
	"drydock/vmlab/lab"
)

func newFault(l *labs) *cobra.Command {
	var lasts time.Duration
	c := &cobra.Command{
		Use:   "fault KIND [MACHINES|VALUE…] [KEY=VALUE…]",
		Short: "Strike machines and links, in the words of scenario files",
		Long: "Inject a fault of the vocabulary (drydock scenario faults) into the lab. Machines are\n" +
			"named as the lab does, core-01, or as scenarios do, n1; leader, follower, any and the other\n" +
			"words of scenarios choose one. Parameters are KEY=VALUE. What this lab has not is refused\n" +
			"with what has it; completion proposes the faults that it has.\n\n" +
			"A machine whose disk was wiped comes back as a new member, by heal, up or restart_after;\n" +
			"one that membership took out of the cluster, by membership add=NAME or up.",
		Example: "  drydock lab fault partition core-01                 cut it off from all others\n" +
			"  drydock lab fault partition core-01 core-02,core-03 two groups\n" +
			"  drydock lab fault crash leader restart_after=3s\n" +
			"  drydock lab fault delay 100ms to=core-02 --for 30s\n" +
			"  drydock lab fault replace core-02                   an empty disk, a new member\n" +
			"  drydock lab fault membership remove=core-03\n" +
			"  drydock lab fault drain work-01                     heal ends it\n" +
			"  drydock lab fault show\n" +
			"  drydock lab fault heal",
		ValidArgsFunction: l.completeFault,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return ui.Usagef("a fault is needed: drydock lab fault partition core-01 (drydock scenario faults lists all)")
			}
			store, st, client, err := l.open()
			if err != nil {
				return err
			}
			o, err := order(st, args, lasts)
			if err != nil {
				return ui.Exit(ui.Usage, err)
			}
			f, err := client.Strike(c.Context(), *o)
			if err != nil {
				return failed(c.Context(), downHint(err, store))
			}
			if l.json {
				return l.line(f)
			}
			l.sayFault(f)
			return nil
		},
	}
	c.Flags().DurationVar(&lasts, "for", 0, "end it after this time")
	c.Flags().BoolVar(&l.json, "json", false, "write it as JSON")
	c.AddCommand(newFaultShow(l), newHeal(l))
	return c
}

func (l *labs) sayFault(f *keeper.Fault) {
	text := f.Text
	if f.Detail != "" {
		text += " (" + f.Detail + ")"
	}
	switch {
	case f.ID == 0 && !f.Until.IsZero():
		text += fmt.Sprintf("; restarts in %s", f.Until.Sub(f.Since))
	case !f.Until.IsZero():
		text += fmt.Sprintf("; fault %d, for %s", f.ID, f.Until.Sub(f.Since))
	case f.ID > 0:
		text += fmt.Sprintf("; fault %d, until drydock lab fault heal %d", f.ID, f.ID)
	}
	l.printf("%s\n", text)
}

func newFaultShow(l *labs) *cobra.Command {
	c := &cobra.Command{
		Use:   "show",
		Short: "Show the faults that last, and what links have done to frames",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			store, _, client, err := l.open()
			if err != nil {
				return err
			}
			f, err := client.Faults(c.Context())
			if err != nil {
				return failed(c.Context(), downHint(err, store))
			}
			if l.json {
				return l.line(f)
			}
			if len(f.Lasting) == 0 {
				l.printf("no fault lasts\n")
			}
			for i := range f.Lasting {
				one := &f.Lasting[i]
				end := "until healed"
				if !one.Until.IsZero() {
					end = "for another " + time.Until(one.Until).Round(time.Second).String()
				}
				l.printf("%3d  %s   since %s, %s\n", one.ID, one.Text, one.Since.Format(time.TimeOnly), end)
			}
			if f.Wire != nil {
				l.printf("\n%s", f.Wire.String())
			}
			return nil
		},
	}
	c.Flags().BoolVar(&l.json, "json", false, "write it as JSON")
	return c
}

func newHeal(l *labs) *cobra.Command {
	c := &cobra.Command{
		Use:   "heal [FAULT…]",
		Short: "End faults; of none named all, and dead machines start again",
		RunE: func(c *cobra.Command, args []string) error {
			store, _, client, err := l.open()
			if err != nil {
				return err
			}
			var ids []int
			for _, arg := range args {
				id, err := strconv.Atoi(arg)
				if err != nil || id < 1 {
					return ui.Usagef("heal: %q is not the number of a fault (drydock lab fault show)", arg)
				}
				ids = append(ids, id)
			}
			said, err := client.Heal(c.Context(), ids)
			if l.json && err == nil {
				return l.line(said)
			}
			for _, text := range said {
				l.printf("%s\n", text)
			}
			if err == nil && len(said) == 0 {
				l.printf("nothing to heal\n")
			}
			return failed(c.Context(), downHint(err, store))
		},
	}
	c.Flags().BoolVar(&l.json, "json", false, "write it as JSON")
	return c
}

// order makes a fault of the words of a call. They become a step of a scenario on
// the lab's nodes, so that they are checked as one is.
func order(st *lab.State, args []string, lasts time.Duration) (*keeper.Order, error) {
	kind := chaos.Kind(args[0])
	entry, ok := chaos.Find(kind)
	if !ok {
		return nil, unknownKind(args[0])
	}
	if err := can(st, kind); err != nil {
		return nil, err
	}
	var words []string
	pairs := map[string]string{}
	for _, arg := range args[1:] {
		key, value, given := strings.Cut(arg, "=")
		if err := strangers(st, arg); err != nil {
			return nil, err
		}
		if !given {
			words = append(words, translate(st, arg))
			continue
		}
		pairs[key] = flow(translate(st, value))
	}
	if err := bare(entry, words, pairs); err != nil {
		return nil, err
	}
	p, err := parseFault(st, kind, pairs)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return &keeper.Order{Kind: kind, Params: text, For: lasts}, nil
}

// unknownKind says what may have been meant.
func unknownKind(word string) error {
	var words []string
	for _, e := range chaos.Vocabulary() {
		words = append(words, string(e.Kind))
	}
	if near := ui.Nearest(word, words); near != "" {
		return fmt.Errorf("fault: %q is unknown; did you mean %s?", word, near)
	}
	return fmt.Errorf("fault: %q is unknown; known: %s", word, strings.Join(words, ", "))
}

// bare gives the words without a key their keys: groups of a partition, nodes, or
// the value that stands for the fault.
func bare(entry chaos.Entry, words []string, pairs map[string]string) error {
	if len(words) == 0 {
		return nil
	}
	if entry.Kind == chaos.KindPartition && !slices.Contains([]string{"halves", "bridge", "ring", "isolate"}, words[0]) {
		if len(words) == 1 {
			pairs["isolate"] = flow(words[0])
			return nil
		}
		groups := make([]string, len(words))
		for i, w := range words {
			groups[i] = "[" + w + "]"
		}
		pairs["groups"] = "[" + strings.Join(groups, ", ") + "]"
		return nil
	}
	for _, p := range scenario.ParamsOf(entry.New()) {
		if !p.Bare {
			continue
		}
		if len(words) > 1 && p.Type != "nodes" {
			return fmt.Errorf("%s: one value is possible, %s; given are %s", entry.Kind, p.Name, strings.Join(words, " "))
		}
		pairs[p.Name] = flow(strings.Join(words, ","))
		return nil
	}
	return fmt.Errorf("%s: %q needs a key: KEY=VALUE", entry.Kind, words[0])
}

// flow writes a value for a flow mapping of YAML: several words with commas are a
// list.
func flow(value string) string {
	if strings.Contains(value, ",") && !strings.HasPrefix(value, "[") {
		return "[" + value + "]"
	}
	return value
}

// numbered are words that are names of machines, whether there is such a one or not.
var numbered = regexp.MustCompile(`\b[a-z][a-z0-9-]*-[0-9]+\b`)

// strangers says which machine of a text is none of the lab's.
func strangers(st *lab.State, text string) error {
	for _, name := range numbered.FindAllString(text, -1) {
		if _, err := machine(st, name); err != nil {
			return err
		}
	}
	return nil
}

// translate writes machines' names as scenarios do.
func translate(st *lab.State, text string) string {
	fields := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(",>[] ", r) })
	for _, word := range fields {
		for i := range st.Machines {
			if m := &st.Machines[i]; m.Name == word {
				text = strings.ReplaceAll(text, word, m.Node)
			}
		}
	}
	return text
}

// parseFault reads a fault as a step of a scenario on the lab's nodes.
func parseFault(st *lab.State, kind chaos.Kind, pairs map[string]string) (chaos.Params, error) {
	members, workers := 0, 0
	for i := range st.Machines {
		if st.Machines[i].Role == lab.RoleMember {
			members++
		} else {
			workers++
		}
	}
	var keys []string
	for key := range pairs {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var params []string
	for _, key := range keys {
		params = append(params, key+": "+pairs[key])
	}
	text := fmt.Sprintf("scenario: fault\ncluster: {members: %d, workers: %d}\nsteps:\n- at: 1s\n  %s: {%s}\n", members, workers, kind, strings.Join(params, ", "))
	s, err := scenario.Parse("fault", []byte(text))
	if all := (*scenario.Errors)(nil); errors.As(err, &all) {
		p := all.Problems[0]
		if p.Hint != "" {
			return nil, fmt.Errorf("%s (%s)", p.What, p.Hint)
		}
		return nil, errors.New(p.What)
	}
	if err != nil {
		return nil, err
	}
	return s.Steps[0].Fault, nil
}
