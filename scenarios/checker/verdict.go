package checker

import (
	"time"

	"drydock/sim/history"
)

// Status is what a checker found.
type Status string

// The three findings.
const (
	Held     Status = "held"
	Violated Status = "violated"
	Unknown  Status = "unknown"
)

// Verdict is a checker's answer.
type Verdict struct {
	Status Status `json:"status"`
	// Check names the property, such as "keys are linearizable".
	Check string `json:"check"`
	// Summary is one line: what was looked at, or what is wrong.
	Summary string `json:"summary"`
	// Ops is the number of records the verdict rests on, Keys that of keys
	// they are about (0 where keys mean nothing).
	Ops  int `json:"ops"`
	Keys int `json:"keys,omitempty"`
	// Took is the time the check needed, by the real clock; it is no part of
	// what was found.
	Took time.Duration `json:"tookNs"`
	// Worst is the longest time measured, where the property is about one.
	Worst time.Duration `json:"worstNs,omitempty"`
	// Violation is set if and only if Status is Violated.
	Violation *Violation `json:"violation,omitempty"`
}

// Violation is the evidence against a property.
type Violation struct {
	// Key is the key, term, index or member it is about.
	Key string `json:"key,omitempty"`
	Why string `json:"why"`
	// Ops is the smallest history found that is already wrong, in order of
	// call; empty where no operations are concerned.
	Ops []history.Op `json:"ops,omitempty"`
	// Notes says, by operation id, what that operation should have been.
	Notes map[int]string `json:"notes,omitempty"`
	// At is the run time, in nanoseconds, from which the violation shows; 0
	// if the records carry no time.
	At int64 `json:"at"`
}
