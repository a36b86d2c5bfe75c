package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/google/renameio/v2"

	"drydock/node/world"
)

// identityFile is where a data directory says whose it is. The log names the
// same ids in every segment; this file is what a process reads before it can
// open the log, and what is there when founding was cut short.
const identityFile = "member.json"

// Identity says whose a data directory is.
type Identity struct {
	Cluster uint64
	ID      world.MemberID
	Name    string
	// Bootstrap are the addresses of members that were known when the directory
	// was made: a joining member has to find the others before it has a state.
	Bootstrap []Address
	// Founding says that the directory is being made a founder's. Nothing has been
	// promised under the identity as long as it stands there: after a crash the
	// founding begins again, and may end in another identity.
	Founding bool
}

// Address is where a member is reached by its peers.
type Address struct {
	ID       world.MemberID
	PeerURLs []string
}

type identityJSON struct {
	Version   int           `json:"version"`
	Cluster   string        `json:"cluster"`
	Member    string        `json:"member"`
	Name      string        `json:"name"`
	Bootstrap []addressJSON `json:"bootstrap,omitempty"`
	Founding  bool          `json:"founding,omitempty"`
}

type addressJSON struct {
	Member   string   `json:"member"`
	PeerURLs []string `json:"peerURLs"`
}

// ErrIdentity is matched when the identity file can't be understood.
var ErrIdentity = errors.New("host: bad identity file")

// ReadIdentity reads whose the directory is. An error that matches
// fs.ErrNotExist says that nobody has made it yet.
func ReadIdentity(dir string) (Identity, error) {
	path := filepath.Join(dir, identityFile)
	b, err := os.ReadFile(path)
	if err != nil {
		return Identity{}, err
	}
	id, err := decodeIdentity(b)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %s: %w", ErrIdentity, path, err)
	}
	return id, nil
}

func decodeIdentity(b []byte) (Identity, error) {
	var j identityJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return Identity{}, err
	}
	if j.Version != 1 {
		return Identity{}, fmt.Errorf("version %d, this release reads 1", j.Version)
	}
	cluster, err := parseID("cluster", j.Cluster)
	if err != nil {
		return Identity{}, err
	}
	member, err := parseID("member", j.Member)
	if err != nil {
		return Identity{}, err
	}
	id := Identity{Cluster: cluster, ID: world.MemberID(member), Name: j.Name, Founding: j.Founding}
	for _, a := range j.Bootstrap {
		peer, err := parseID("bootstrap.member", a.Member)
		if err != nil {
			return Identity{}, err
		}
		id.Bootstrap = append(id.Bootstrap, Address{ID: world.MemberID(peer), PeerURLs: a.PeerURLs})
	}
	return id, nil
}

func parseID(field, s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 16, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%s: %q is not an id in hexadecimal", field, s)
	}
	return n, nil
}

// WriteIdentity writes whose the directory is, durably, before anything else of
// the member is there. It refuses a directory that is somebody's; one that was
// being founded is nobody's yet.
func WriteIdentity(dir string, id Identity) error {
	if old, err := ReadIdentity(dir); !errors.Is(err, fs.ErrNotExist) && !old.Founding {
		return fmt.Errorf("%s has an identity already (%w)", dir, errors.Join(err, fs.ErrExist))
	}
	j := identityJSON{Version: 1, Cluster: hex(id.Cluster), Member: hex(uint64(id.ID)), Name: id.Name, Founding: id.Founding}
	for _, a := range id.Bootstrap {
		j.Bootstrap = append(j.Bootstrap, addressJSON{Member: hex(uint64(a.ID)), PeerURLs: a.PeerURLs})
	}
	b, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(filepath.Join(dir, identityFile), append(b, '\n'), 0o600); err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	return syncDir(dir)
}

func hex(n uint64) string { return strconv.FormatUint(n, 16) }
