// Package runtime is what an agent knows of the thing that runs units on its
// machine: the embedded supervisor, systemd or containers. It holds the interface
// and plain values; each runtime is a package below.
package runtime
