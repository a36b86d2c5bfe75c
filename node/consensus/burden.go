package consensus

// Burden counts what waits here: commands that are not decided, reads that wait
// for their place, and the entries of the log that are kept in memory.
func (c *Core) Burden() (proposals, reads int, entries uint64) {
	first, _ := c.log.FirstIndex()
	last, _ := c.log.LastIndex()
	return len(c.props.list) - c.props.head + len(c.props.incoming), c.reads.count, last + 1 - first
}
