package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"drydock/node"
	"drydock/node/checkpoint"
	"drydock/node/host"
	"drydock/node/state"
	"drydock/node/world"
)

// RestoreOptions say what the restored cluster's only member is.
type RestoreOptions struct {
	// Name is the member's name; the name in the backup if empty.
	Name string
	// PeerURLs and ClientURLs are where it will be reached. The node publishes its
	// own once it runs.
	PeerURLs, ClientURLs []string
	// Draw returns random numbers, for ids.
	Draw func() uint64
	// SegmentBytes is the size of a file of the log; 0 is the default.
	SegmentBytes int64

	_ struct{}
}

// Restored says what Restore has made. Ids are hexadecimal.
type Restored struct {
	Directory string `json:"directory"`
	Cluster   string `json:"cluster"`
	Member    string `json:"member"`
	Name      string `json:"name"`
	// Index, Term and Revision are where the new cluster begins.
	Index     uint64 `json:"index"`
	Term      uint64 `json:"term"`
	Revision  uint64 `json:"revision"`
	EtcdIndex uint64 `json:"etcdIndex"`
	Keys      int    `json:"keys"`
	// From is the backup's manifest.
	From Manifest `json:"from"`
}

// Restore makes target the data directory of the only member of a new cluster
// that begins with the backup's state. The target may be an empty directory; if
// it is not there it is made. The contents can't be used again.
func Restore(c *Contents, target string, o RestoreOptions) (*Restored, error) {
	if c.state == nil {
		return nil, errors.New("archive: these contents were restored already")
	}
	if err := vacant(target); err != nil {
		return nil, err
	}
	target = filepath.Clean(target)
	parent := filepath.Dir(target)
	tmp, err := os.MkdirTemp(parent, "."+filepath.Base(target)+".restore-*")
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	out, err := c.build(tmp, o)
	if err == nil {
		// os.Rename refuses what the system does: to replace an empty directory.
		err = os.NewSyscallError("rename", unix.Rename(tmp, target))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("restore: %w", err), os.RemoveAll(tmp))
	}
	if err := syncDirectory(parent); err != nil {
		return nil, fmt.Errorf("restore: %s is made but its name may not be durable: %w", target, err)
	}
	out.Directory = target
	return out, nil
}

// vacant fails unless path can be made a data directory.
func vacant(path string) error {
	entries, err := os.ReadDir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("restore: %w", err)
	case len(entries) > 0:
		return &inTheWay{fmt.Sprintf("restore: %s is not empty, it holds %s: name a directory that is new or empty", path, entries[0].Name())}
	}
	return nil
}

// build makes dir a data directory and verifies it.
func (c *Contents) build(dir string, o RestoreOptions) (*Restored, error) {
	st := c.state
	c.state = nil
	m := c.founder(st, o)
	id := host.Identity{
		Cluster: draw(o.Draw), ID: m.ID, Name: m.Name,
		Bootstrap: []host.Address{{ID: m.ID, PeerURLs: m.PeerURLs}},
	}
	if err := host.WriteIdentity(dir, id); err != nil {
		return nil, err
	}
	disk, err := host.OpenDisk(dir)
	if err != nil {
		return nil, err
	}
	cfg := node.Config{Cluster: id.Cluster, ID: id.ID, Name: id.Name, SegmentBytes: o.SegmentBytes}
	if err := errors.Join(node.Refound(disk, cfg, checkpoint.Store{}, st, m), disk.Close()); err != nil {
		return nil, err
	}
	if err := syncDirectory(dir); err != nil {
		return nil, err
	}
	r, err := Inspect(dir)
	if err != nil {
		return nil, err
	}
	digest := st.Digest()
	if r.Verdict != OK || r.State == nil || r.State.Digest != fmt.Sprintf("%x", digest[:]) {
		return nil, fmt.Errorf("what was written does not read back as it should: %s, %v", r.Verdict, r.Damage)
	}
	return &Restored{
		Cluster: r.Cluster, Member: r.Member, Name: m.Name, From: c.Manifest,
		Index: r.State.Index, Term: r.State.Term, Revision: r.State.Revision, EtcdIndex: r.State.EtcdIndex, Keys: r.State.Keys,
	}, nil
}

// founder is the new member: its id was never used in the old cluster.
func (c *Contents) founder(st *state.State, o RestoreOptions) state.Member {
	m := state.Member{Name: o.Name, PeerURLs: o.PeerURLs, ClientURLs: o.ClientURLs}
	if m.Name == "" {
		m.Name = c.Manifest.Name
	}
	for m.ID == 0 || st.HasMember(m.ID) || st.Removed(m.ID) {
		m.ID = world.MemberID(draw(o.Draw))
	}
	return m
}

// draw returns a random number that is not 0.
func draw(next func() uint64) uint64 {
	for {
		if n := next(); n != 0 {
			return n
		}
	}
}
