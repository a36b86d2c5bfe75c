// Package guest says what a machine that boots an image is told on its config drive:
// who it is, where it listens and how it finds the others, as a cloud-config, below
// the one that the lab file gives.
//
// Invariant: what a user's cloud-config says of etcd beats what the lab would say.
package guest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"drydock/node/cloudconfig"
	"drydock/node/firstboot"
	"drydock/vmlab/lab"
)

// Drive is what is on a config drive: texts by their names.
type Drive map[string]string

// Way says how a machine is reached.
type Way struct {
	// Link is the network device that the machine gives its address to; "" is none, if it
	// has it already.
	Link string
	// Key is a line of authorized_keys for root; "" lets nobody in.
	Key string
}

// places are settings that say where a node is, and founding those that say who
// founds its cluster. A user who gives one of them gives all of its sort; whoever
// names a node gives the founders, too, who are known by their names.
var (
	places = []string{
		"addr", "bind_addr", "peer_addr", "peer_bind_addr",
		"advertise_client_urls", "listen_client_urls", "initial_advertise_peer_urls", "listen_peer_urls",
	}
	founding = []string{"discovery", "peers", "initial_cluster", "initial_cluster_token", "initial_cluster_state"}
)

// New makes a machine's config drive. The error is the user's cloud-config's.
func New(site *lab.Site, m *lab.Machine, way Way) (Drive, error) {
	meta := firstboot.Meta{Hostname: m.Name, PrivateIPv4: m.Address.String(), PublicIPv4: m.Address.String()}
	if way.Link != "" {
		meta.Link, meta.Prefix = way.Link, 24
	}
	metaText, err := json.Marshal(meta)
	if err != nil {
		return nil, err
	}
	user := new(cloudconfig.Config)
	if m.CloudConfig != "" {
		user, err = cloudconfig.Parse([]byte(m.CloudConfig), cloudconfig.Variables{PrivateIPv4: meta.PrivateIPv4, PublicIPv4: meta.PublicIPv4})
		if err != nil {
			return nil, fmt.Errorf("%s: cloud_config: %w", m.Name, err)
		}
	}
	base, err := baseConfig(site, m, user, way.Key)
	if err != nil {
		return nil, err
	}
	d := Drive{firstboot.MetaData: string(metaText) + "\n", firstboot.BaseData: base}
	if m.CloudConfig != "" {
		d[firstboot.UserData] = m.CloudConfig
	}
	return d, nil
}

// Program is where a config drive has the lab's own program.
const Program = "drydock/program"

// Write writes the drive below a directory. Its files are nobody else's to read:
// there are secrets among them.
func (d Drive) Write(dir string) error {
	var errs []error
	for name, text := range d { // any order: each is a file of its own
		path := filepath.Join(dir, name)
		errs = append(errs, os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600))
	}
	return errors.Join(errs...)
}

// nodeFile is the configuration file of a machine's node.
const nodeFile = "/etc/drydock/node.yaml"

// rootKeys are the keys that let somebody in as root.
const rootKeys = "/root" + "/.ssh/authorized_keys"

// baseConfig is the cloud-config that the lab lays below the user's. JSON is YAML.
func baseConfig(site *lab.Site, m *lab.Machine, user *cloudconfig.Config, key string) (string, error) {
	plain := *m
	plain.Flags = nil
	flags := site.NodeFlags(&plain)
	gives := func(names ...string) bool {
		return slices.ContainsFunc(user.Etcd, func(s cloudconfig.Setting) bool { return slices.Contains(names, s.Name) })
	}
	placed, founded := gives(places...), gives(append([]string{"name"}, founding...)...)
	etcd, fleet, node := map[string]string{}, map[string]string{}, map[string]string{}
	for i := 0; i+1 < len(flags); i += 2 {
		name, value := strings.TrimPrefix(flags[i], "--"), flags[i+1]
		switch key := strings.ReplaceAll(name, "-", "_"); {
		case key == "metadata", key == "public_ip":
			fleet[key] = value
		case slices.Contains(places, key):
			if !placed {
				etcd[key] = value
			}
		case slices.Contains(founding, key):
			if !founded {
				etcd[key] = value
			}
		case key == "name", key == "data_dir":
			etcd[key] = value
		default:
			node[name] = value
		}
	}
	nodeText, err := json.Marshal(node)
	if err != nil {
		return "", err
	}
	dropIn := "[Service]\nEnvironment=DRYDOCK_CONFIG_FILE=" + nodeFile + "\n"
	if len(m.Flags) > 0 {
		dropIn += fmt.Sprintf("Environment=%q\n", "DRYDOCK_FLAGS="+strings.Join(m.Flags, " "))
	}
	files := []map[string]string{
		{"path": nodeFile, "permissions": "0600", "content": string(nodeText) + "\n"},
		{"path": "/run/systemd/system/etcd.service.d/10-lab.conf", "content": dropIn},
		{"path": "/etc/hosts", "content": hosts(site)},
	}
	if key != "" {
		files = append(files, map[string]string{"path": rootKeys, "permissions": "0600", "content": key + "\n"})
	}
	text, err := json.MarshalIndent(map[string]any{
		"hostname": m.Name,
		"coreos": map[string]any{
			"etcd": etcd, "fleet": fleet,
			"units": []map[string]string{{"name": "etcd.service", "command": "start"}, {"name": "fleet.service", "command": "start"}},
		},
		"write_files": files,
	}, "", "  ")
	return cloudconfig.Header + "\n" + string(text) + "\n", err
}

// hosts are the names of the lab's machines.
func hosts(site *lab.Site) string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n")
	for i := range site.Machines {
		fmt.Fprintf(&b, "%s %s\n", site.Machines[i].Address, site.Machines[i].Name)
	}
	return b.String()
}
