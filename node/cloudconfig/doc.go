// Package cloudconfig reads the user-data that a machine is given before its first
// boot, and says what is to be done with it. It does nothing itself: Parse turns a
// text into a Config, Config.Plan into files, links and jobs, and package firstboot
// carries a plan out.
//
// The language is CoreOS's cloud-config of 2014, of which this package knows what a
// machine of a cluster needs: hostname, ssh_authorized_keys, write_files, and of
// coreos the sections etcd, fleet and units. Hyphens and underscores in keys are
// the same. $private_ipv4 and $public_ipv4 stand for the machine's addresses in the
// whole text, before it is YAML.
//
// Unlike coreos-cloudinit, which skipped what it didn't know, an unknown key, a
// value of the wrong sort and a variable that nobody has set are errors, all of them
// at once, with their lines. What the language has and this package doesn't do is
// refused by name.
//
// Invariants:
//
//   - A plan follows from the texts and the addresses alone.
//   - What stands in one document and in a later one again is the later one's.
//   - The files of a plan are the whole truth about a unit's drop-in: carrying a plan
//     out twice is the same as once.
//
// Files: parse.go and units.go the YAML; keys.go the settings of etcd and fleet; config.go what
// was read; plan.go what follows from it.
package cloudconfig
