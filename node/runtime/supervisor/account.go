package supervisor

import (
	"fmt"
	"os"
	"os/user"
	"strconv"

	"drydock/node/unit"
)

// account is who a process runs as.
type account struct {
	// uid is negative for whoever the supervisor runs as.
	uid, gid          int
	groups            []int
	name, home, shell string
}

// resolve looks up the user and the groups that a unit asks for.
func resolve(c *unit.Context) (account, error) {
	who := account{uid: -1, gid: os.Getgid(), shell: "/bin/sh"}
	if c.User == "" && c.Group == "" && len(c.SupplementaryGroups) == 0 {
		home, err := os.UserHomeDir()
		if err != nil {
			home = "/"
		}
		who.home = home
		return who, nil
	}
	who.uid, who.home = os.Getuid(), "/"
	if c.User != "" {
		u, err := findUser(c.User)
		if err != nil {
			return who, fmt.Errorf("option User=%s: %w", c.User, err)
		}
		who.name, who.home = u.Username, u.HomeDir
		if who.uid, err = strconv.Atoi(u.Uid); err != nil {
			return who, fmt.Errorf("option User=%s: %w", c.User, err)
		}
		if who.gid, err = strconv.Atoi(u.Gid); err != nil {
			return who, fmt.Errorf("option User=%s: %w", c.User, err)
		}
		ids, err := u.GroupIds()
		for _, id := range ids {
			if n, bad := strconv.Atoi(id); err == nil && bad == nil {
				who.groups = append(who.groups, n)
			}
		}
	}
	if c.Group != "" {
		gid, err := findGroup(c.Group)
		if err != nil {
			return who, fmt.Errorf("option Group=%s: %w", c.Group, err)
		}
		who.gid = gid
	}
	for _, name := range c.SupplementaryGroups {
		gid, err := findGroup(name)
		if err != nil {
			return who, fmt.Errorf("SupplementaryGroups=%s: %w", name, err)
		}
		who.groups = append(who.groups, gid)
	}
	return who, nil
}

// findUser looks a user up by name or number. A number that nobody has is a user
// without a name.
func findUser(name string) (*user.User, error) {
	if _, err := strconv.ParseUint(name, 10, 31); err != nil {
		return user.Lookup(name)
	}
	if u, err := user.LookupId(name); err == nil {
		return u, nil
	}
	return &user.User{Uid: name, Gid: name, Username: name, HomeDir: "/"}, nil
}

func findGroup(name string) (int, error) {
	if id, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(id), nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}
