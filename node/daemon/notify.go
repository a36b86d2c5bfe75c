package daemon

import (
	"context"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notify tells systemd that the node is ready, or stops. Without systemd it does
// nothing. (sd_notify(3))
func notify(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("systemd was not told", "state", state, "why", err)
	}
}

// watchdog tells systemd that the node is alive, twice in each interval that
// systemd asks for, until ctx ends.
func watchdog(ctx context.Context, log *slog.Logger, alive func() bool) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	t := time.NewTicker(interval / 2)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if alive() {
				notify(log, daemon.SdNotifyWatchdog)
			}
		}
	}
}
