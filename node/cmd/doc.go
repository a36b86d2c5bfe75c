// Package cmd is the node's commands: drydock node with its subcommands, and the
// clients of a node. It parses the command line, calls the packages that do the
// work and prints what came of it.
package cmd
