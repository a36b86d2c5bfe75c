package consensus

import "drydock/node/world"

// Burden counts what waits here: commands that are not decided, reads that wait
// for their place, and the entries of the log that are kept in memory.
func (c *Core) Burden() (proposals, reads int, entries uint64) {
	first, _ := c.log.FirstIndex()
	last, _ := c.log.LastIndex()
	proposals = len(c.props.incoming)
	for i := range c.props.list[c.props.head:] {
		if !c.props.list[c.props.head+i].decided {
			proposals++
		}
	}
	return proposals, c.reads.count, last + 1 - first
}

// Configuration returns the members of the present configuration.
func (c *Core) Configuration() (voters, outgoing, learners []world.MemberID) {
	ids := func(list []uint64) (out []world.MemberID) {
		for _, id := range list {
			out = append(out, world.MemberID(id))
		}
		return out
	}
	return ids(c.conf.GetVoters()), ids(c.conf.GetVotersOutgoing()), append(ids(c.conf.GetLearners()), ids(c.conf.GetLearnersNext())...)
}
