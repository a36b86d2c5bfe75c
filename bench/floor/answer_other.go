//go:build !linux

package floor

import (
	"context"
	"time"
)

// answers is known on Linux only, which tells what each thread takes.
func answers(context.Context, time.Duration) (*Answers, error) { return nil, nil }
