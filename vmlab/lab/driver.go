package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"drydock/vmlab/wire"
)

// Capability is something that a driver's machines may have, or that a driver may
// need.
type Capability string

// The capabilities.
const (
	// HasKernel: each machine has a kernel of its own.
	HasKernel Capability = "kernel"
	// HasSystemd: each machine runs systemd.
	HasSystemd Capability = "systemd"
	// HasDocker: machines can run a Docker daemon of their own.
	HasDocker Capability = "docker"
	// HasReboot: machines can reboot by themselves.
	HasReboot Capability = "reboot"
	// HasPause: a machine can be stopped with all that runs on it, and go on.
	HasPause Capability = "pause"
	// HasSnapshot: a machine's state can be kept and gone back to.
	HasSnapshot Capability = "snapshot"
	// HasClock: a machine's clocks can be set apart from the host's.
	HasClock Capability = "clock"
	// HasDiskFaults: disks can be slow, full, faulty, or lose what was not synced.
	HasDiskFaults Capability = "disk-faults"
	// HasControl: the node's own disk and clocks can be told to fail, in a lab whose
	// file says control.
	HasControl Capability = "control"
	// NeedsRoot: the driver works for root alone.
	NeedsRoot Capability = "root"
)

// Capabilities lists what a driver declares, each once.
type Capabilities []Capability

// Has says whether a capability is among them.
func (c Capabilities) Has(one Capability) bool { return slices.Contains(c, one) }

// String lists them for people.
func (c Capabilities) String() string {
	words := make([]string, len(c))
	for i, one := range c {
		words[i] = string(one)
	}
	return strings.Join(words, " ")
}

// controlled is a driver of a lab whose nodes are controlled.
type controlled struct{ Driver }

// Controlled is a driver whose labs are controlled, with what that adds.
func Controlled(d Driver) Driver { return controlled{d} }

// IsControlled says whether a driver is that of labs that are controlled.
func IsControlled(d Driver) bool {
	_, is := d.(controlled)
	return is
}

// Capabilities implements Driver.
func (c controlled) Capabilities() Capabilities {
	return append(c.Driver.Capabilities(), HasClock, HasDiskFaults)
}

// Check says why the driver can't make such a lab, naming what it lacks; nil if it can.
func Check(d Driver, s *Spec) error {
	if s.Control && !d.Capabilities().Has(HasControl) {
		return &MissingError{What: "control", Driver: d.Name(), Needs: HasControl}
	}
	return d.Check(s)
}

// MissingError says that a driver lacks what was asked of it.
type MissingError struct {
	// What was asked for: a fault, a key of the lab file, a command.
	What   string
	Driver string
	// Needs is the capability; empty if no capability would do.
	Needs Capability
	// Why says more.
	Why string
}

// Error names what was asked, the driver and what it lacks.
func (e *MissingError) Error() string {
	text := fmt.Sprintf("%s: the driver %s can't", e.What, e.Driver)
	if e.Needs != "" {
		text += fmt.Sprintf(": it lacks the capability %q", string(e.Needs))
	}
	if e.Why != "" {
		text += ": " + e.Why
	}
	return text
}

// Finding is one thing that a probe tried.
type Finding struct {
	// What was tried, in words; OK says that it worked.
	What string `json:"what"`
	OK   bool   `json:"ok"`
	// Needed findings must be OK, or the driver can't work here; others are of use.
	Needed bool `json:"needed"`
	// Detail is what was seen; Fix how to get what is missing.
	Detail string        `json:"detail,omitempty"`
	Fix    string        `json:"fix,omitempty"`
	Took   time.Duration `json:"took"`
}

// Driver makes machines of one sort.
type Driver interface {
	// Name is what lab files call it.
	Name() string
	// Capabilities are what every lab of it has.
	Capabilities() Capabilities
	// Probe tries what the driver needs, by doing it, and leaves nothing behind.
	Probe(ctx context.Context) []Finding
	// Check says why the driver can't make such a lab, naming what it lacks; nil if
	// it can.
	Check(s *Spec) error
	// Open makes a lab's network and all that its machines share. Machines are
	// booted one by one.
	Open(ctx context.Context, site Site) (Ground, error)
	// Reap removes what an earlier Ground of that lab has left behind when its
	// process died: control groups, mounts, devices, processes. It says what it has
	// found, and is no error where there is nothing.
	Reap(site Site) (found []string, err error)
	// Exec runs a command on a machine that runs, in the calling process's place:
	// with its streams, and its end is the command's.
	Exec(ctx context.Context, a Access, c Command) (code int, err error)
}

// Site is where a lab is.
type Site struct {
	// Lab is its name, Dir the absolute path of its directory.
	Lab, Dir string
	// Images is the directory of images; empty is the one beside all labs.
	Images string
	// Binary is the program that machines run as their node.
	Binary string
	// Spec is the lab file, Machines what follows from it.
	Spec     *Spec
	Machines []Machine
	// Token is the cluster's, drawn at each new up; JoinToken is what workers know.
	Token, JoinToken string
	// Control asks for nodes whose disk and clocks can be told to fail.
	Control bool
}

