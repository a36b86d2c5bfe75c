// Package unit reads and writes unit files.
package unit
