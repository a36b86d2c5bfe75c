package docker

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// KillContainers removes all containers that run for the units whose records are in
// opt.Dir, but for those that spare returns true for, without any help from the
// node. It is what a machine's guard does when a lease has passed, besides killing
// processes. It returns when none is left, with nil, or when the context ends, with
// an error. A spare of nil spares nobody.
//
// Kill the units' processes first or meanwhile: one that lives may make another
// container.
func KillContainers(ctx context.Context, opt Options, spare func(unit string) bool) error {
	eng := newEngine(opt.Socket)
	defer eng.close()
	var trouble error // the engine's own, not that time was up
	for pause := lookFirst; ; pause = min(2*pause, lookLast) {
		// Each time: the node may still be writing.
		records, readErr := readRecords(opt.Dir)
		left := 0
		var err error
		if len(records) > 0 {
			left, err = removeOwned(ctx, eng, records, goal{}, func(unit string) bool {
				return spare == nil || !spare(unit)
			})
		}
		if left == 0 && err == nil {
			return readErr
		}
		if ctx.Err() == nil {
			trouble = err
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%w; %d containers still run", ctx.Err(), left), trouble, readErr)
		case <-time.After(pause):
		}
	}
}
