package daemon

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"drydock/node/tlsconf"
)

// secrets are the certificates of both faces, ready for use. A configuration is
// nil where a face has none.
type secrets struct {
	clientServer, clientClient, peerServer, peerClient *tls.Config
}

// loadSecrets reads and checks what the options of both faces name.
func loadSecrets(cfg *Config, log *slog.Logger) (*secrets, error) {
	load := func(prefix string, t *TLS, urls []string) (*tlsconf.Pair, error) {
		var hosts []string
		for _, s := range urls {
			if u, err := url.Parse(s); err == nil {
				hosts = append(hosts, u.Hostname())
			}
		}
		p, err := tlsconf.Load(tlsconf.Config{
			Prefix: prefix, CertFile: t.CertFile, KeyFile: t.KeyFile, TrustedCAFile: t.TrustedCAFile,
			ClientCertAuth: t.ClientCertAuth, CRLFile: t.CRLFile, AllowedCN: t.AllowedCN, AllowedHostname: t.AllowedHostname,
			Auto: t.Auto, AutoDir: filepath.Join(cfg.DataDir, "certificates", cmp.Or(strings.TrimSuffix(prefix, "-"), "client")), AutoHosts: hosts, Logger: log,
		})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrConfig, err)
		}
		for _, w := range p.Warnings {
			log.Warn(w)
		}
		return p, nil
	}
	clients, err := load(tlsconf.ForClients, &cfg.ClientTLS, cfg.AdvertiseClientURLs)
	if err != nil {
		return nil, err
	}
	peers, err := load(tlsconf.ForPeers, &cfg.PeerTLS, cfg.AdvertisePeerURLs)
	if err != nil {
		return nil, err
	}
	for _, face := range []struct {
		pair *tlsconf.Pair
		urls []string
	}{{clients, cfg.ListenClientURLs}, {peers, cfg.ListenPeerURLs}} {
		for _, u := range face.urls {
			warning, err := face.pair.CheckURL(u)
			if err != nil {
				return nil, errors.Join(fmt.Errorf("%w: %w", ErrConfig, err))
			}
			if warning != "" {
				log.Warn(warning)
			}
		}
	}
	return &secrets{
		clientServer: clients.Server(), clientClient: clients.Client(),
		peerServer: peers.Server(), peerClient: peers.Client(),
	}, nil
}

// peerHTTP asks other members' peer ports.
func (s *secrets) peerHTTP() *http.Client {
	return &http.Client{
		Timeout:   15 * time.Second,
		Transport: &http.Transport{TLSClientConfig: s.peerClient, DisableKeepAlives: true},
	}
}
