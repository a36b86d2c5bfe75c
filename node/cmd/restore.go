package cmd

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"drydock/node/archive"
	"drydock/node/ui"
)

// restoreOptions are the flags of restore.
type restoreOptions struct {
	name string
	urls []string
	json bool
}

// Restore is drydock node restore: it founds a new cluster with a backup.
func Restore(*ui.Env) *cobra.Command {
	var o restoreOptions
	c := &cobra.Command{
		Use:   "restore FILE DIR",
		Short: "Found a new cluster of one member with a backup",
		Long: `Make DIR, which must be new or empty, the data directory of the only member of a
new cluster that begins with what the backup holds. The cluster and the member
get new ids, so that neither takes part in what is left of the old cluster.
Indexes go on where the backup ends. All of FILE is verified before anything is
written, and DIR appears only once it is whole and durable.

Then start the member, and add others to it (drydock etcdctl member add). Start no
member of the old cluster any more: clients could reach either.

Exit status: 0 done, 1 the backup is damaged, 2 the call was wrong or DIR is not
empty, 4 a file can't be read or written.`,
		Example: `  drydock node restore cluster.backup n1.drydock
  drydock node --name n1 --data-dir n1.drydock`,
		Args: words(2),
		RunE: func(c *cobra.Command, args []string) error {
			return runRestore(c.OutOrStdout(), args[0], args[1], o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.name, "name", "", "the member's name (default: the name in the backup)")
	f.StringSliceVar(&o.urls, "initial-advertise-peer-urls", []string{peerURL}, "where other members will reach it")
	f.BoolVar(&o.json, "json", false, "print what was made as JSON, errors included")
	return c
}

// peerURL is where a node is reached by its peers if nobody says otherwise.
const peerURL = "http://localhost:2380"

// start is the command that runs what was restored.
func (o *restoreOptions) start(r *archive.Restored) string {
	text := fmt.Sprintf("drydock node --name %s --data-dir %s", r.Name, r.Directory)
	if urls := strings.Join(o.urls, ","); urls != peerURL {
		text += " --listen-peer-urls " + urls + " --initial-advertise-peer-urls " + urls
	}
	return text
}

func runRestore(out io.Writer, file, dir string, o restoreOptions) error {
	for _, s := range o.urls {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return ui.Usagef("--initial-advertise-peer-urls: %q is not a URL like http://10.0.0.1:2380", s)
		}
	}
	r, err := restore(file, dir, o)
	if err != nil {
		return archiveExit(out, o.json, err)
	}
	if o.json {
		err = writeJSON(out, r)
	} else {
		_, err = fmt.Fprintf(out, "%s   member %s (%q) of the new cluster %s, at index %d: etcd index %d, %d keys\nstart it with: %s\n",
			r.Directory, r.Member, r.Name, r.Cluster, r.Index, r.EtcdIndex, r.Keys, o.start(r))
	}
	if err != nil {
		return ui.Exit(ui.WorldFailed, err)
	}
	return nil
}

func restore(file, dir string, o restoreOptions) (*archive.Restored, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	c, err := archive.Read(f, info.Size())
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return archive.Restore(c, dir, archive.RestoreOptions{Name: o.name, PeerURLs: o.urls, Draw: random})
}

// random draws from the system's source, which does not fail.
func random() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}
