package unit

import (
	"time"
)

// Definition is what the sections of systemd's say, for whoever runs the unit on
// a machine.
type Definition struct {
	// Name is the full name, such as "web@1.service".
	Name string
	// Description is for people; the name if there is none.
	Description string
	// The units that this one has to do with, as systemd defines each.
	After, Before, Requires, Requisite, BindsTo, Wants, PartOf, Conflicts, OnFailure []string
	// StartLimitInterval and StartLimitBurst bound how often the unit starts:
	// burst times in the interval. Either one zero is no bound.
	StartLimitInterval time.Duration
	StartLimitBurst    int

	// The one that belongs to the unit's type is set; none for a target.
	Service *Service
	Timer   *Timer
	Socket  *Socket
	// Install says whom enabling would have start it. Fleet enables a unit that
	// has this section.
	Install *Install

	// Unsupported are the options that the built-in supervisor can't honour. A
	// machine that has systemd can.
	Unsupported []Problem
	// Remarks are options that do nothing, or otherwise than it seems.
	Remarks []Problem
}

// Type says when a service counts as started.
type Type string

// The types of services that the supervisor has.
const (
	Simple  Type = "simple"
	Exec    Type = "exec"
	Oneshot Type = "oneshot"
	Forking Type = "forking"
	Notify  Type = "notify"
)

// Restart says after which ends a service is started again by itself.
type Restart string

// The policies of restarting.
const (
	RestartNo         Restart = "no"
	RestartAlways     Restart = "always"
	RestartOnSuccess  Restart = "on-success"
	RestartOnFailure  Restart = "on-failure"
	RestartOnAbnormal Restart = "on-abnormal"
	RestartOnAbort    Restart = "on-abort"
	RestartOnWatchdog Restart = "on-watchdog"
)

// KillMode says whom the signals of a stop reach.
type KillMode string

// The modes of killing.
const (
	KillControlGroup KillMode = "control-group"
	KillMixed        KillMode = "mixed"
	KillProcess      KillMode = "process"
	KillNone         KillMode = "none"
)

// Access says whose notifications count.
type Access string

// The values of NotifyAccess.
const (
	AccessNone Access = "none"
	AccessMain Access = "main"
	AccessExec Access = "exec"
	AccessAll  Access = "all"
)

// ExitSet is a set of ways to end.
type ExitSet struct {
	// Codes are exit codes, 0 to 255.
	Codes   []int
	Signals []Signal
}

// Service is what the [Service] section says, with systemd's defaults where it
// says nothing.
type Service struct {
	Type Type
	// Pre, Start, Post, Reload, Stop and StopPost are the commands of
	// ExecStartPre and so on, in order.
	Pre, Start, Post, Reload, Stop, StopPost []Command

	Restart Restart
	// RestartWait (RestartSec=) is how long to wait before a restart.
	RestartWait time.Duration
	// TimeoutStart bounds each command of the start and the wait for readiness,
	// TimeoutStop each command of the stop and each wait for an end, RuntimeMax
	// how long the service runs. Infinity is no bound.
	TimeoutStart, TimeoutStop, RuntimeMax time.Duration
	// Watchdog is the longest silence of a service that has promised to report;
	// zero is none.
	Watchdog time.Duration

	RemainAfterExit bool
	KillMode        KillMode
	KillSignal      Signal
	SendSIGHUP      bool
	SendSIGKILL     bool

	// Success are clean ends besides systemd's own; RestartPrevent ends that no
	// restart follows, RestartForce ends that one always follows.
	Success, RestartPrevent, RestartForce ExitSet

	NotifyAccess Access
	// PIDFile is where a forking service leaves the id of its main process.
	PIDFile string
	// Sockets are the socket units whose sockets the service is handed.
	Sockets []string
	Context Context
}

// Context is what a process of a unit finds.
type Context struct {
	// Environment are variables, "NAME=value"; a later one replaces an earlier.
	Environment []string
	// EnvironmentFiles are read before each process; a leading "-" lets one be
	// absent. They outrank Environment.
	EnvironmentFiles []string
	// PassEnvironment and UnsetEnvironment name variables.
	PassEnvironment, UnsetEnvironment []string
	// WorkingDirectory is where it starts: an absolute path, "~" for the user's
	// home, or "" for the root; a leading "-" lets it be absent.
	WorkingDirectory string
	// User, Group and SupplementaryGroups are names or numbers.
	User, Group         string
	SupplementaryGroups []string
	// UMask holds the permission bits that new files don't get.
	UMask int
	// Nice is from -20 to 19.
	Nice int
	// OOMScoreAdjust is from -1000 to 1000; nil leaves it.
	OOMScoreAdjust *int
	Limits         []Limit
	// StandardInput is "null"; StandardOutput and StandardError are "journal",
	// "null", "inherit", "file:PATH", "append:PATH" or "truncate:PATH".
	// StandardInput may also be "file:PATH".
	StandardInput, StandardOutput, StandardError string
	// SyslogIdentifier marks its lines in the journal; "" is the program.
	SyslogIdentifier string
	// MemoryMax (bytes) and TasksMax bound the unit's control group; zero is no
	// bound. CPUQuota is in hundredths of a core; zero is no quota.
	MemoryMax, TasksMax uint64
	CPUQuota            int
}

// Limit is a resource limit, such as LimitNOFILE=1024:4096.
type Limit struct {
	// Name is the part after "Limit", such as "NOFILE".
	Name string
	// Soft and Hard are in the resource's unit; math.MaxUint64 is infinity.
	Soft, Hard uint64
}

// Timer is what the [Timer] section says.
type Timer struct {
	// Unit is started when the timer elapses.
	Unit string
	// OnActive, OnBoot, OnUnitActive and OnUnitInactive are spans after the
	// timer's start, the machine's start, and the last start and end of Unit.
	OnActive, OnBoot, OnUnitActive, OnUnitInactive []time.Duration
	// OnCalendar are moments as written.
	OnCalendar []string
	// RemainAfterElapse keeps an elapsed timer active.
	RemainAfterElapse bool
}

// Socket is what the [Socket] section says.
type Socket struct {
	// Unit is started when somebody connects.
	Unit string
	// Streams and Datagrams are addresses: a port, "HOST:PORT", an absolute path,
	// or "@" and a name.
	Streams, Datagrams []string
	Backlog            int
	// Mode holds the permission bits of a socket with a path.
	Mode int
	// RemoveOnStop removes the paths when the socket is stopped.
	RemoveOnStop bool
	// Name is what the service is told that the sockets are called.
	Name string
}

// Install is what the [Install] section says.
type Install struct {
	WantedBy, RequiredBy, Alias, Also []string
}
