package lima

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// The programs.
const (
	ownName = "drydock-lima"
	ctlName = "limactl"
	// envOwn is the variable that says where the first one is.
	envOwn = "DRYDOCK_LIMA"
)

// ErrOwn is matched when the program with Lima's library is not there.
var ErrOwn = errors.New(ownName + ", the program with Lima's library, is not there")

// getOwn is how to get it.
const getOwn = "`make lima` in drydock's sources builds it beside bin/drydock; or put it on $PATH, or name it in $" + envOwn

// findOwn finds the program with Lima's library: where a variable says, beside this
// program, or on the path.
func findOwn() (string, error) {
	if path := os.Getenv(envOwn); path != "" {
		path, err := exec.LookPath(path)
		if err != nil {
			return "", fmt.Errorf("$%s: %w", envOwn, err)
		}
		return filepath.Abs(path)
	}
	if self, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), ownName)); err == nil {
			return path, nil
		}
	}
	path, err := exec.LookPath(ownName)
	if err != nil {
		return "", fmt.Errorf("%w: %s", ErrOwn, getOwn)
	}
	return filepath.Abs(path)
}

// tools are the programs of a lab.
type tools struct {
	own string
	// ctl is who keeps the instances: limactl, or own. Version is Lima's there.
	ctl, version string
	home         string
	env          []string
}

// findTools finds the programs for instances below home.
func findTools(ctx context.Context, home string) (*tools, error) {
	own, err := findOwn()
	if err != nil {
		return nil, err
	}
	t := &tools{own: own, ctl: own, home: home, env: environment(os.Environ(), home)}
	if t.version, err = t.versionOf(ctx, own); err != nil {
		return nil, fmt.Errorf("%s: %w", own, err)
	}
	path, err := exec.LookPath(ctlName)
	if err != nil && here().vmType() == vmVZ {
		return nil, fmt.Errorf("%s is missing, which is signed so that it may use Apple's framework: brew install lima", ctlName)
	}
	if err != nil {
		return t, nil
	}
	if version, err := t.versionOf(ctx, path); err == nil && major(version) > 0 {
		t.ctl, t.version = path, version
	}
	return t, nil
}

var versionForm = regexp.MustCompile(`\b([0-9]+)\.[0-9]+\.[0-9]+\S*`)

// versionOf asks a program for Lima's version.
func (t *tools) versionOf(ctx context.Context, path string) (string, error) {
	out, err := t.output(ctx, nil, path, "--version")
	if err != nil {
		return "", err
	}
	version := versionForm.FindString(out)
	if version == "" {
		return "", fmt.Errorf("%q has no version", strings.TrimSpace(out))
	}
	return version, nil
}

// major is a version's first number: Lima before 1 had other templates.
func major(version string) int {
	n, _ := strconv.Atoi(versionForm.FindStringSubmatch(version)[1])
	return n
}

// environment is that of Lima's programs: the caller's, but for what it says of Lima
// and QEMU.
func environment(env []string, home string) []string {
	var kept []string
	for _, one := range env {
		name, _, _ := strings.Cut(one, "=")
		if !strings.HasPrefix(name, "LIMA_") && !strings.HasPrefix(name, "_LIMA_") && !strings.HasPrefix(name, "QEMU_SYSTEM_") && !strings.HasPrefix(name, "DRYDOCK_LIMA") {
			kept = append(kept, one)
		}
	}
	return append(kept, "LIMA_HOME="+home)
}

// output runs a program and returns what it writes. The error has the end of what it
// says besides.
func (t *tools) output(ctx context.Context, stdin io.Reader, path string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin, cmd.Env = stdin, t.env
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return "", fmt.Errorf("%s %s: %w%s", filepath.Base(path), args[0], err, lastWords(said.String()))
	}
	return out.String(), nil
}

// keep gives whoever keeps the instances an order.
func (t *tools) keep(ctx context.Context, order string, args ...string) error {
	_, err := t.output(ctx, nil, t.ctl, append([]string{order, "--tty=false"}, args...)...)
	return err
}

// message finds what a line of Lima's log says; it is as logrus writes it.
var message = regexp.MustCompile(`(?:"msg":|msg=)"((?:[^"\\]|\\.)*)"`)

// lastWords are the last lines of what a program said, for the end of an error.
func lastWords(said string) string {
	var lines []string
	for line := range strings.Lines(strings.TrimSpace(said)) {
		line = strings.TrimSpace(line)
		if m := message.FindStringSubmatch(line); m != nil {
			if text, err := strconv.Unquote(`"` + m[1] + `"`); err == nil {
				line = text
			}
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return ": " + strings.Join(lines[max(0, len(lines)-3):], "; ")
}
