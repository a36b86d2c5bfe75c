package supervise

import (
	"fmt"

	"drydock/node/unit"
)

// The signals that the rules send, or know as ways of asking a daemon to end.
const (
	SIGHUP  unit.Signal = "SIGHUP"
	SIGINT  unit.Signal = "SIGINT"
	SIGABRT unit.Signal = "SIGABRT"
	SIGKILL unit.Signal = "SIGKILL"
	SIGPIPE unit.Signal = "SIGPIPE"
	SIGTERM unit.Signal = "SIGTERM"
)

// Check returns why a machine with these rules can't run a unit as its file says:
// a *unit.Error that names each option, nil if it can. It is for whoever takes
// units in, before anything is started.
func Check(def *unit.Definition) error {
	problems := append([]unit.Problem(nil), def.Unsupported...)
	if def.Timer != nil {
		for _, text := range def.Timer.OnCalendar {
			if _, err := ParseCalendar(text); err != nil {
				problems = append(problems, unit.Problem{
					Section: "Timer", Option: "OnCalendar", What: fmt.Sprint(err),
					Hint: `such as "daily" or "Mon..Fri *-*-* 04:30:00", in UTC`,
				})
			}
		}
	}
	if len(problems) > 0 {
		return &unit.Error{Problems: problems}
	}
	return nil
}
