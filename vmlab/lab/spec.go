package lab

import (
	"time"

	"github.com/google/jsonschema-go/jsonschema"

	"drydock/chaos"
	"drydock/scenarios/scenario"
)

// Spec is a lab file. The tags are the format, as in scenario files: they name the
// keys, document them and give their defaults.
type Spec struct {
	Name     string   `json:"lab,omitempty" doc:"the lab's name" default:"lab"`
	Driver   string   `json:"driver,omitempty" doc:"what machines are made of: netns, nspawn, uml, qemu, lima" default:"netns"`
	Machines []Group  `json:"machines,omitempty" doc:"the machines, in groups that are alike; absent: three members"`
	Network  Network  `json:"network,omitempty" doc:"what machines are connected by"`
	Links    []Link   `json:"links,omitempty" doc:"what links are like while no fault is on them; absent: as fast as the host"`
	Flags    []string `json:"flags,omitempty" doc:"flags of drydock node that every node gets"`
	Control  bool     `json:"control,omitempty" doc:"nodes whose disks and clocks obey drydock lab fault slow-disk, disk-full, clock-jump and the like; they keep what is not synced in memory" default:"false"`
	Ready    Duration `json:"ready,omitempty" doc:"how long up waits for the machines to be healthy; absent: a minute, five where machines have a kernel of their own, which may have to be emulated"`

	// File is where it was read from.
	File string `json:"-"`
}

// Schema returns the JSON schema of lab files, made from the same tags that the
// parser reads.
func Schema() *jsonschema.Schema {
	return scenario.SchemaOf(new(Spec), "Drydock lab", "Machines, what connects them, and what they run.")
}

// Duration is a time as files write it: 500ms.
type Duration = time.Duration

// Group is some machines that are alike.
type Group struct {
	Name     string   `json:"name,omitempty" doc:"the machines' name: core stands for core-01, core-02, …" default:"core"`
	Count    int      `json:"count,omitempty" doc:"how many" default:"1" min:"1" max:"64"`
	Role     string   `json:"role,omitempty" doc:"member: votes; worker: runs units and has no vote" enum:"member|worker" default:"member"`
	Memory   string   `json:"memory,omitempty" doc:"the most memory that it may use, as 512MiB; absent: no bound"`
	CPUs     float64  `json:"cpus,omitempty" doc:"the most cores that it may use; 0: no bound" default:"0" min:"0" max:"1024"`
	Metadata []string `json:"metadata,omitempty" doc:"KEY=VALUE, each, for units to choose by"`
	// CloudConfig is the file's name below the lab file's directory.
	CloudConfig string   `json:"cloud_config,omitempty" doc:"a file with the machines' user-data"`
	Ports       []string `json:"ports,omitempty" doc:"ports of 127.0.0.1 that lead to the machine: GUEST, or HOST:GUEST; of several machines each gets the next, one that is taken is replaced by a free one, and 2379 is where its node listens for clients" default:"2379"`
	Shares      []string `json:"shares,omitempty" doc:"folders of the host that the machine has, too: HOST:GUEST, with :ro to read only"`
	Image       string   `json:"image,omitempty" doc:"what it boots from, for drivers whose machines have a disk of their own"`
	Flags       []string `json:"flags,omitempty" doc:"flags of drydock node"`

	// userData is what was read of CloudConfig; client and peer are the ports that it
	// says, 0 if it doesn't.
	userData     string
	client, peer int
}

// Network is what connects the machines.
type Network struct {
	Subnet string `json:"subnet,omitempty" doc:"the addresses: machines are .101, .102, …; .1 is where clients come from" default:"172.17.8.0/24"`
	Path   string `json:"path,omitempty" doc:"wire: a switch in this program, which can do every fault; kernel: a bridge, which is faster, and can cut and lose alone" enum:"wire|kernel" default:"wire"`
	Seed   int    `json:"seed,omitempty" doc:"decides what the wire draws" default:"1" min:"1"`
}

// Link is what some links are like. One that is named twice has the sum.
type Link struct {
	From      []string          `json:"from,omitempty" doc:"machines that send; absent: all"`
	To        []string          `json:"to,omitempty" doc:"machines that receive; absent: all"`
	Delay     time.Duration     `json:"delay,omitempty" doc:"time that a frame is under way"`
	Jitter    time.Duration     `json:"jitter,omitempty" doc:"mean of an exponentially distributed time on top"`
	Loss      chaos.Probability `json:"loss,omitempty" doc:"the chance of a frame to be lost"`
	Duplicate chaos.Probability `json:"duplicate,omitempty" doc:"the chance of a frame to arrive twice"`
	Reorder   chaos.Probability `json:"reorder,omitempty" doc:"the chance of a frame to be held back"`
	Corrupt   chaos.Probability `json:"corrupt,omitempty" doc:"the chance of a bit of a frame to be flipped"`
	Rate      float64           `json:"rate,omitempty" doc:"megabits a second" min:"0" max:"100000"`
}

// Bounds of labs.
const (
	// MaxMachines is how many machines a lab may have.
	MaxMachines = 64
	// MaxMembers is how many of them may vote.
	MaxMembers = 9
	// firstHost is the last number of the first machine's address.
	firstHost = 101
)
