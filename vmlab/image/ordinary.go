package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"strings"
)

// ErrOrdinary is matched when an ordinary user can't build images here.
var ErrOrdinary = errors.New("an ordinary user can't build images here")

// AsOwnRoot runs this program again, with arguments that build an image, as the root
// of a user namespace: an ordinary user's way. It returns the program's exit status.
func AsOwnRoot(ctx context.Context, program string, args []string, stdout, stderr io.Writer) (int, error) {
	if err := ordinary(exec.LookPath, os.ReadFile); err != nil {
		return 0, err
	}
	c := exec.CommandContext(ctx, "unshare", append([]string{
		"--user", "--map-root-user", "--map-auto", "--mount-proc", "--pid", "--fork", "--kill-child", "--", program,
	}, args...)...)
	c.Stdout, c.Stderr = stdout, stderr
	bindBuild(c)
	// Tools of root's are not on every user's path.
	c.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	err := c.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// ordinary says what an ordinary user lacks to be root of a namespace that has more
// than one user.
func ordinary(look func(string) (string, error), read func(string) ([]byte, error)) error {
	for program, from := range map[string]string{"unshare": "util-linux", "newuidmap": "uidmap"} { // any order: either is told
		if _, err := look(program); err != nil {
			return fmt.Errorf("%w: apt-get install %s, or build it as root", ErrOrdinary, from)
		}
	}
	me, err := user.Current()
	if err != nil {
		return err
	}
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		text, err := read(file)
		if err == nil && (strings.Contains("\n"+string(text), "\n"+me.Username+":") || strings.Contains("\n"+string(text), "\n"+me.Uid+":")) {
			continue
		}
		return fmt.Errorf("%w: %s has no numbers for %s: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 %[3]s, or build it as root",
			ErrOrdinary, file, me.Username)
	}
	return nil
}

// ownRoot says whether this process is the root of a user namespace, not of the host.
// (user_namespaces(7): the host's own map is all numbers onto themselves.)
func ownRoot() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && strings.Join(strings.Fields(string(text)), " ") != "0 0 4294967295"
}
