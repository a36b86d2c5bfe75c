package lab

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"drydock/node/cloudconfig"
)

// ReadUserData reads the files that the groups name as their machines' user-data,
// and checks them.
func (s *Spec) ReadUserData() error {
	for i := range s.Machines {
		g := &s.Machines[i]
		if g.CloudConfig == "" {
			continue
		}
		path := g.CloudConfig
		if !filepath.IsAbs(path) {
			path = filepath.Join(s.dir(), path)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("%s: cloud_config of %s: %w", s.File, g.Name, err)
		}
		// Any addresses: each machine has its own.
		c, err := cloudconfig.Parse(text, cloudconfig.Variables{PrivateIPv4: "192.0.2.1", PublicIPv4: "192.0.2.1"})
		if err != nil {
			return fmt.Errorf("%s: cloud_config of %s: %w", path, g.Name, err)
		}
		g.userData, g.client, g.peer = string(text), portOf(c, "addr"), portOf(c, "peer_addr")
	}
	return nil
}

// CheckShares looks for the folders of the host that machines are to have.
func (s *Spec) CheckShares() error {
	for _, m := range s.MachineList() {
		for _, share := range m.Shares {
			if _, err := os.Stat(share.Host); err != nil {
				return fmt.Errorf("%s: shares of %s: %w", s.File, m.Name, err)
			}
		}
	}
	return nil
}

// portOf is the port of one of etcd's settings of 2014; 0 if it is not given.
func portOf(c *cloudconfig.Config, setting string) int {
	for _, s := range c.Etcd {
		if s.Name == setting {
			if _, text, err := net.SplitHostPort(s.Value); err == nil {
				port, _ := strconv.Atoi(text) // the node says what is wrong with it
				return port
			}
		}
	}
	return 0
}
