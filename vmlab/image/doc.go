// Package image builds what machines of labs boot from: one root file system with
// systemd, this program as etcd and fleet, and Docker, from the packages of the
// distribution, and a kernel for those drivers whose machines have one.
//
// No disk is mounted and no loop device is used: mmdebstrap fills a directory,
// mke2fs makes a file of it. An image is a directory in a Store; it is built beside
// its place and moved there when it is whole, so that one that is there can be used.
// It is built again only when its recipe has changed.
//
// The program within an image is the one that has built it. Drivers lay a lab's own
// over it.
//
// Invariants:
//
//   - An image that has a manifest is whole.
//   - Labs change nothing of an image.
//   - A machine of an image does nothing by itself that its config drive doesn't ask
//     for: etcd, fleet and Docker are there and not started.
//   - An image that a lab boots from is neither removed nor built anew.
//
// Root builds images for all drivers. An ordinary user builds them as the root of a
// user namespace, and gets disks alone: the root directory's owners are nobody's
// outside.
//
// Files: recipe.go what is in an image; build.go how it is made, qemu.go the kernel
// for virtual machines, containers.go what Docker has on them; ordinary.go building
// without root; store.go where images are, hold.go who uses them.
package image
