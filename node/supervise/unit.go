package supervise

import (
	"math"
	"time"
)

// Infinity is a time span that never ends, as systemd's "infinity".
const Infinity = time.Duration(math.MaxInt64)

// Unit is what a unit file says, in the terms of this package. It isn't changed
// after it was loaded.
type Unit struct {
	// Name is the full name, such as "web@1.service".
	Name string
	// Description is for people.
	Description string
	// After and Before order jobs of units; they pull in nothing.
	After, Before []string
	// Requires and BindsTo are started with the unit, and the unit is stopped
	// with them; BindsTo also when they end by themselves.
	Requires, BindsTo []string
	// Requisite must be active already when the unit starts.
	Requisite []string
	// Wants are started with the unit if they can be.
	Wants []string
	// PartOf are units whose stop and restart this one shares.
	PartOf []string
	// Conflicts are stopped when the unit starts, and the other way round.
	Conflicts []string
	// OnFailure are started when the unit has failed for good.
	OnFailure []string
	// StartLimitInterval and StartLimitBurst bound how often the unit starts:
	// burst times in the interval. Either one zero: as often as asked.
	StartLimitInterval time.Duration
	StartLimitBurst    int

	// Service, Timer and Socket hold what is special to the kind of the unit; a
	// target has none of them.
	Service *Service
	Timer   *Timer
	Socket  *Socket
}

// Type says when a service counts as started.
type Type string

// The types of services.
const (
	// Simple is started as soon as its process is asked for.
	Simple Type = "simple"
	// Exec is started when its program runs in place of the supervisor's.
	Exec Type = "exec"
	// Oneshot is started when its commands have ended.
	Oneshot Type = "oneshot"
	// Forking is started when its command has ended, and left a daemon.
	Forking Type = "forking"
	// Notify is started when it says so.
	Notify Type = "notify"
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
	// KillControlGroup signals all processes of the unit.
	KillControlGroup KillMode = "control-group"
	// KillMixed asks the main process to end, and then kills all that is left.
	KillMixed KillMode = "mixed"
	// KillProcess signals the main process, and leaves others alone.
	KillProcess KillMode = "process"
	// KillNone signals nobody.
	KillNone KillMode = "none"
)

// Signal is a signal by its name, such as "SIGTERM".
type Signal string

// The signals that the rules speak of.
const (
	SIGHUP  Signal = "SIGHUP"
	SIGINT  Signal = "SIGINT"
	SIGABRT Signal = "SIGABRT"
	SIGKILL Signal = "SIGKILL"
	SIGPIPE Signal = "SIGPIPE"
	SIGTERM Signal = "SIGTERM"
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

// Command is one line of an Exec option.
type Command struct {
	// Path is the program's file.
	Path string
	// Args is its argument vector, the program's name first ("@" sets another
	// name than the path).
	Args []string
	// IgnoreFailure takes any end for a success ("-").
	IgnoreFailure bool
	// NoExpand leaves variables in the arguments alone (":").
	NoExpand bool
	// Privileged runs it without the unit's user and group ("+", "!", "!!").
	Privileged bool
}

// ExitSet is a set of ways to end: exit codes and signals.
type ExitSet struct {
	Codes   []int
	Signals []Signal
}

// Service is what the [Service] section says. Make it with NewService, which
// sets systemd's defaults.
type Service struct {
	Type Type
	// Pre, Start, Post, Reload, Stop and StopPost are the commands of the Exec
	// options, in order.
	Pre, Start, Post, Reload, Stop, StopPost []Command

	Restart Restart
	// RestartSec is the pause before a restart.
	RestartSec time.Duration
	// TimeoutStart bounds each command of the start, and the wait for readiness.
	TimeoutStart time.Duration
	// TimeoutStop bounds each command of the stop, and each wait for an end.
	TimeoutStop time.Duration
	// RuntimeMax is how long the service may run.
	RuntimeMax time.Duration
	// Watchdog is the longest silence of a service that has promised to report;
	// zero is none.
	Watchdog time.Duration

	RemainAfterExit bool
	KillMode        KillMode
	KillSignal      Signal
	SendSIGHUP      bool
	SendSIGKILL     bool

	// Success are ends that count as clean besides exit code 0 and, for
	// daemons, SIGHUP, SIGINT, SIGTERM and SIGPIPE.
	Success ExitSet
	// RestartPrevent are ends after which there is no restart, whatever Restart
	// says; RestartForce ends after which there is one.
	RestartPrevent, RestartForce ExitSet

	NotifyAccess Access
	// PIDFile is where a forking service leaves the id of its main process.
	PIDFile string
	// Sockets are the socket units whose sockets the service is handed.
	Sockets []string
	// Context says how its processes are run.
	Context Context
}

// NewService returns a service with systemd's defaults.
func NewService() *Service {
	return &Service{
		Type: Simple, Restart: RestartNo, RestartSec: 100 * time.Millisecond,
		TimeoutStart: 90 * time.Second, TimeoutStop: 90 * time.Second, RuntimeMax: Infinity,
		KillMode: KillControlGroup, KillSignal: SIGTERM, SendSIGKILL: true, NotifyAccess: AccessNone,
	}
}

// Context is what a process of a unit finds. Nothing of it matters to the rules
// of this package: they hand it to whoever spawns.
type Context struct {
	// Environment are variables, "NAME=value", later ones first in rank.
	Environment []string
	// EnvironmentFiles are read when a process is spawned; a leading "-" lets one
	// be absent. They outrank Environment.
	EnvironmentFiles []string
	// PassEnvironment and UnsetEnvironment name variables.
	PassEnvironment, UnsetEnvironment []string
	// WorkingDirectory is where it starts; a leading "-" lets it be absent, "~"
	// is the user's home. Empty is the root directory.
	WorkingDirectory string
	// User, Group and SupplementaryGroups are names or numbers.
	User, Group         string
	SupplementaryGroups []string
	// UMask holds the permission bits that new files don't get; negative is the
	// default, 0022.
	UMask int
	// Nice is the priority, -20 to 19.
	Nice int
	// OOMScoreAdjust is -1000 to 1000, nil leaves it.
	OOMScoreAdjust *int
	// Limits are resource limits, by the names of systemd's options.
	Limits []Limit
	// StandardInput, StandardOutput and StandardError as systemd spells them:
	// "null", "journal", "inherit", "file:PATH", "append:PATH", "truncate:PATH".
	StandardInput, StandardOutput, StandardError string
	// SyslogIdentifier marks its lines in the journal; empty is the program.
	SyslogIdentifier string
	// MemoryMax and TasksMax bound the unit's group where there are control
	// groups; zero is no bound. CPUQuota is in hundredths of one processor.
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
	// OnCalendar are moments of the calendar.
	OnCalendar []Calendar
	// RemainAfterElapse keeps an elapsed timer active.
	RemainAfterElapse bool
}

// Socket is what the [Socket] section says.
type Socket struct {
	// Unit is started when somebody connects.
	Unit string
	// Streams and Datagrams are addresses as ListenStream= and ListenDatagram=
	// give them: a port, "HOST:PORT", or a path.
	Streams, Datagrams []string
	// Backlog bounds connections that wait.
	Backlog int
	// Mode holds the permission bits of a socket with a path; zero is 0666.
	Mode int
	// RemoveOnStop removes the paths when the socket is stopped.
	RemoveOnStop bool
	// Name is what the service is told that the sockets are called.
	Name string
}
