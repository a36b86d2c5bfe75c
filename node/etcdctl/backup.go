package etcdctl

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"drydock/node/archive"
)

// backupFile is the backup's name while it is on its way.
const backupFile = "state"

// runBackup makes a data directory of another's contents: that of the only member
// of a new cluster, since no two members may have one identity.
func runBackup(inv *invocation) int {
	from, to := inv.flags.text("data-dir"), inv.flags.text("backup-dir")
	switch {
	case from == "":
		return inv.usage("--data-dir: which data directory is to be copied?")
	case to == "":
		return inv.usage("--backup-dir: where is the copy to go?")
	case inv.flags.text("wal-dir") != "" || inv.flags.text("backup-wal-dir") != "":
		return inv.usage("--wal-dir and --backup-wal-dir: the log is in the data directory; leave them out")
	}
	restored, err := backup(from, to)
	switch {
	case errors.Is(err, archive.ErrDamaged):
		fmt.Fprintf(inv.env.Stderr, "%v\nTo see where: drydock node inspect %s\n", err, from)
		return exitBadArgs
	case err != nil:
		return inv.refuse(err)
	}
	fmt.Fprintf(inv.env.Stdout, "%s: %d keys at index %d, as member %s of the new cluster %s\n",
		restored.Directory, restored.Keys, restored.EtcdIndex, restored.Name, restored.Cluster)
	fmt.Fprintf(inv.env.Stdout, "To run it: drydock node --data-dir %s\n", to)
	return exitOK
}

// backup reads a directory into a file beside the copy and founds the copy with it.
func backup(from, to string) (*archive.Restored, error) {
	beside, err := os.MkdirTemp(filepath.Dir(filepath.Clean(to)), ".backup-")
	if err != nil {
		return nil, fmt.Errorf("--backup-dir: %w", err)
	}
	defer os.RemoveAll(beside)
	name := filepath.Join(beside, backupFile)
	if _, err := archive.Backup(from, name, time.Now()); err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	contents, err := archive.Read(f, info.Size())
	if err != nil {
		return nil, err
	}
	o := archive.RestoreOptions{Draw: rand.Uint64}
	for _, m := range contents.Manifest.Members {
		if m.ID == contents.Manifest.Member {
			o.PeerURLs, o.ClientURLs = m.PeerURLs, m.ClientURLs
		}
	}
	return archive.Restore(contents, to, o)
}
