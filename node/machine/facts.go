package machine

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"drydock/node/fleet"
	"drydock/node/machine/tether"
	"drydock/node/runtime/lease"
	"drydock/node/unit"
)

// What a host keeps for itself of its resources, as fleet's did: a core and 256 MiB.
const (
	ownCPU    = 1000
	ownMemory = 256 << 20
)

// About is what a host is asked to say of itself; what is empty is found out.
type About struct {
	// DataDir is the node's data directory: the machine's id is kept there, and the
	// disk that units may reserve is the one below it.
	DataDir string
	// ID is the machine's id, PublicIP the address that lists show.
	ID, PublicIP string
	// URLs are where the node serves clients, Version is the program's.
	URLs    []string
	Version string
	// Metadata is for units that choose their machine.
	Metadata map[string]string
	// Resources replace what was found, by name. Unaccounted is for a host whose
	// resources aren't counted at all.
	Resources   map[string]int64
	Unaccounted bool
}

// Describe finds out what this host says of itself.
func Describe(a About) (m fleet.Machine, err error) {
	m = fleet.Machine{ID: a.ID, PrimaryIP: a.PublicIP, Version: a.Version, URLs: slices.Clone(a.URLs), Metadata: maps.Clone(a.Metadata)}
	if m.ID == "" {
		if m.ID, err = readID(filepath.Join(a.DataDir, idFile)); err != nil {
			return m, err
		}
	}
	if m.Boot, err = lease.BootID(); err != nil {
		return m, err
	}
	if m.Name, err = os.Hostname(); err != nil {
		return m, fmt.Errorf("the host's name: %w", err)
	}
	if m.PrimaryIP == "" {
		m.PrimaryIP = primaryIP(a.URLs)
	}
	if a.Unaccounted {
		return m, nil
	}
	if m.Resources, err = resources(a.DataDir); err != nil {
		return m, fmt.Errorf("the host's resources: %w", err)
	}
	maps.Copy(m.Resources, a.Resources)
	return m, nil
}

// idFile is where a data directory has the machine's id.
const idFile = "machine-id"

// ErrID is matched when a file has no machine's id.
var ErrID = errors.New("not a machine's id: want 32 hexadecimal digits in lower case")

// readID reads the id of the machine, or draws one that is its own for ever.
func readID(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err == nil {
		id := strings.TrimSpace(string(text))
		if !tether.IsID(id) {
			return "", fmt.Errorf("%s: %w", path, ErrID)
		}
		return id, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("the machine's id: %w", err)
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[0] |= 0x10           // so that it isn't all zero
	id := hex.EncodeToString(b[:])
	if err := renameio.WriteFile(path, []byte(id+"\n"), 0o644); err != nil {
		return "", fmt.Errorf("the machine's id: %w", err)
	}
	return id, nil
}

// primaryIP is the host's first address that others may know, or else the one that is
// advertised.
func primaryIP(urls []string) string {
	addrs, _ := net.InterfaceAddrs()
	var other string
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err != nil || !prefix.Addr().IsGlobalUnicast() {
			continue
		}
		if prefix.Addr().Is4() {
			return prefix.Addr().String()
		}
		if other == "" {
			other = prefix.Addr().String()
		}
	}
	for _, s := range urls {
		if u, err := url.Parse(s); err == nil && other == "" {
			other = u.Hostname()
		}
	}
	return other
}

// resources are what units may reserve of this host.
func resources(dir string) (map[string]int64, error) {
	memory, err := memoryBytes()
	if err != nil {
		return nil, err
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return map[string]int64{
		unit.CPU:    max(0, int64(runtime.NumCPU())*1000-ownCPU),
		unit.Memory: max(0, memory-ownMemory),
		unit.Disk:   int64(fs.Blocks) * int64(fs.Bsize),
	}, nil
}

// ParseMetadata reads "key=value,key=value". Keys are those that the API can set.
func ParseMetadata(s string) (map[string]string, error) {
	set := make(map[string]string)
	for _, pair := range strings.Split(s, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		key, value, ok := strings.Cut(pair, "=")
		switch {
		case !ok || value == "":
			return nil, fmt.Errorf("%q is not key=value", pair)
		case !isKey(key):
			return nil, fmt.Errorf("%q: a key is made of letters, digits, '_', '.' and '-'", pair)
		}
		if _, twice := set[key]; twice {
			return nil, fmt.Errorf("%q: the key stands there twice", pair)
		}
		set[key] = value
	}
	return set, nil
}

func isKey(s string) bool {
	return s != "" && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") == ""
}

// ParseResources reads "cpu=4,memory=2G,disk=10G,NAME=N", each amount as unit files
// have it, or "none" for a host whose resources aren't counted.
func ParseResources(s string) (list map[string]int64, unaccounted bool, err error) {
	if s == "none" {
		return nil, true, nil
	}
	pairs, err := ParseMetadata(s)
	if err != nil {
		return nil, false, err
	}
	list = make(map[string]int64, len(pairs))
	for _, name := range slices.Sorted(maps.Keys(pairs)) {
		if list[name], err = unit.ParseAmount(name, pairs[name]); err != nil {
			return nil, false, fmt.Errorf("%s: %w", name, err)
		}
	}
	return list, false, nil
}

// specifiers are what unit files may ask of this host.
func specifiers(m *fleet.Machine) unit.Facts {
	f := unit.Facts{
		MachineID: m.ID, BootID: m.Boot, Hostname: m.Name,
		UID: strconv.Itoa(os.Getuid()), GID: strconv.Itoa(os.Getgid()), Home: os.Getenv("HOME"), Shell: "/bin/sh",
	}
	f.User, f.Group = f.UID, f.GID
	if u, err := user.Current(); err == nil {
		f.User, f.Home = u.Username, u.HomeDir
	}
	if g, err := user.LookupGroupId(f.GID); err == nil {
		f.Group = g.Name
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		f.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	switch runtime.GOARCH {
	case "amd64":
		f.Arch = "x86-64"
	case "386":
		f.Arch = "x86"
	default:
		f.Arch = runtime.GOARCH
	}
	return f
}