// ErrNoMachine is matched by the errors of Grounds about machines that are not of
// the lab.
var ErrNoMachine = errors.New("no such machine")

// MachineDir is the directory of one machine.
func (s *Site) MachineDir(name string) string { return s.Dir + "/machines/" + name }

// ImagesDir is where the lab's images are.
func (s *Site) ImagesDir() string {
	if s.Images != "" {
		return s.Images
	}
	return filepath.Join(filepath.Dir(filepath.Dir(s.Dir)), "images")
}

// Console is the file that a machine's console is written to.
func (s *Site) Console(name string) string { return s.MachineDir(name) + "/console.log" }

// Ground is one lab while it runs. Its methods may be called by several
// goroutines; those on a machine that is not of the lab, or not in a state for
// them, return an error that says so.
type Ground interface {
	// Boot switches a machine on and returns when it has begun to run; whether its
	// node is healthy is for the caller to ask.
	Boot(ctx context.Context, m *Machine) error
	// Halt asks a machine to switch itself off, and cuts its power if it has not by
	// the end of ctx.
	Halt(ctx context.Context, name string) error
	// Cut ends a machine as the loss of its power does, but for its disk, which keeps
	// what it was given.
	Cut(name string) error
	// StartNode starts the node of a machine that runs; KillNode ends it as kill -9
	// does, and leaves the rest of the machine alone.
	StartNode(name string) error
	KillNode(name string) error
	// PauseNode stops the node's process where it is, and nothing else; ResumeNode lets
	// it go on.
	PauseNode(name string) error
	ResumeNode(name string) error
	// Freeze stops a machine with all that runs on it; Thaw lets it go on.
	Freeze(name string) error
	Thaw(name string) error
	// Vitals says how a machine is.
	Vitals(name string) Vitals
	// Control is the path, on the host, of a machine's socket by which its node's disk
	// and clocks are controlled, where the site asks for that.
	Control(name string) string
	// Access is what another process needs to run commands on a machine.
	Access(name string) (Access, error)
	// Dial connects from the lab's own network, beside all machines, to an address
	// there; no fault is on that way but those of the machine itself.
	Dial(ctx context.Context, network, address string) (net.Conn, error)
	// Wire is the switch between machines; nil where the kernel connects them.
	Wire() *wire.Switch
	// Close ends all machines and removes all that the ground was made of.
	Close() error
}

// Companion is a Driver whose labs need another program beside this one; copies of both
// are kept with the lab.
type Companion interface {
	// Companion is its path; the error says how to get it.
	Companion() (path string, err error)
}

// Changer is a Ground whose machines can change while it is there. Its methods are
// called one at a time.
type Changer interface {
	// Admit takes in a machine that is new to the lab, or that has changed and is off.
	// Site is the lab as it is from now on.
	Admit(ctx context.Context, site Site, m *Machine) error
	// Dismiss gives up a machine that is off; what it has written is for the caller to
	// remove.
	Dismiss(site Site, name string) error
}

// Loss says what a disk loses when the power goes, where it is controlled.
type Loss struct {
	// Unsynced: what was not synced may be lost. Torn: a write in flight may be there
	// in part.
	Unsynced, Torn bool
	// Seed decides what of it.
	Seed uint64
}

// Power is what state a machine is in.
type Power string

// The states of machines.
const (
	PowerOff    Power = "off"
	PowerOn     Power = "on"
	PowerPaused Power = "paused"
)

// Vitals are how a machine is, as its driver sees it.
type Vitals struct {
	Power Power `json:"power"`
	// NodeUp says whether the node's process lives.
	NodeUp bool `json:"nodeUp"`
	// NodePaused says that it is stopped.
	NodePaused bool `json:"nodePaused,omitempty"`
	// Since is when it was switched on.
	Since time.Time `json:"since"`
	// Processes, MemoryBytes and CPU are what it uses; zero if not known.
	Processes   int           `json:"processes,omitempty"`
	MemoryBytes int64         `json:"memoryBytes,omitempty"`
	CPU         time.Duration `json:"cpu,omitempty"`
	// Ended says how the node's process or the machine ended last, if it did.
	Ended string `json:"ended,omitempty"`
}

// Access tells another process how to get into a machine. Which fields count
// depends on the driver.
type Access struct {
	Machine string `json:"machine"`
	// Pid is the process that the machine's namespaces can be had from, Started its
	// start in clock ticks, so that another of the same number is not taken for it.
	Pid     int    `json:"pid,omitempty"`
	Started uint64 `json:"started,omitempty"`
	// Groups are the control groups that whoever enters joins.
	Groups []string `json:"groups,omitempty"`
	// Socket leads to the machine's sshd, and Key is the file of the key that root has
	// there.
	Socket string `json:"socket,omitempty"`
	Key    string `json:"key,omitempty"`
}

// Command is something to run on a machine.
type Command struct {
	Args                  []string
	Dir                   string
	Env                   []string
	Stdin, Stdout, Stderr *os.File
	// Program is this program's path, for drivers that start it again to get in;
	// empty: the one that runs.
	Program string
}
