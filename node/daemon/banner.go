package daemon

import (
	"fmt"
	"io"
	"strings"
)

// banner says where the node is and what to type next, once, on one screen.
func banner(w io.Writer, cfg *Config, m *member) {
	first := cfg.AdvertiseClientURLs[0]
	curl, ctl := credentials(cfg, first)
	fmt.Fprintf(w, "\n  %s   member %x of cluster %x   data in %s\n\n", cfg.Name, uint64(m.identity.ID), m.identity.Cluster, cfg.DataDir)
	fmt.Fprintf(w, "  clients    %s\n", strings.Join(cfg.ListenClientURLs, "  "))
	fmt.Fprintf(w, "  members    %s\n", strings.Join(cfg.ListenPeerURLs, "  "))
	fmt.Fprintf(w, "  dashboard  %s/mod/dashboard/\n\n", first)
	fmt.Fprintf(w, "  curl -L%s %s/v2/keys/message -XPUT -d value=Hello\n", curl, dialable(cfg, first))
	fmt.Fprintf(w, "  drydock etcdctl%s --endpoints %s get /message\n\n", ctl, first)
}

// dialable is the last address to listen at, 2014's by default, unless it is that of
// no host in particular or speaks otherwise than the first that is advertised.
func dialable(cfg *Config, first string) string {
	last := cfg.ListenClientURLs[len(cfg.ListenClientURLs)-1]
	scheme, _, _ := strings.Cut(first, "://")
	host, ok := strings.CutPrefix(last, scheme+"://")
	if !ok || strings.HasPrefix(host, "0.0.0.0:") || strings.HasPrefix(host, "[::]:") || strings.HasPrefix(host, ":") {
		return first
	}
	return last
}

// credentials are the flags that a client at url needs. What only the client has is
// left for it to fill in.
func credentials(cfg *Config, url string) (curl, ctl string) {
	if !strings.HasPrefix(url, "https:") {
		return "", ""
	}
	if ca := cfg.ClientTLS.TrustedCAFile; ca != "" {
		curl, ctl = " --cacert "+ca, " --ca-file "+ca
	}
	if cfg.ClientTLS.ClientCertAuth {
		curl += " --cert CLIENT.crt --key CLIENT.key"
		ctl += " --cert-file CLIENT.crt --key-file CLIENT.key"
	}
	return curl, ctl
}
