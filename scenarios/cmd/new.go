package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"drydock/node/ui"
	"drydock/scenarios/scenario"
)

// starter is the file that `scenario new` writes; %s is its name.
const starter = `# A scenario: a cluster under load, faults on a timeline, and what must hold.
#   drydock run %[1]s.yaml               run it
#   drydock run --seeds 200 %[1]s.yaml   run it with many seeds
#   drydock scenario show example        every key of the format
#   drydock scenario faults              every fault
scenario: %[1]s
why: say in a line what this tries to break
cluster: {members: 3}
load:
  kv: {clients: 5, keys: 5}
duration: 30s          # all of the run
settle: 10s            # healed for so long at its end
steps:
  - at: 5s             # or after: leader-elected, or every: 3s
    jitter: 500ms      # the seed decides where within it
    crash: {node: leader, restart_after: 3s}
  - at: 12s
    partition: halves
    for: 4s            # undone after this time
expect:
  - linearizable
  - acknowledged-writes-kept
  - one-leader-per-term
  - digests-equal
  - logs-match
  - live-after-heal: 10s
  - min-acknowledged: 100
`

func newNew(env *ui.Env) *cobra.Command {
	return &cobra.Command{
		Use:     "new NAME",
		Short:   "Write a commented starter file, NAME.yaml",
		Example: "  drydock scenario new slow-follower",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return newFunc(env, args[0]) },
	}
}

func newFunc(env *ui.Env, name string) error {
	name = strings.TrimSuffix(name, ".yaml")
	text := fmt.Sprintf(starter, name)
	file := name + ".yaml"
	if _, err := scenario.Parse(file, []byte(text)); err != nil {
		return ui.Usagef("%q is not a name: small letters, digits and hyphens, as in leader-crash", name)
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return ui.Usagef("%s exists already", file)
	} else if err != nil {
		return ui.Exit(ui.Usage, err)
	}
	_, err = f.WriteString(text)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return ui.Exit(ui.Usage, err)
	}
	fmt.Fprintf(env.Stdout, "%s written\nnext   drydock run %s\n", file, file)
	return nil
}
