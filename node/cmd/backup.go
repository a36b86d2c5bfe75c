package cmd

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"drydock/node/archive"
	"drydock/node/ui"
)

// Backup is drydock node backup: it copies what a stopped node holds into a file.
func Backup(*ui.Env) *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:   "backup DIR FILE",
		Short: "Copy what a stopped node holds into one file",
		Long: `Write the state in a data directory into a new file: all keys with their times to
live and history, indexes, users and roles, to the end of the node's log. FILE is
a zip file with a manifest and a checksum; it is read back before it gets its
name. The node must be stopped. The directory is verified and not changed.

Exit status: 0 done, 1 the directory is damaged, 2 the call was wrong or FILE is
there already, 4 a file can't be read or written.`,
		Example: `  drydock node backup n1.drydock cluster.backup
  unzip -p cluster.backup manifest.json`,
		Args: words(2),
		RunE: func(c *cobra.Command, args []string) error {
			return runBackup(c.OutOrStdout(), args[0], args[1], asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the manifest as JSON, errors included")
	return c
}

func runBackup(out io.Writer, dir, file string, asJSON bool) error {
	m, err := archive.Backup(dir, file, time.Now())
	if err != nil {
		return archiveExit(out, asJSON, err)
	}
	if asJSON {
		err = writeJSON(out, m)
	} else {
		_, err = fmt.Fprintf(out, "%s   member %s of cluster %s to index %d: etcd index %d, %d keys\nrestore it with: drydock node restore %s DIR\n",
			file, m.Member, m.Cluster, m.Index, m.EtcdIndex, m.Keys, file)
	}
	if err != nil {
		return ui.Exit(ui.WorldFailed, err)
	}
	return nil
}
