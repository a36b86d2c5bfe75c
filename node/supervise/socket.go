package supervise

import "slices"

func (m *Machine) startSocket(e *entry) {
	m.set(e, SubStart)
	m.do(Listen{Unit: e.def.Name, Socket: e.def.Socket})
}

// listening hears whether a socket unit's sockets are open.
func (m *Machine) listening(name, problem string) {
	e, ok := m.units[name]
	switch {
	case !ok || e.def.Socket == nil || e.sub != SubStart:
	case problem != "":
		m.log(e, problem)
		m.fail(e, FailResources)
		m.set(e, SubFailed)
	default:
		m.set(e, SubListening)
	}
}

// called hears that somebody has called at a socket.
func (m *Machine) called(name string) {
	e, ok := m.units[name]
	if !ok || e.def.Socket == nil || e.sub != SubListening {
		return
	}
	target := m.units[e.def.Socket.Unit]
	if target == nil || target.gone {
		m.closeSocket(e, e.def.Socket.Unit+", which the socket is to start, isn't there")
		return
	}
	m.set(e, SubRunning)
	if target.sub.ended() {
		m.request(jobStart, target.def.Name, 0)
		if target.job == nil {
			m.closeSocket(e, target.def.Name+" can't be started")
		}
	}
}

// closeSocket ends a socket whose service can't be started: whoever calls would
// wait in vain.
func (m *Machine) closeSocket(e *entry, why string) {
	m.log(e, why)
	m.fail(e, FailResources)
	m.do(Unlisten{Unit: e.def.Name})
	m.set(e, SubFailed)
}

// served hears what has become of the service that a socket has started.
func (m *Machine) served(e, target *entry, n note) {
	switch {
	case e.sub == SubListening && n.to.up():
		m.set(e, SubRunning) // the service takes the calls now
	case e.sub != SubRunning || !target.sub.ended() || !n.to.ended():
	case target.result == FailStarts:
		m.closeSocket(e, target.def.Name+" was started too often")
	default:
		m.set(e, SubListening)
		m.do(Poll{Unit: e.def.Name})
	}
}

// openSockets are the socket units whose sockets a service is handed.
func (m *Machine) openSockets(e *entry) []string {
	var open []string
	for _, name := range slices.Concat(e.def.Service.Sockets, e.links.triggers) {
		other := m.units[name]
		if other != nil && other.def.Socket != nil && other.sub.up() && !slices.Contains(open, name) {
			open = append(open, name)
		}
	}
	return open
}
