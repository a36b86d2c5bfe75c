// Package firstboot carries out, on a machine that boots, what its user-data asks
// for: it reads a config drive, lets package cloudconfig make a plan of it, and
// writes files, masks and enables units and queues jobs of systemd.
//
// A config drive is a directory of OpenStack's form: openstack/latest/user_data is
// the user's cloud-config, openstack/latest/meta_data.json the machine's name and
// addresses. Besides, drydock/base is a cloud-config that whoever made the machine
// lays below the user's.
//
// A drive of the NoCloud form may be beside it, as Lima makes one for its instances
// (nocloud.go): it has whom Lima lets in, and the links that ask for an address.
//
// It runs at each boot, as coreos-cloudinit did, and carrying a plan out again
// changes nothing: files are replaced as a whole, and a job on a unit that runs is
// none. What a later plan doesn't have any more stays.
//
// Invariants:
//
//   - Nothing is done before all of the drive was read and found right.
//   - A file is there whole, with its owner and mode, or not at all.
//   - What fails doesn't keep the rest from being done; all failures are told.
//   - No job is waited for.
//
// Files: drive.go config drives; nocloud.go the drives of Lima; apply.go what is
// done; seed.go what is done for Lima.
package firstboot
