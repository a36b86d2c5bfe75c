// Package ui is what all commands share of talking to people and programs:
// the process's environment in one value, exit codes, facts about the
// terminal, progress, tables, and excerpts of files that have errors.
//
// Invariants:
//
//   - A command reaches the process (arguments, environment, streams) through
//     Env alone, so that it runs inside a test as it does in a shell.
//   - Words carry the meaning; colour only repeats it.
//   - Progress goes to stderr, and never where a program reads.
package ui
