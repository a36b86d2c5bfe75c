package supervise

import (
	"time"

	"drydock/node/unit"
)

// ProcID names a process, from before it is spawned to after its end. Numbers
// are drawn by the machine, in order, and never used again. Zero is none.
type ProcID uint64

// Token is a caller's name for what it asked for. Zero wants no answer.
type Token uint64

// Event is what happens to a machine: one of the types below. Before the next one
// is told, the actions that the last one led to are carried out.
type Event interface{ isEvent() }

type (
	// Load tells of a unit, or of what a unit says now. Of a unit that runs, the
	// commands that follow are the new ones.
	Load struct{ Unit *unit.Definition }
	// Unload forgets a unit, at once or as soon as it has ended.
	Unload struct {
		Name  string
		Token Token
	}

	// Start asks for a unit to run, with what it requires.
	Start struct {
		Name  string
		Token Token
	}
	// Stop asks for a unit to end, with what requires it.
	Stop struct {
		Name  string
		Token Token
	}
	// RestartUnit asks for a stop, if it runs, and a start.
	RestartUnit struct {
		Name  string
		Token Token
	}
	// Reload asks a unit to read its configuration again.
	Reload struct {
		Name  string
		Token Token
	}
	// ResetFailed forgets that a unit has failed, and how often it was started.
	ResetFailed struct{ Name string }
	// Halt kills everything that the unit has, at once and without its stop
	// commands: what a lost lease demands. No time limit of the unit counts.
	Halt struct{ Name string }

	// Spawned says that a process runs its program.
	Spawned struct{ Proc ProcID }
	// Exited says that a process has ended, or could not be run at all.
	Exited struct {
		Proc ProcID
		Exit Exit
		// Empty says that it was the last one: now the unit has none.
		Empty bool
	}
	// Adopted answers Adopt: the daemon that a forking service left was found,
	// and its end will be told by Exited.
	Adopted struct {
		Proc ProcID
		// Err says why there is none; empty if it was found.
		Err string
	}
	// Emptied says that the unit has no process now. The ends of those that were
	// spawned were told before.
	Emptied struct{ Unit string }
	// Notified is a message from a process of a unit.
	Notified struct {
		Unit string
		// From says who sent it.
		From Sender
		// Ready, Reloading, Stopping and Alive are READY=1, RELOADING=1,
		// STOPPING=1 and WATCHDOG=1.
		Ready, Reloading, Stopping, Alive bool
		// Status is STATUS=, empty if not sent.
		Status string
		// Extend is EXTEND_TIMEOUT_USEC=; zero if not sent.
		Extend time.Duration
	}
	// Listening answers Listen.
	Listening struct {
		Unit string
		// Err says why it can't; empty if it does.
		Err string
	}
	// Incoming says that somebody has called at a socket.
	Incoming struct{ Unit string }
	// Resume tells of a unit's processes that an earlier life of the supervisor
	// started and that still run. The unit was loaded and has not been started.
	// Proc is the main process, under a number that Reserve gave, or zero.
	Resume struct {
		Unit string
		Proc ProcID
	}
	// Tick lets time pass. Every other event does, too.
	Tick struct{}
)

func (Load) isEvent()        {}
func (Unload) isEvent()      {}
func (Start) isEvent()       {}
func (Stop) isEvent()        {}
func (RestartUnit) isEvent() {}
func (Reload) isEvent()      {}
func (ResetFailed) isEvent() {}
func (Halt) isEvent()        {}
func (Spawned) isEvent()     {}
func (Exited) isEvent()      {}
func (Adopted) isEvent()     {}
func (Emptied) isEvent()     {}
func (Notified) isEvent()    {}
func (Listening) isEvent()   {}
func (Incoming) isEvent()    {}
func (Resume) isEvent()      {}
func (Tick) isEvent()        {}

// Sender says whom a notification is from.
type Sender uint8

// The senders.
const (
	FromOther Sender = iota
	FromMain
	FromControl
)

// Exit is how a process ended.
type Exit struct {
	// Code is the exit code, if Signal is empty. It is negative if there wasn't
	// even a process.
	Code int
	// Signal is what killed it.
	Signal unit.Signal
	// Core says that it left a core dump.
	Core bool
	// Unknown says that it ended and nobody could see how.
	Unknown bool
	// Why says in words why it could not be run; empty if it was.
	Why string
}

// Exit codes of processes that could not be run, as systemd numbers them.
const (
	ExitChdir     = 200
	ExitFDs       = 202
	ExitExec      = 203
	ExitLimits    = 205
	ExitStdin     = 208
	ExitStdout    = 209
	ExitCgroup    = 219
	ExitGroup     = 216
	ExitUser      = 217
	ExitOOMAdjust = 206
	ExitMemory    = 204
)

// Action is what a machine wants done: one of the types below. The doer carries
// them out in order, and tells of their ends by events.
type Action interface{ isAction() }

type (
	// Spawn runs a process in the unit's group. Spawned and then Exited answer
	// it, or Exited alone.
	Spawn struct {
		Unit    string
		Proc    ProcID
		Role    Role
		Command unit.Command
		Context *unit.Context
		// Env are variables that the rules add, "NAME=value".
		Env []string
		// Main is the unit's main process, for $MAINPID; zero is none.
		Main ProcID
		// Notify says whether the process may send notifications, and Watchdog
		// how often it must report; zero is not at all.
		Notify   bool
		Watchdog time.Duration
		// Sockets are the socket units whose sockets it is handed.
		Sockets []string
	}
	// SendSignal signals one process, or all of the unit's if Proc is zero. A
	// process that is gone is no error.
	SendSignal struct {
		Unit   string
		Proc   ProcID
		Signal unit.Signal
	}
	// Adopt finds the daemon that the unit's command has left: the one that
	// PIDFile names, or else the only process left. Adopted answers it.
	Adopt struct {
		Unit    string
		Proc    ProcID
		PIDFile string
	}
	// Listen opens a socket unit's sockets, and Incoming is to be told once
	// somebody calls. Listening answers it.
	Listen struct {
		Unit   string
		Socket *unit.Socket
	}
	// Poll asks for Incoming again.
	Poll struct{ Unit string }
	// Unlisten closes a socket unit's sockets.
	Unlisten struct{ Unit string }
	// Report tells what a unit is now. A step reports a unit once.
	Report struct{ Status Status }
	// Done answers a request, after what led to it was reported.
	Done struct {
		Token  Token
		Unit   string
		Result JobResult
		// Reason says in words why it wasn't done.
		Reason string
	}
	// Log is a line for the unit's journal.
	Log struct{ Unit, Text string }
)

func (Spawn) isAction()      {}
func (SendSignal) isAction() {}
func (Adopt) isAction()      {}
func (Listen) isAction()     {}
func (Poll) isAction()       {}
func (Unlisten) isAction()   {}
func (Report) isAction()     {}
func (Done) isAction()       {}
func (Log) isAction()        {}

// Role is what a process is to its unit.
type Role uint8

// The roles of processes.
const (
	// RoleMain is the service itself.
	RoleMain Role = iota
	// RoleControl is a command that brings it up, down, or to reload.
	RoleControl
)

// String names the role.
func (r Role) String() string {
	if r == RoleMain {
		return "main"
	}
	return "control"
}
