// Package wal is the write-ahead log of a member.
package wal
