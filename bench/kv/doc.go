// Package kv measures the node as its clients see it: real processes on this
// machine, asked over HTTP, alone or beside another system (etcd, or another build
// of drydock) that does the same work with the same durability on the same disk.
//
// On a machine that others use, a rate says as much of the neighbours as of the
// server. So the systems take turns in random order, what is compared is one pair
// of rounds after the other, and the first figure is the servers' CPU time an
// operation, which neighbours move least. Rates and latencies are judged only by
// pairs of rounds that were calm. Package pairs says what makes a difference.
//
// Invariants:
//
//   - Both systems get the same requests, at the member that leads, and every
//     answer is held to what that request should have. A round with another answer,
//     or in which another member came to lead, is none; the report counts it.
//   - Servers get no environment that could tell them apart, and end with the
//     process that started them (on Linux, however that ends).
//   - A failover counts from the kill to the acknowledgment of a write that was
//     sent when the process was gone.
//
// Files: run.go (what is measured, and in which order), measure.go (a round),
// work.go (the workloads), meter.go, disk_linux.go and disk_other.go (what servers
// take of the machine), failover.go and probe.go (leaders that go), system.go,
// cluster.go, process.go, process_linux.go and process_other.go (the servers),
// result.go, bound.go and text.go (the report).
package kv
