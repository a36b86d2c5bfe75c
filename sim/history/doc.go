// Package history holds what a run leaves for its checkers: the operations as
// clients saw them, and records of what members did. It knows no rule of any
// store.
package history
