package fleetapi

// The JSON objects of the API, for clients too. Fields are in the order of their
// names, as fleet's are; those marked ours are there only if details were asked for.

// Option is a line of a unit.
type Option struct {
	Name    string `json:"name,omitempty"`
	Section string `json:"section,omitempty"`
	Value   string `json:"value,omitempty"`
}

// Unit is a unit.
type Unit struct {
	CurrentState string      `json:"currentState,omitempty"`
	Description  string      `json:"description,omitempty"` // ours
	DesiredState string      `json:"desiredState,omitempty"`
	Global       bool        `json:"global,omitempty"`  // ours
	Hash         string      `json:"hash,omitempty"`    // ours
	Leaving      []string    `json:"leaving,omitempty"` // ours
	MachineID    string      `json:"machineID,omitempty"`
	Name         string      `json:"name,omitempty"`
	Options      []Option    `json:"options,omitempty"`
	Places       []UnitPlace `json:"places,omitempty"`   // ours
	Replicas     int         `json:"replicas,omitempty"` // ours
	Why          string      `json:"why,omitempty"`      // ours
}

// UnitPlace is a place of a unit, with what its machine has told since the unit was
// placed there; ours.
type UnitPlace struct {
	Active    string `json:"active,omitempty"`
	Hash      string `json:"hash"`
	Launched  bool   `json:"launched,omitempty"`
	Load      string `json:"load,omitempty"`
	MachineID string `json:"machineID"`
	Result    string `json:"result,omitempty"`
	Sub       string `json:"sub,omitempty"`
	Why       string `json:"why,omitempty"`
}

// UnitPage is the answer to GET /units.
type UnitPage struct {
	NextPageToken string `json:"nextPageToken,omitempty"`
	Units         []Unit `json:"units,omitempty"`
}

// State is what a machine has told of a unit.
type State struct {
	Hash      string `json:"hash,omitempty"`
	Launched  bool   `json:"launched,omitempty"` // ours
	MachineID string `json:"machineID,omitempty"`
	Name      string `json:"name,omitempty"`
	Result    string `json:"result,omitempty"` // ours

	SystemdActiveState string `json:"systemdActiveState,omitempty"`
	SystemdLoadState   string `json:"systemdLoadState,omitempty"`
	SystemdSubState    string `json:"systemdSubState,omitempty"`
	Why                string `json:"why,omitempty"` // ours
}

// StatePage is the answer to GET /state.
type StatePage struct {
	NextPageToken string  `json:"nextPageToken,omitempty"`
	States        []State `json:"states,omitempty"`
}

// Machine is a machine.
type Machine struct {
	Down      bool              `json:"down,omitempty"`    // ours
	Drained   bool              `json:"drained,omitempty"` // ours
	ID        string            `json:"id,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	Name      string            `json:"name,omitempty"` // ours
	PrimaryIP string            `json:"primaryIP,omitempty"`
	Resources map[string]int64  `json:"resources,omitempty"` // ours, in the amounts of unit.Resource
	Units     int               `json:"units,omitempty"`     // ours: how many are placed there
	URLs      []string          `json:"urls,omitempty"`      // ours
	Version   string            `json:"version,omitempty"`   // ours
}

// MachinePage is the answer to GET /machines.
type MachinePage struct {
	Machines      []Machine `json:"machines,omitempty"`
	NextPageToken string    `json:"nextPageToken,omitempty"`
}

// Why answers why a unit isn't as it should be, empty for one that is; ours.
type Why struct {
	Name     string `json:"name"`
	Revision uint64 `json:"revision"`
	Why      string `json:"why"`
}

// Error is fleet's error.
type Error struct {
	Error errorBody `json:"error"`
}

type errorBody struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}
