package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"

	"drydock/node/host"
)

// memoryFile is where a worker keeps what it must not forget.
const memoryFile = "worker.json"

const memoryVersion = 1

// ErrMemory is matched when what a worker has kept can't be understood.
var ErrMemory = errors.New("worker: bad " + memoryFile)

// memory is what a worker keeps over restarts.
type memory struct {
	Version int `json:"version"`
	// Cluster and Worker are ids in hex; the second is empty if it was never let
	// in, the first too if nobody has told it.
	Cluster string `json:"cluster,omitempty"`
	Worker  string `json:"worker,omitempty"`
	Name    string `json:"name"`
	// Members are those that were there when it looked last.
	Members []memberJSON `json:"members"`
}

// readMemory reads what was kept; a directory that is new has nothing. One that
// belongs to a member is refused.
func readMemory(dir, name string) (*memory, error) {
	switch id, err := host.ReadIdentity(dir); {
	case err == nil:
		return nil, fmt.Errorf("worker: %s belongs to member %s (%x) of cluster %x: give the worker a directory of its own", dir, id.Name, uint64(id.ID), id.Cluster)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	path := filepath.Join(dir, memoryFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &memory{Version: memoryVersion, Name: name}, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := decodeMemory(text)
	if err != nil {
		return nil, fmt.Errorf("%w in %s: %w", ErrMemory, dir, err)
	}
	m.Name = name
	return m, nil
}

// Remembers says whether a directory is a worker's that knows where the members of
// its cluster are. Whoever starts it again needs no discovery.
func Remembers(dir string) bool {
	m, err := readMemory(dir, "")
	return err == nil && len(clientURLs(m.Members)) > 0
}

func decodeMemory(text []byte) (*memory, error) {
	var m memory
	if err := json.Unmarshal(text, &m); err != nil {
		return nil, err
	}
	if m.Version != memoryVersion {
		return nil, fmt.Errorf("version %d, this release reads %d", m.Version, memoryVersion)
	}
	if m.Cluster == "" && m.Worker != "" {
		return nil, errors.New("a worker without a cluster")
	}
	for field, id := range map[string]string{"cluster": m.Cluster, "worker": m.Worker} {
		if id == "" {
			continue
		}
		if _, err := parseID(id); err != nil {
			return nil, fmt.Errorf("%s: %w", field, err)
		}
	}
	m.Members = sound(m.Members)
	return &m, nil
}

// write keeps m.
func (m *memory) write(dir string) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(dir, memoryFile), append(text, '\n'), 0o600)
}

// sound leaves out of a list of members what can't be used.
func sound(list []memberJSON) []memberJSON {
	list = slices.Clone(list)
	for i := range list {
		list[i].ClientURLs = slices.DeleteFunc(slices.Clone(list[i].ClientURLs), func(u string) bool { return checkURL(u) != nil })
		list[i].PeerURLs = slices.DeleteFunc(slices.Clone(list[i].PeerURLs), func(u string) bool { return checkURL(u) != nil })
	}
	return list
}

// clientURLs are those of all members.
func clientURLs(list []memberJSON) []string {
	var urls []string
	for _, m := range list {
		urls = append(urls, m.ClientURLs...)
	}
	return urls
}

// checkURL says whether requests can be sent to s.
func checkURL(s string) error {
	u, err := url.Parse(s)
	if err != nil {
		return err
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || (u.Path != "" && u.Path != "/") {
		return fmt.Errorf("%q is not http://HOST:PORT or https://HOST:PORT", s)
	}
	return nil
}
