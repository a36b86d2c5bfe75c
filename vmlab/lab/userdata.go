package lab

import (
	"fmt"
	"os"
	"path/filepath"

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
		if _, err := cloudconfig.Parse(text, cloudconfig.Variables{PrivateIPv4: "192.0.2.1", PublicIPv4: "192.0.2.1"}); err != nil {
			return fmt.Errorf("%s: cloud_config of %s: %w", path, g.Name, err)
		}
		g.userData = string(text)
	}
	return nil
}
