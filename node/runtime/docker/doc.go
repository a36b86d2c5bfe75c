// Package docker sees to the containers of units that run them by `docker run`.
//
// Such units need nothing special to run: the docker command is their process. But
// their containers are processes of the Docker engine's, not of the unit's, and
// outlive it when the command is killed. This package stands around another
// runtime: it knows which containers a unit has by what its commands say, and a
// unit counts as ended only when they have, too.
//
// A container is a unit's
//
//   - if it has the label drydock.unit with the unit's name (--label drydock.unit=%n),
//   - else if it has a --name that the unit's commands give,
//   - else, for commands that give no name, if it has the image and the arguments
//     that they say and is the first of its kind since the unit was started. Units
//     that start the same in the same moment are told apart only by a name.
//
// Invariants:
//
//   - A unit's end is told, and the end of a request to stop or unload it, when no
//     container of it runs any more.
//   - When a unit ends, those of its containers that still run are removed; when it
//     is unloaded, all are. Volumes stay. What the unit's own commands have stopped
//     and left is theirs until then.
//   - Containers that no unit's commands account for are never touched.
//   - What a next life and the machine's guard must know is on disk before a unit
//     starts.
//
// Files: docker.go the runtime, clean.go how containers end, claim.go and words.go
// what commands say of containers, owner.go whose a container is, record.go what
// outlives the agent, kill.go fencing, engine.go the engine's API.
package docker
