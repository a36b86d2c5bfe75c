package lab

import (
	"fmt"
	"net/netip"
	"path/filepath"
)

// Role is what a machine is in the cluster.
type Role string

// The roles.
const (
	// RoleMember machines vote.
	RoleMember Role = "member"
	// RoleWorker machines run units and have no vote.
	RoleWorker Role = "worker"
)

// Machine is one machine of a lab. All but Ports' host sides follow from the lab
// file and the lab's name.
type Machine struct {
	// Name is core-01, core-02, … or as the file says.
	Name string `json:"name"`
	// Node is what scenarios call it: n1, n2, … for members, w1, w2, … for workers.
	Node    string     `json:"node"`
	Role    Role       `json:"role"`
	Address netip.Addr `json:"address"`
	MAC     string     `json:"mac"`
	// ID is the machine's id, 32 hexadecimal digits.
	ID string `json:"id"`
	// MemoryMax, in bytes, and CPUs bound what it may use; 0 is no bound.
	MemoryMax int64   `json:"memoryMax,omitempty"`
	CPUs      float64 `json:"cpus,omitempty"`
	// Metadata are KEY=VALUE, each.
	Metadata []string `json:"metadata,omitempty"`
	// CloudConfig is the user-data's text.
	CloudConfig string `json:"cloudConfig,omitempty"`
	// Client and Peer are the ports that its node listens on where the user-data says
	// so; 0 is the usual one.
	Client int     `json:"client,omitempty"`
	Peer   int     `json:"peer,omitempty"`
	Ports  []Port  `json:"ports,omitempty"`
	Shares []Share `json:"shares,omitempty"`
	Image  string  `json:"image,omitempty"`
	// Joins says that it is added to a cluster that is there: it is no founder.
	Joins bool `json:"joins,omitempty"`
	// Seat says what became of its membership, by a fault.
	Seat Seat `json:"seat,omitempty"`
	// Flags are given to its node beside those that name and place it.
	Flags []string `json:"flags,omitempty"`
}

// Seat is what became of a member's machine; empty: it is a member, or a worker. A machine
// that is not so is off, and when it is switched on it becomes a new member.
type Seat string

// The seats of machines that are no members as they were.
const (
	// SeatLost: its disk is empty; the cluster has its old member still.
	SeatLost Seat = "lost"
	// SeatOutside: the cluster has no member of it.
	SeatOutside Seat = "outside"
)

// Number is a machine's, from 0, which stays with it as its address does.
func Number(m *Machine) int { return int(m.Address.As4()[3]) - firstHost }

// Port is a port of the host's loopback that leads to one of a machine.
type Port struct {
	// Host is the port on the host: what was asked for, or the one that was found
	// when that was taken. 0 asks for any.
	Host  int `json:"host"`
	Guest int `json:"guest"`
}

// Share is a folder of the host that a machine has, too.
type Share struct {
	Host     string `json:"host"`
	Guest    string `json:"guest"`
	ReadOnly bool   `json:"readOnly,omitempty"`
}

// ClientURL is where the machine's node listens for clients, on the lab's network.
func (m *Machine) ClientURL() string { return m.url(m.Client, ClientPort) }

// PeerURL is where it listens for other members.
func (m *Machine) PeerURL() string { return m.url(m.Peer, PeerPort) }

func (m *Machine) url(port, usual int) string {
	if port == 0 {
		port = usual
	}
	return fmt.Sprintf("http://%s:%d", m.Address, port)
}

// The ports that nodes of labs listen on.
const (
	ClientPort = 2379
	PeerPort   = 2380
)

// String writes the port as lab files do.
func (p Port) String() string {
	if p.Host == 0 {
		return fmt.Sprint(p.Guest)
	}
	return fmt.Sprintf("%d:%d", p.Host, p.Guest)
}

// Program is the file that a program's path leads to: machines don't have the
// directories that a symbolic link names.
func Program(path string) string {
	if file, err := filepath.EvalSymlinks(path); err == nil {
		return file
	}
	return path // whoever runs it says what is wrong
}
