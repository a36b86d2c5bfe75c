package lima

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"drydock/vmlab/lab"
)

// Lima's sockets are in a directory for each instance, and their addresses must be
// shorter than 104 bytes on macOS, 108 on Linux. The longest is ssh's, while it makes
// it.
const (
	maxAddress  = 103
	longestName = "ssh.sock.1234567890123456"
)

// What is in LIMA_HOME beside the instances. Lima takes no name with that first letter
// for one.
const (
	wireDir = "_wire"
	binDir  = "_bin"
	diskDir = "_disks"
	keyDir  = "_config"
)

// errLong is matched when there is no directory whose name is short enough.
var errLong = errors.New("the path is too long for Lima's sockets")

// homeOf is where Lima keeps a lab's instances: below the lab's directory, or below the
// user's where the first is too long.
func homeOf(dir, user string, machines []lab.Machine) (string, error) {
	sum := sha256.Sum256([]byte(dir))
	list := []string{filepath.Join(dir, "lima"), filepath.Join(user, ".drydock", "lima-"+hex.EncodeToString(sum[:4]))}
	for i, home := range list {
		if (i == 0 || user != "") && fits(home, machines) {
			return home, nil
		}
	}
	return "", fmt.Errorf("%s: %w: make the lab in a directory nearer to /", list[0], errLong)
}

// fits says whether the sockets of all machines have room for their addresses.
func fits(home string, machines []lab.Machine) bool {
	for i := range machines {
		if len(filepath.Join(home, machines[i].Name, longestName)) > maxAddress {
			return false
		}
	}
	return true
}

// home is where Lima keeps the lab's instances.
func home(site *lab.Site) (string, error) {
	user, err := os.UserHomeDir()
	if err != nil {
		user = ""
	}
	return homeOf(site.Dir, user, site.Machines)
}
