package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"drydock/node/ui"
	"drydock/node/worker"
)

// Run runs a node until ctx ends (then it stops in good order and returns nil) or
// it can't go on.
func Run(ctx context.Context, cfg *Config, env *ui.Env) error {
	log := newLogger(cfg, env.Stderr, env.ErrTTY && env.Getenv("NO_COLOR") == "" && env.Color != "never")
	if err := cfg.checkLab(env.Getenv); err != nil {
		return err
	}
	files := activated()
	if cfg.Join != "" || (cfg.Discovery != "" && cfg.DiscoveryFallback == "proxy" && worker.Remembers(cfg.DataDir)) {
		return runWorker(ctx, cfg, env, log, files, nil)
	}
	held, err := heldSockets(files)
	if err != nil {
		return err
	}
	m, err := start(ctx, cfg, env.Getenv, log, held)
	if found, ok := errors.AsType[*fullError](err); ok && cfg.DiscoveryFallback == "proxy" {
		log.Warn("this node becomes a worker: it serves clients and has no vote", "why", err)
		return runWorker(ctx, cfg, env, log, files, found)
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

// warnOpen says once, plainly, that anybody who reaches the node may use it. With
// users, their passwords guard the client's face, in the clear or not.
func warnOpen(cfg *Config, log *slog.Logger, users bool) {
	client := "a client"
	if cfg.Fleet {
		client += ", and run programs on every machine"
	}
	var open, how []string
	for _, face := range []struct {
		urls      []string
		guarded   bool
		tls       TLS
		what, how string
	}{
		{cfg.ListenClientURLs, users, cfg.ClientTLS, client, "--cert-file, --key-file, --trusted-ca-file and --client-cert-auth, or users (drydock etcdctl auth enable)"},
		{cfg.ListenPeerURLs, false, cfg.PeerTLS, "a member", "--peer-cert-file, --peer-key-file, --peer-trusted-ca-file and --peer-client-cert-auth"},
	} {
		i := slices.IndexFunc(face.urls, func(u string) bool {
			return !loopback(u) && !(face.tls.ClientCertAuth && strings.HasPrefix(u, "https:"))
		})
		if i >= 0 && !face.guarded {
			open = append(open, face.urls[i]+" can act as "+face.what)
			how = append(how, face.how)
		}
	}
	if len(open) > 0 {
		log.Warn(fmt.Sprintf("anybody who reaches %s: secure it by https:// with %s", strings.Join(open, ", and who reaches "), strings.Join(how, "; ")))
	}
}
