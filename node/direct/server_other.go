//go:build !linux

package direct

import (
	"context"
	"net"
)

// Server would serve connections.
type Server struct{}

// New returns ErrUnsupported.
func New(Options) (*Server, error) { return nil, ErrUnsupported }

// Adopt returns ErrUnsupported.
func (*Server) Adopt(*net.TCPConn, any) error { return ErrUnsupported }

// EndWatches does nothing.
func (*Server) EndWatches() {}

// Drain does nothing.
func (*Server) Drain() {}

// Close does nothing.
func (*Server) Close(context.Context) error { return nil }
