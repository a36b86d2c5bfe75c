package firstboot

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"drydock/node/cloudconfig"
)

// Where things are on a config drive.
const (
	UserData = "openstack/latest/user_data"
	MetaData = "openstack/latest/meta_data.json"
	BaseData = "drydock/base"
)

// Meta is what a config drive says of the machine besides its user-data.
type Meta struct {
	// Hostname is the machine's name where the user-data has none.
	Hostname string `json:"hostname,omitempty"`
	// PrivateIPv4 and PublicIPv4 are what the variables stand for.
	PrivateIPv4 string `json:"local-ipv4,omitempty"`
	PublicIPv4  string `json:"public-ipv4,omitempty"`
	// PublicKeys are keys of the user core, by any names.
	PublicKeys map[string]string `json:"public_keys,omitempty"`
	// Link and Prefix, where they are given, are the network device that gets
	// PrivateIPv4, by its name or its MAC, and how many bits of it are the network's.
	Link   string `json:"drydock-link,omitempty"`
	Prefix int    `json:"drydock-prefix,omitempty"`
}

// Drive is a config drive that was read and found right.
type Drive struct {
	Meta   Meta
	Config cloudconfig.Config
	// Users and Links are what a seed beside the drive asks for.
	Users []User
	Links []Link

	done string // of the seed
}

// ErrDrive is matched by the errors of config drives that are wrong.
var ErrDrive = errors.New("the config drive is wrong")

// Read reads a config drive. A drive without any of its files asks for nothing.
func Read(dir string) (*Drive, error) {
	d := new(Drive)
	text, err := read(dir, MetaData)
	if err != nil {
		return nil, err
	}
	if text != nil {
		if err := json.Unmarshal(text, &d.Meta); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrDrive, MetaData, err)
		}
	}
	d.Config.Hostname = d.Meta.Hostname
	for _, name := range sortedKeys(d.Meta.PublicKeys) {
		d.Config.Keys = append(d.Config.Keys, d.Meta.PublicKeys[name])
	}
	for _, name := range []string{BaseData, UserData} {
		text, err := read(dir, name)
		if err != nil {
			return nil, err
		}
		if len(text) == 0 {
			continue
		}
		c, err := cloudconfig.Parse(text, cloudconfig.Variables{PrivateIPv4: d.Meta.PrivateIPv4, PublicIPv4: d.Meta.PublicIPv4})
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrDrive, name, err)
		}
		d.Config.Merge(c)
	}
	return d, nil
}

func sortedKeys(m map[string]string) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// read returns a file of the drive, nil if it has none of that name.
func read(dir, name string) ([]byte, error) {
	path := filepath.Join(dir, name)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > cloudconfig.MaxBytes {
		return nil, fmt.Errorf("%w: %s: it is %d bytes long, at most %d are read", ErrDrive, name, info.Size(), cloudconfig.MaxBytes)
	}
	return os.ReadFile(path)
}
