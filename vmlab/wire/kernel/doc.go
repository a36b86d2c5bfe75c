// Package kernel impairs the links of a bridge of the kernel's, beside which
// package wire is the switch in this process: the bridge carries more, and can do
// less. Rules are those of package fabric; of their effects it takes cuts and
// losses, which nftables does. Everything else is refused, by name.
//
// Bridge holds the rules, in Linux's namespace of the bridge; Probe tries out
// what the kernel can do.
//
// Invariants:
//
//   - Rules that are given together begin to hold at one instant: the kernel
//     takes them in one transaction.
//   - A rule about a machine goes with it to the next device that the machine is
//     plugged in by, and its counters go on.
//   - All is in one table of the bridge's namespace, which Close removes, and
//     which ends with the namespace in any case.
package kernel
