// Package scheduler decides which machine each unit runs on.
package scheduler
