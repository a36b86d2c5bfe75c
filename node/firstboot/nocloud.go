package firstboot

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"drydock/node/cloudconfig"
)

// Files of a drive of the NoCloud form. (cloud-init, NoCloud; Lima puts the last two
// beside them)
const (
	seedMeta    = "meta-data"
	seedUser    = "user-data"
	seedNetwork = "network-config"
	limaEnv     = "lima.env"
	limaData    = "provision.data"
)

// Seed is a drive of the NoCloud form, as Lima makes one for each of its instances,
// that was read and found right. Of the user-data of such a one, which is written for
// cloud-init, users and their keys count; anybody else's is a cloud-config.
type Seed struct {
	// Hostname is the machine's name where nothing else gives one.
	Hostname string
	Users    []User
	Files    []cloudconfig.File
	Links    []Link
	// Config is what the user-data asks for where it isn't Lima's.
	Config *cloudconfig.Config
	// Done is what Lima waits for: the text of the file DoneFile.
	Done string
}

// DoneFile tells Lima that its instance has done what its drive asks for.
const DoneFile = "/run/lima-boot-done"

// User is somebody who may log in, and be root by sudo.
type User struct {
	Name  string   `yaml:"name"`
	UID   string   `yaml:"uid"`
	Home  string   `yaml:"homedir"`
	Shell string   `yaml:"shell"`
	Keys  []string `yaml:"ssh-authorized-keys"`
}

// Link is a network device that asks for its address.
type Link struct {
	// Name is what the drive calls it, MAC how it is found.
	Name, MAC string
	// Metric is of the route that it is told, Resolvers are who to ask for names.
	Metric    int
	Resolvers []netip.Addr
}

// ReadSeed reads a drive of the NoCloud form; nil if the directory has none.
func ReadSeed(dir string) (*Seed, error) {
	meta, err := read(dir, seedMeta)
	if err != nil || meta == nil {
		return nil, err
	}
	s := new(Seed)
	var names struct {
		Hostname string `yaml:"local-hostname"`
	}
	if err := load(seedMeta, meta, &names); err != nil {
		return nil, err
	}
	s.Hostname = names.Hostname
	if err := s.readNetwork(dir); err != nil {
		return nil, err
	}
	env, err := read(dir, limaEnv)
	if err != nil {
		return nil, err
	}
	if env == nil {
		return s, s.readConfig(dir)
	}
	s.Done = string(meta)
	if err := s.readUsers(dir); err != nil {
		return nil, err
	}
	return s, s.readData(dir, string(env))
}

// load reads a text of YAML. What it doesn't know it leaves alone: there is much for
// cloud-init that is none of this machine's.
func load(name string, text []byte, into any) error {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	if err := yaml.Load(text, into); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDrive, name, err)
	}
	return nil
}

func wrongSeed(name, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrDrive, name, fmt.Sprintf(format, args...))
}

// readConfig reads the user-data of a drive that isn't Lima's.
func (s *Seed) readConfig(dir string) error {
	text, err := read(dir, seedUser)
	if err != nil || len(text) == 0 {
		return err
	}
	if s.Config, err = cloudconfig.Parse(text, cloudconfig.Variables{}); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDrive, seedUser, err)
	}
	return nil
}

// readUsers reads Lima's user-data.
func (s *Seed) readUsers(dir string) error {
	text, err := read(dir, seedUser)
	if err != nil {
		return err
	}
	var data struct {
		Users []User `yaml:"users"`
	}
	if err := load(seedUser, text, &data); err != nil {
		return err
	}
	for i := range data.Users {
		u := &data.Users[i]
		if !isUser(u.Name) {
			return wrongSeed(seedUser, "users: %q is not a user's name", u.Name)
		}
		if _, err := strconv.ParseUint(u.UID, 10, 31); err != nil && u.UID != "" {
			return wrongSeed(seedUser, "users: %s: uid: %q is not a number", u.Name, u.UID)
		}
		for key, value := range map[string]string{"homedir": u.Home, "shell": u.Shell} { // any order: one is enough
			if value != "" && (!path.IsAbs(value) || strings.ContainsAny(value, "\r\n:")) {
				return wrongSeed(seedUser, "users: %s: %s: %q is not an absolute path", u.Name, key, value)
			}
		}
		for _, key := range u.Keys {
			if strings.TrimSpace(key) == "" || strings.ContainsAny(key, "\r\n") {
				return wrongSeed(seedUser, "users: %s: ssh-authorized-keys: want one line for each key", u.Name)
			}
		}
	}
	s.Users = data.Users
	return nil
}

// isUser says whether a user may have that name. (useradd(8))
func isUser(name string) bool {
	return name != "" && len(name) <= 32 && name[0] != '-' &&
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == ""
}

