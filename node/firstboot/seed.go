package firstboot

import (
	"context"
	"fmt"
	"os/user"
	"path"
	"strings"

	"drydock/node/cloudconfig"
)

// leaseScript is what the client for addresses calls with what it was told.
// (busybox udhcpc)
const leaseScript = `#!/bin/sh
case "$1" in
bound|renew)
	ip address replace "$ip/${mask:-24}" dev "$interface"
	for at in $router; do ip route replace default via "$at" dev "$interface" metric "$METRIC"; break; done
	;;
esac
`

// leasePath is where it is.
const leasePath = "/run/drydock/lease"

// ask has a unit of systemd ask for a link's address, now and whenever it runs out.
func (m *Machine) ask(c *cloudconfig.Config, l *Link) error {
	device, err := m.device(l.MAC)
	if err != nil {
		return err
	}
	add := &cloudconfig.Config{
		Files: []cloudconfig.File{{Path: leasePath, Text: leaseScript, Mode: 0o755}},
		Units: []cloudconfig.Unit{{
			Name: "drydock-lease-" + l.Name + ".service", Runtime: true, Command: "start",
			Text: fmt.Sprintf(`[Unit]
Description=Address of %[1]s

[Service]
Environment=METRIC=%[3]d
ExecStartPre=ip link set %[2]s up
ExecStart=/bin/busybox udhcpc -f -i %[2]s -s %[4]s -T 1 -A 1 -t 10
Restart=always
RestartSec=1
`, l.Name, device, l.Metric, leasePath),
		}},
	}
	if len(l.Resolvers) > 0 {
		var text strings.Builder
		for _, at := range l.Resolvers {
			fmt.Fprintf(&text, "nameserver %s\n", at)
		}
		add.Files = append(add.Files, cloudconfig.File{Path: "/etc/resolv.conf", Text: text.String(), Mode: 0o644})
	}
	add.Merge(c) // the user's files beat these
	*c = *add
	return nil
}

// coreUser is who has the keys of a cloud-config.
const coreUser = "core"

// admit lets a user in: one who isn't there is made. Keys of the user core are added
// to those of the cloud-config.
func (m *Machine) admit(ctx context.Context, c *cloudconfig.Config, u *User) error {
	if u.Name == coreUser {
		c.Merge(&cloudconfig.Config{Keys: u.Keys})
		return nil
	}
	home := u.Home
	if home == "" {
		home = "/home/" + u.Name
	}
	if _, err := user.Lookup(u.Name); err != nil {
		// No password fits, but sshd lets nobody into an account that is locked.
		args := []string{"--password", "*", "--create-home", "--home-dir", home}
		if u.Shell != "" {
			args = append(args, "--shell", u.Shell)
		}
		if _, err := user.LookupId(u.UID); err != nil && u.UID != "" {
			args = append(args, "--uid", u.UID) // one that nobody has
		}
		if err := m.run(ctx, "useradd", append(args, "--", u.Name)...); err != nil {
			return err
		}
	}
	c.Merge(&cloudconfig.Config{Files: []cloudconfig.File{
		{Path: "/etc/sudoers.d/lima", Text: u.Name + " ALL=(ALL) NOPASSWD: ALL\n", Mode: 0o440},
		{
			Path: path.Join(home, ".ssh/authorized_keys.d/cloud-config"), Owner: u.Name,
			Text: strings.Join(u.Keys, "\n") + "\n", Mode: 0o600,
		},
	}})
	return nil
}
