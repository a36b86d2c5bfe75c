package cmd

import (
	"encoding/json"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"drydock/node/archive"
	"drydock/node/ui"
)

// Inspect is drydock node inspect: it verifies a data directory and says what it
// holds.
func Inspect(*ui.Env) *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "inspect DIR",
		Short: "Verify a stopped node's data directory and say what it holds",
		Long: `Read a data directory through and change nothing: every record of the log with
its checksum, the checkpoint with its pages and digest, snapshot files. Print
ids, members, terms, indexes and keys, and for what is damaged the file, the
place, the reason and what to do next. The node must be stopped.

Exit status: 0 all is right, 1 something is damaged, 2 the call was wrong,
4 the directory can't be read, is in use, or is of a later release.`,
		Example: `  drydock node inspect n1.drydock
  drydock node inspect --json n1.drydock`,
		Args: words(1),
		RunE: func(c *cobra.Command, args []string) error {
			return runInspect(c.OutOrStdout(), args[0], asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write one JSON object, errors included")
	return c
}

func runInspect(out io.Writer, dir string, asJSON bool) error {
	r, err := archive.Inspect(dir)
	if err != nil {
		if asJSON {
			return ui.Exit(ui.WorldFailed, writeJSON(out, archive.Report{Directory: dir, Error: err.Error()}))
		}
		return ui.Exit(ui.WorldFailed, err)
	}
	if asJSON {
		err = writeJSON(out, r)
	} else {
		err = r.Text(out)
	}
	if err != nil {
		return ui.Exit(ui.WorldFailed, err)
	}
	switch r.Verdict {
	case archive.OK:
		return nil
	case archive.Newer:
		return ui.Exit(ui.WorldFailed, nil)
	}
	return ui.Exit(ui.Violated, nil)
}

// writeJSON writes one object, indented for people who look at it.
func writeJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// failure is what a command prints with --json when it fails.
type failure struct {
	Error string `json:"error"`
}

// archiveExit gives an error of package archive its exit code, and with --json
// prints it.
func archiveExit(out io.Writer, asJSON bool, err error) error {
	code := ui.WorldFailed
	switch {
	case errors.Is(err, archive.ErrDamaged):
		code = ui.Violated
	case errors.Is(err, archive.ErrBackup):
		code = ui.Violated
	case errors.Is(err, archive.ErrExists):
		code = ui.Usage
	}
	if asJSON {
		return ui.Exit(code, writeJSON(out, failure{err.Error()}))
	}
	return ui.Exit(code, err)
}
