package lab

import (
	"fmt"
	"strings"
)

// Where things are on a machine of a lab.
const (
	GuestData        = "/var/lib/drydock"
	GuestFleetSocket = "/run/fleet.sock"
	// GuestControl is the socket of a controlled node's disk and clocks.
	GuestControl = "/var/lib/lab-control.sock"
)

// NodeFlags are the flags of drydock node on a machine: who it is, where it
// listens, and how it finds the others. Those of the lab file come last.
func (s *Site) NodeFlags(m *Machine) []string {
	flags := []string{
		"--name", m.Name, "--data-dir", GuestData,
		"--listen-client-urls", fmt.Sprintf("http://0.0.0.0:%d,http://0.0.0.0:4001", ClientPort),
		"--advertise-client-urls", m.ClientURL(),
		"--fleet-socket", GuestFleetSocket,
		"--machine-id", m.ID, "--public-ip", m.Address.String(), "--join-token", s.JoinToken,
	}
	if len(m.Metadata) > 0 {
		flags = append(flags, "--metadata", strings.Join(m.Metadata, ","))
	}
	if m.Role == RoleWorker {
		return append(append(flags, "--join", s.founder().PeerURL()), m.Flags...)
	}
	var founders []string
	for i := range s.Machines {
		if f := &s.Machines[i]; f.Role == RoleMember && (m.Joins || !f.Joins) && f.Seat != SeatOutside {
			founders = append(founders, f.Name+"="+f.PeerURL())
		}
	}
	flags = append(flags,
		"--listen-peer-urls", fmt.Sprintf("http://0.0.0.0:%d", PeerPort), "--initial-advertise-peer-urls", m.PeerURL(),
		"--initial-cluster", strings.Join(founders, ","), "--initial-cluster-token", s.Token,
	)
	if m.Joins {
		flags = append(flags, "--initial-cluster-state", "existing")
	}
	if s.Control {
		flags = append(flags, "--lab-control", GuestControl)
	}
	return append(flags, m.Flags...)
}

// founder is the lab's first member, of those that are none as they were if need be.
func (s *Site) founder() *Machine {
	var first *Machine
	for i := range s.Machines {
		if m := &s.Machines[i]; m.Role == RoleMember && (first == nil || first.Seat != "" && m.Seat == "") {
			first = m
		}
	}
	if first != nil {
		return first
	}
	panic("lab: a lab without a member passed its checks")
}

// Machine returns the machine of a name, which may be its node's in scenarios; nil
// if there is none.
func (s *Site) Machine(name string) *Machine {
	for i := range s.Machines {
		if m := &s.Machines[i]; m.Name == name || m.Node == name {
			return m
		}
	}
	return nil
}
