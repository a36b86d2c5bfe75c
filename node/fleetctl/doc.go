// Package fleetctl is the command line client of a cluster's units.
package fleetctl
