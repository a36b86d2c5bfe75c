package qemu

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"drydock/vmlab/image"
	"drydock/vmlab/initrd"
)

// Attempt is a kind of machine that was tried.
type Attempt struct {
	Machine
	Took time.Duration
	// Err says why it doesn't work; nil if it does.
	Err error
}

// How long a kernel may take to its first program. Hardware takes a fraction of a
// second; what takes longer than that has hardware in name alone.
const (
	hardwarePatience = 6 * time.Second
	softwarePatience = 60 * time.Second
)

// candidates are the kinds of machines to be tried on a system, the best first.
func candidates(system string) []Machine {
	var list []Machine
	if name := map[string]string{"linux": KVM, "darwin": HVF}[system]; name != "" {
		list = append(list, Machine{name, MicroVM}, Machine{name, Q35})
	}
	return append(list, Machine{TCG, MicroVM}, Machine{TCG, Q35})
}

// ErrNone is matched when no kind of machine works.
var ErrNone = errors.New("no virtual machine comes to run a program here")

// errSlow is matched when a machine's time was up.
var errSlow = errors.New("it has not come to run a program in time")

// Choose finds the kind of machine that is best here, by Try, unless it was found
// since the host has booted.
func Choose(ctx context.Context, i *image.Image) (Machine, error) {
	program, err := Find()
	if err != nil {
		return Machine{}, err
	}
	if m, ok := remembered(program, i).recall(); ok {
		return m, nil
	}
	tried, err := Try(ctx, i)
	if err != nil {
		return Machine{}, err
	}
	return tried[len(tried)-1].Machine, nil
}

// Try boots an image's kernel with one kind of machine after the other until it runs
// a program: the last of those that were tried is the one that works.
func Try(ctx context.Context, i *image.Image) ([]Attempt, error) {
	program, err := Find()
	if err != nil {
		return nil, err
	}
	tried, err := choose(candidates(runtime.GOOS), func(m Machine) error { return try(ctx, program, i, m) })
	if err == nil {
		remembered(program, i).keep(tried[len(tried)-1].Machine)
	}
	return tried, err
}

// choose tries kinds of machines until one works, which is the last of those it
// returns. Of an accelerator that was too slow no other kind is tried.
func choose(list []Machine, try func(Machine) error) (tried []Attempt, err error) {
	slow := ""
	var errs []error
	for _, m := range list {
		if m.Accelerator == slow {
			continue
		}
		began := time.Now()
		a := Attempt{Machine: m, Err: try(m)}
		a.Took = time.Since(began)
		tried = append(tried, a)
		if a.Err == nil {
			return tried, nil
		}
		if errors.Is(a.Err, errSlow) {
			slow = m.Accelerator
		}
		errs = append(errs, fmt.Errorf("%s: %w", m, a.Err))
	}
	return tried, fmt.Errorf("%w: %w", ErrNone, errors.Join(errs...))
}

// Find finds QEMU.
func Find() (string, error) {
	path, err := exec.LookPath(Program)
	if err != nil {
		return "", fmt.Errorf("%s is missing: apt-get install qemu-system-x86 (macOS: brew install qemu)", Program)
	}
	return path, nil
}

// try boots a kernel that has one program to run.
func try(ctx context.Context, program string, i *image.Image, m Machine) error {
	patience := hardwarePatience
	if m.Accelerator == TCG {
		patience = softwarePatience
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	dir, err := os.MkdirTemp("", "drydock-qemu-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	start := filepath.Join(dir, "initrd.img")
	if err := os.WriteFile(start, initrd.Probe(), 0o600); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, program, append(m.base(), "-m", fmt.Sprintf("%dM", leastMemory), "-no-reboot",
		"-kernel", i.Vmlinuz(), "-initrd", start, "-append", strings.Join(m.words(counterKHz()), " "))...)
	cmd.SysProcAttr = isolated()
	runtime.LockOSThread() // it dies with the thread that has started it, which stays this way
	defer runtime.UnlockOSThread()
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	ran := listen(out, initrd.Said)
	if ran {
		cancel()
	}
	err = cmd.Wait()
	switch {
	case ran:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %s", errSlow, patience)
	}
	return fmt.Errorf("QEMU has ended: %v: %s", err, firstLine(said.String()))
}

// listen reads a console until a text was said or it ends.
func listen(r io.Reader, text string) bool {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if strings.Contains(lines.Text(), text) {
			return true
		}
	}
	return false
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// memory is a file that says what was found, good while what it was found with is
// the same.
type memory struct {
	file string // "" remembers nothing
	key  string
}

// found is what the file has.
type found struct {
	Key     string  `json:"key"`
	Machine Machine `json:"machine"`
}

// remembered is the memory of what a program and a kernel can do on this host until
// it boots again.
func remembered(program string, i *image.Image) memory {
	dir, err := os.UserCacheDir()
	if err != nil {
		return memory{}
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // elsewhere the rest must do
	key := strings.TrimSpace(string(boot)) + " " + i.QEMU
	if info, err := os.Stat(program); err == nil {
		key += fmt.Sprintf(" %s %d %d", program, info.Size(), info.ModTime().Unix())
	}
	return memory{file: filepath.Join(dir, "drydock", "qemu.json"), key: key}
}

// recall returns what was found earlier.
func (m memory) recall() (Machine, bool) {
	text, err := os.ReadFile(m.file)
	if err != nil {
		return Machine{}, false
	}
	var f found
	if json.Unmarshal(text, &f) != nil || f.Key != m.key || f.Machine.Accelerator == "" || f.Machine.Type == "" {
		return Machine{}, false
	}
	return f.Machine, true
}

// keep remembers. What can't be remembered is found out again.
func (m memory) keep(what Machine) {
	text, err := json.Marshal(found{Key: m.key, Machine: what})
	if err != nil || m.file == "" {
		return
	}
	if os.MkdirAll(filepath.Dir(m.file), 0o700) == nil {
		_ = os.WriteFile(m.file, text, 0o600)
	}
}
