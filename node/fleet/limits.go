package fleet

import "drydock/node/unit"

// The bounds of the fleet's state and of the commands that change it.
const (
	// MaxUnits and MaxMachines bound the state as a whole.
	MaxUnits    = 1 << 20
	MaxMachines = 1 << 17
	// MaxTextBytes is the length of the longest text of a unit, as it comes and as
	// it is kept.
	MaxTextBytes = unit.MaxText
	// MaxReplicas is how many replicas a template can be kept at: one command makes
	// them all.
	MaxReplicas = 1024
	// MaxMoves bounds the moves of one Place, MaxReported each list of a Report,
	// MaxOps those of a Patch: so one command is applied in a few milliseconds.
	MaxMoves    = 1024
	MaxReported = 1024
	MaxOps      = 1024
	// MaxMetadata is how many keys a machine's metadata has at most, of its own and
	// as many set by users, MaxResources how many resources.
	MaxMetadata  = 256
	MaxResources = 256
	// MaxWordBytes bounds a name, version or address of a machine, a key or
	// resource and a unit's state in systemd's words; MaxValueBytes a value of
	// metadata, a URL, and a reason. Longer reasons are cut by who gives them.
	MaxWordBytes  = 256
	MaxValueBytes = 4096
	// MaxURLs is how many URLs a machine has at most.
	MaxURLs = 16

	// maxForgettable is how many machines without a session are remembered of
	// which nothing but their end is known.
	maxForgettable = 1024
	// machineIDBytes is the length of a machine's id in hex digits.
	machineIDBytes = 32
)
