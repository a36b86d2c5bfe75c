package units

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"drydock/node/supervise"
	"drydock/node/unit"
)

// program is what a process does by itself.
type program struct {
	// up is the time until it says that it is ready; life, if set, until it ends
	// by itself; down from a signal to its end.
	up, life, down time.Duration
	code           int
	hangs          bool
}

// What programs do that don't say otherwise.
const (
	usualDown    = 5 * time.Millisecond
	usualControl = 5 * time.Millisecond
)

// programOf reads the words of a command:
//
//	up=200ms    takes so long to be ready
//	life=5s     ends by itself after about that long: half to one and a half
//	code=1      with that code
//	down=2s     takes so long to end when it is told to
//	hangs       doesn't end when it is told to
//	dud=20%     is a dud with that chance: it ends at once with code 1
//
// Other words mean nothing, so that any command will do. A command that brings a
// unit up or down ends by itself.
func programOf(argv []string, role supervise.Role, rng *rand.Rand) program {
	p := program{down: usualDown}
	if role == supervise.RoleControl {
		p.life = usualControl
	}
	dud := 0
	for _, arg := range argv {
		key, value, _ := strings.Cut(arg, "=")
		span, _ := time.ParseDuration(value)
		switch key {
		case "up":
			p.up = span
		case "life":
			p.life = span
		case "down":
			p.down = span
		case "code":
			p.code, _ = strconv.Atoi(value)
		case "hangs":
			p.hangs = true
		case "dud":
			dud, _ = strconv.Atoi(strings.TrimSuffix(value, "%"))
		}
	}
	if p.life > 0 && role == supervise.RoleMain {
		p.life = p.life/2 + time.Duration(rng.Int64N(int64(p.life)))
	}
	if dud > 0 && rng.IntN(100) < dud {
		p.life, p.code = usualControl, 1
	}
	return p
}

// facts are what specifiers stand for on the machine of that name.
func facts(name, id, boot string) unit.Facts {
	f := unit.AnyFacts()
	f.Hostname, f.MachineID, f.BootID = name, id, boot
	return f
}

// Cause is why a unit's last process ended.
type Cause string

// The causes.
const (
	// Exited: of its own accord. Struck: by a fault of that unit.
	Exited Cause = "exited"
	Struck Cause = "struck"
	// Stopped: the manager ended it by a unit's stop or restart; Killed: at once,
	// because it was asked to.
	Stopped Cause = "stopped"
	Killed  Cause = "killed"
	// Guarded: the machine's guard did, as the lease was over. Cut: the machine lost
	// its power.
	Guarded Cause = "guarded"
	Cut     Cause = "cut"
)

// Run is a stretch of time for which a unit has some process.
type Run struct {
	Unit string
	Hash unit.Hash
	// Number counts the runs of one machine.
	Number int
	// Told is when its processes were first told to end; 0 if they never were.
	Told time.Duration
}

// String names the run.
func (r Run) String() string { return fmt.Sprintf("%s#%d", r.Unit, r.Number) }
