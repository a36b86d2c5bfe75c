package sim

import (
	"time"

	"drydock/node"
	"drydock/sim/impair"
)

// syncTimes are how long a sync takes.
func (c *Config) syncTimes() (impair.Sampler, error) {
	if c.Measured != nil {
		return impair.SamplerOf(0, c.Measured.Fsync), nil
	}
	return impair.NewSampler(c.Disk)
}

// linkTimes are how long a message is on its way between machines.
func (c *Config) linkTimes() (impair.Sampler, error) {
	s, err := impair.NewSampler(c.Net)
	if c.Measured != nil {
		s = s.And(c.Measured.Link)
	}
	return s, err
}

// requestTimes are how long it takes between a client and a member, one way.
func (c *Config) requestTimes() (impair.Sampler, error) {
	if c.Measured != nil {
		return impair.SamplerOf(0, c.Measured.Request), nil
	}
	return impair.NewSampler(c.Net)
}

// retryRest is how long a client rests before it asks again for what was refused so
// many times. A lab's clients rest for the same time always (package load).
func (c *Config) retryRest(tries int) time.Duration {
	if c.Measured != nil {
		return 20 * time.Millisecond
	}
	return 5 * time.Millisecond * time.Duration(tries)
}

// slackOf is how late followers' ticks may be.
func (m *machine) slackOf(c node.Config) time.Duration {
	if m.w.cfg.Measured == nil {
		return 0
	}
	return c.Slack()
}

// startTime is how long the machine's process takes to start, this time, or the whole
// machine if it had lost its power.
func (m *machine) startTime() time.Duration {
	switch p := m.w.cfg.Measured; {
	case p == nil:
		return bootTime
	case m.cut:
		return p.Boot.Sample(m.w.src.Stream("start/" + m.name))
	default:
		return p.Start.Sample(m.w.src.Stream("start/" + m.name))
	}
}
