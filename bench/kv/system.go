package kv

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// ErrNoSystem says that a server program isn't there, or isn't what it should be.
var ErrNoSystem = errors.New("kv: no such system")

// System is a server program that can be measured.
type System struct {
	// Name is what reports call it.
	Name string
	// Version is what it says of itself.
	Version string

	path string
	args func(place) []string
}

// Timers are a cluster's; zero ones are the system's own defaults.
type Timers struct {
	Heartbeat time.Duration `json:"heartbeatNanos"`
	Election  time.Duration `json:"electionNanos"`
}

// place is where one member of a cluster is.
type place struct {
	name, data, client, peer, founders string
	timers                             Timers
	snapshots                          int
}

// Drydock is the drydock program at path, under a name; flags are given to its
// nodes beside those that place them.
func Drydock(ctx context.Context, name, path string, flags ...string) (System, error) {
	version, err := firstLine(ctx, path, "version")
	if err != nil {
		return System{}, err
	}
	return System{Name: name, Version: version, path: path, args: func(p place) []string {
		args := []string{
			"node", "--name", p.name, "--data-dir", p.data, "--log-level", "warn",
			"--listen-client-urls", "http://" + p.client, "--advertise-client-urls", "http://" + p.client,
			"--listen-peer-urls", "http://" + p.peer, "--initial-advertise-peer-urls", "http://" + p.peer,
			"--initial-cluster", p.founders, "--initial-cluster-token", "bench", "--snapshot-count", strconv.Itoa(p.snapshots),
		}
		if p.timers != (Timers{}) {
			args = append(args, "--heartbeat-interval", p.timers.Heartbeat.String(), "--election-timeout", p.timers.Election.String())
		}
		return append(args, flags...)
	}}, nil
}

// Etcd is the etcd on PATH. It must be one that has the v2 API still, which 3.6
// has not.
func Etcd(ctx context.Context) (System, error) {
	path, err := exec.LookPath("etcd")
	if err != nil {
		return System{}, fmt.Errorf("%w: etcd isn't on PATH: install the distribution's, 3.4 or 3.5", ErrNoSystem)
	}
	version, err := firstLine(ctx, path, "--version")
	if err != nil {
		return System{}, err
	}
	version = strings.TrimPrefix(version, "etcd Version: ")
	if !strings.HasPrefix(version, "3.4.") && !strings.HasPrefix(version, "3.5.") {
		return System{}, fmt.Errorf("%w: %s is version %s; want 3.4 or 3.5, which have --enable-v2", ErrNoSystem, path, version)
	}
	return System{Name: "etcd", Version: version, path: path, args: func(p place) []string {
		args := []string{
			"--name", p.name, "--data-dir", p.data, "--enable-v2", "--logger", "zap", "--log-level", "warn",
			"--listen-client-urls", "http://" + p.client, "--advertise-client-urls", "http://" + p.client,
			"--listen-peer-urls", "http://" + p.peer, "--initial-advertise-peer-urls", "http://" + p.peer,
			"--initial-cluster", p.founders, "--initial-cluster-token", "bench", "--snapshot-count", strconv.Itoa(p.snapshots),
		}
		if p.timers != (Timers{}) {
			args = append(args, "--heartbeat-interval", strconv.FormatInt(p.timers.Heartbeat.Milliseconds(), 10),
				"--election-timeout", strconv.FormatInt(p.timers.Election.Milliseconds(), 10))
		}
		return args
	}}, nil
}

// firstLine runs a program and returns the first line that it prints.
func firstLine(ctx context.Context, path string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = plainEnv(cmd.Environ())
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s %s: %w", ErrNoSystem, path, strings.Join(args, " "), err)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	if line == "" {
		return "", fmt.Errorf("%w: %s %s prints nothing", ErrNoSystem, path, strings.Join(args, " "))
	}
	return line, nil
}
