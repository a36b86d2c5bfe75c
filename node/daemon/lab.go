package daemon

import (
	"drydock/node/host"
	"drydock/node/labcontrol"
	"drydock/node/world"
)

// controlled hands a member's disk and clocks to the lab that it runs in, if that
// has asked for it.
func (m *member) controlled(o *host.Options) (err error) {
	if m.cfg.LabControl == "" {
		return nil
	}
	if m.lab, err = labcontrol.Open(m.cfg.LabControl, m.getenv, m.disk); err != nil {
		return m.cfg.errorf("lab-control", "%w", err)
	}
	o.Clocks = m.lab.Clock
	m.log.Warn("a lab controls this node's disk and clocks: what is not synced is lost with the process")
	return nil
}

// files are what the node keeps its data in.
func (m *member) files() world.FS {
	if m.lab != nil {
		return m.lab.Disk
	}
	return m.disk
}
