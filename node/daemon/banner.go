package daemon

import (
	"fmt"
	"io"
	"strings"
)

// banner says where the node is and what to type next, once, on one screen.
func banner(w io.Writer, cfg *Config, m *member) {
	first := cfg.AdvertiseClientURLs[0]
	last := cfg.ListenClientURLs[len(cfg.ListenClientURLs)-1]
	fmt.Fprintf(w, "\n  %s   member %x of cluster %x   data in %s\n\n", cfg.Name, uint64(m.identity.ID), m.identity.Cluster, cfg.DataDir)
	fmt.Fprintf(w, "  clients    %s\n", strings.Join(cfg.ListenClientURLs, "  "))
	fmt.Fprintf(w, "  members    %s\n", strings.Join(cfg.ListenPeerURLs, "  "))
	fmt.Fprintf(w, "  dashboard  %s/mod/dashboard/\n\n", first)
	fmt.Fprintf(w, "  curl -L %s/v2/keys/message -XPUT -d value=Hello\n", last)
	fmt.Fprintf(w, "  drydock etcdctl --endpoints %s get /message\n\n", first)
}