// readNetwork reads the links that ask for an address. (cloud-init, network
// configuration version 2)
func (s *Seed) readNetwork(dir string) error {
	text, err := read(dir, seedNetwork)
	if err != nil {
		return err
	}
	var config struct {
		Ethernets map[string]struct {
			Match struct {
				MAC string `yaml:"macaddress"`
			} `yaml:"match"`
			DHCP4     bool `yaml:"dhcp4"`
			Overrides struct {
				Metric int `yaml:"route-metric"`
			} `yaml:"dhcp4-overrides"`
			Resolvers struct {
				Addresses []string `yaml:"addresses"`
			} `yaml:"nameservers"`
		} `yaml:"ethernets"`
	}
	if err := load(seedNetwork, text, &config); err != nil {
		return err
	}
	for name, e := range config.Ethernets { // any order: sorted below
		if !e.DHCP4 {
			continue
		}
		mac, err := net.ParseMAC(e.Match.MAC)
		if err != nil || !isUser(name) || e.Overrides.Metric < 0 {
			return wrongSeed(seedNetwork, "ethernets: %q: want a name, the MAC of a device and a route's metric", name)
		}
		l := Link{Name: name, MAC: mac.String(), Metric: e.Overrides.Metric}
		for _, word := range e.Resolvers.Addresses {
			at, err := netip.ParseAddr(word)
			if err != nil {
				return wrongSeed(seedNetwork, "ethernets: %s: nameservers: %q is not an address", name, word)
			}
			l.Resolvers = append(l.Resolvers, at)
		}
		s.Links = append(s.Links, l)
	}
	slices.SortFunc(s.Links, func(a, b Link) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// readData reads the files of a template's `provision` with `mode: data`.
func (s *Seed) readData(dir, env string) error {
	const prefix = "LIMA_CIDATA_DATAFILE_"
	values := map[string]map[string]string{} // of each file, by its number
	var numbers []string
	for line := range strings.Lines(env) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), "=")
		number, what, ok := strings.Cut(strings.TrimPrefix(key, prefix), "_")
		if !strings.HasPrefix(key, prefix) || !ok {
			continue
		}
		if strings.Trim(number, "0123456789") != "" || number == "" {
			return wrongSeed(limaEnv, "%s: want a number after %s", key, prefix)
		}
		if values[number] == nil {
			values[number] = map[string]string{}
			numbers = append(numbers, number)
		}
		values[number][what] = value
	}
	slices.Sort(numbers)
	for _, number := range numbers {
		f, err := dataFile(dir, number, values[number])
		if err != nil {
			return err
		}
		s.Files = append(s.Files, f)
	}
	return nil
}

// dataFile is one of them.
func dataFile(dir, number string, values map[string]string) (f cloudconfig.File, err error) {
	text, err := read(dir, filepath.Join(limaData, number))
	if err == nil && text == nil {
		err = wrongSeed(limaEnv, "%s/%s is missing", limaData, number)
	}
	if err != nil {
		return f, err
	}
	f = cloudconfig.File{Path: values["PATH"], Text: string(text), Mode: 0o644, Owner: values["OWNER"]}
	if f.Path != path.Clean(f.Path) || !path.IsAbs(f.Path) || f.Path == "/" {
		return f, wrongSeed(limaEnv, "file %s: PATH: %q is not the absolute path of a file", number, f.Path)
	}
	if word := values["PERMISSIONS"]; word != "" {
		mode, err := strconv.ParseUint(word, 8, 32)
		if err != nil || mode > 0o7777 {
			return f, wrongSeed(limaEnv, "file %s: PERMISSIONS: %q is not as chmod has them", number, word)
		}
		f.Mode = uint32(mode)
	}
	return f, nil
}

// Add lays a seed below what the drive asks for.
func (d *Drive) Add(s *Seed) {
	config := cloudconfig.Config{Hostname: s.Hostname, Files: s.Files}
	if s.Config != nil {
		config.Merge(s.Config)
	}
	config.Merge(&d.Config)
	d.Config = config
	d.Users, d.Links, d.done = s.Users, s.Links, s.Done
}

// errDevice is matched when there is no device of a MAC.
var errDevice = errors.New("there is no such network device")

// device finds a network device by its MAC; a name stands for itself.
func (m *Machine) device(name string) (string, error) {
	mac, err := net.ParseMAC(name)
	if err != nil {
		return name, nil
	}
	dir := filepath.Join(m.Root, "/sys/class/net")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name(), "address"))
		if err != nil {
			continue // one that has none, or that is gone
		}
		if own, err := net.ParseMAC(strings.TrimSpace(string(text))); err == nil && bytes.Equal(own, mac) {
			return e.Name(), nil
		}
	}
	return "", fmt.Errorf("%s: %w", mac, errDevice)
}
