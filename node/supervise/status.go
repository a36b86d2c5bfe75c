package supervise

import "time"

// Active is the state of a unit in the large, as systemd names it.
type Active string

// The active states.
const (
	ActiveInactive     Active = "inactive"
	ActiveFailed       Active = "failed"
	ActiveActivating   Active = "activating"
	ActiveActive       Active = "active"
	ActiveReloading    Active = "reloading"
	ActiveDeactivating Active = "deactivating"
)

// Sub is the state of a unit in the small, as systemd names it.
type Sub string

// The states of services, timers, sockets and targets.
const (
	SubDead         Sub = "dead"
	SubFailed       Sub = "failed"
	SubStartPre     Sub = "start-pre"
	SubStart        Sub = "start"
	SubStartPost    Sub = "start-post"
	SubRunning      Sub = "running"
	SubExited       Sub = "exited"
	SubReload       Sub = "reload"
	SubStop         Sub = "stop"
	SubStopWatchdog Sub = "stop-watchdog"
	SubStopSigterm  Sub = "stop-sigterm"
	SubStopSigkill  Sub = "stop-sigkill"
	SubStopPost     Sub = "stop-post"
	SubFinalSigterm Sub = "final-sigterm"
	SubFinalSigkill Sub = "final-sigkill"
	SubAutoRestart  Sub = "auto-restart"
	// SubActive is a target's, SubWaiting and SubElapsed are a timer's,
	// SubListening is a socket's.
	SubActive    Sub = "active"
	SubWaiting   Sub = "waiting"
	SubElapsed   Sub = "elapsed"
	SubListening Sub = "listening"
)

// Active returns the state in the large that a state in the small belongs to.
func (s Sub) Active() Active {
	switch s {
	case SubFailed:
		return ActiveFailed
	case SubStartPre, SubStart, SubStartPost, SubAutoRestart:
		return ActiveActivating
	case SubRunning, SubExited, SubActive, SubWaiting, SubElapsed, SubListening:
		return ActiveActive
	case SubReload:
		return ActiveReloading
	case SubStop, SubStopWatchdog, SubStopSigterm, SubStopSigkill, SubStopPost, SubFinalSigterm, SubFinalSigkill:
		return ActiveDeactivating
	}
	return ActiveInactive
}

// ended says whether a unit in this state does nothing and is about nothing.
func (s Sub) ended() bool { return s == SubDead || s == SubFailed }

// up says whether a unit in this state serves.
func (s Sub) up() bool {
	a := s.Active()
	return a == ActiveActive || a == ActiveReloading
}

// Result is why a unit is as it is, as systemd names it.
type Result string

// The results.
const (
	Success       Result = "success"
	FailProtocol  Result = "protocol"
	FailTimeout   Result = "timeout"
	FailExitCode  Result = "exit-code"
	FailSignal    Result = "signal"
	FailCoreDump  Result = "core-dump"
	FailWatchdog  Result = "watchdog"
	FailStarts    Result = "start-limit-hit"
	FailResources Result = "resources"
)

// JobResult is how a request ended, as systemd names it.
type JobResult string

// The ends of requests.
const (
	JobDone       JobResult = "done"
	JobFailed     JobResult = "failed"
	JobTimeout    JobResult = "timeout"
	JobDependency JobResult = "dependency"
	JobCanceled   JobResult = "canceled"
	JobInvalid    JobResult = "invalid"
)

// Status is what can be told of a unit.
type Status struct {
	Name        string
	Description string
	// Load is "loaded", or "not-found" once the unit is forgotten.
	Load   string
	Active Active
	Sub    Sub
	Result Result
	// Text is what the service last said of itself.
	Text string
	// Main is the main process; zero is none.
	Main ProcID
	// Exit is how the last main process ended, nil if none has.
	Exit *Exit
	// Restarts counts the restarts that nobody asked for, since the last start
	// that somebody did.
	Restarts int
	// Job is what is under way or waits: "start", "stop", "restart", "reload".
	Job string
	// Since is when Active last changed, on the machine's monotonic clock.
	Since time.Duration
	// Next is when a timer elapses next, on the same clock; zero is never.
	Next time.Duration
}
