// Package cmd holds the commands around scenarios: run, scenario and check.
// One file per command; each is an options struct, a constructor and a plain
// function that does the work.
package cmd
