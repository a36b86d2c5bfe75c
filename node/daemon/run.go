package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"drydock/node/ui"
	"drydock/node/worker"
)

// Run runs a node until ctx ends (then it stops in good order and returns nil) or
// it can't go on.
func Run(ctx context.Context, cfg *Config, env *ui.Env) error {
	log := newLogger(cfg, env.Stderr, env.ErrTTY && env.Getenv("NO_COLOR") == "" && env.Color != "never")
	if cfg.Join != "" || (cfg.Discovery != "" && cfg.DiscoveryFallback == "proxy" && worker.Remembers(cfg.DataDir)) {
		return runWorker(ctx, cfg, env, log, nil)
	}
	held, err := heldSockets()
	if err != nil {
		return err
	}
	m, err := start(ctx, cfg, log, held)
	if found, ok := errors.AsType[*fullError](err); ok && cfg.DiscoveryFallback == "proxy" {
		log.Warn("this node becomes a worker: it serves clients and has no vote", "why", err)
		return runWorker(ctx, cfg, env, log, found)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil // told to stop while it looked for its cluster
		}
		return err
	}
	banner(env.Stderr, cfg, m)
	return m.run(ctx)
}

// warnOpen says once, plainly, that anybody who reaches the node may use it.
func warnOpen(cfg *Config, log *slog.Logger) {
	for _, face := range []struct {
		urls []string
		tls  TLS
		what string
		hint string
	}{
		{cfg.ListenClientURLs, cfg.ClientTLS, "clients", "--cert-file, --key-file, --trusted-ca-file and --client-cert-auth, or users (drydock etcdctl auth enable)"},
		{cfg.ListenPeerURLs, cfg.PeerTLS, "members", "--peer-cert-file, --peer-key-file, --peer-trusted-ca-file and --peer-client-cert-auth"},
	} {
		if face.tls.ClientCertAuth {
			continue
		}
		for _, u := range face.urls {
			if !loopback(u) {
				log.Warn(fmt.Sprintf("anybody who reaches %s can act as %s: secure it by %s", u, face.what, face.hint))
				break
			}
		}
	}
}
