package agent

import "drydock/node/world"

// Agent is one machine's side. It isn't safe for concurrent use.
type Agent struct {
	cfg Config
}

// New returns an agent that knows what an earlier life has left. The first Step
// says what to do about it.
func New(cfg Config, at world.Instant, was Remains) *Agent {
	return &Agent{cfg: cfg}
}

// Step lets inputs happen, in order, and returns what is to be done. At must not be
// before that of an earlier step; its Mono is a clock that counts the time that
// the machine is suspended.
func (a *Agent) Step(at world.Instant, in ...Input) *Effects {
	return &Effects{Wake: Never}
}
