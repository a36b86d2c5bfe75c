package daemon

import (
	"io"
	"log/slog"
	"time"

	"github.com/lmittmann/tint"
)

// newLogger makes the process's log: lines for people, coloured on a terminal, or
// JSON.
func newLogger(cfg *Config, w io.Writer, color bool) *slog.Logger {
	var level slog.Level
	// The level was checked with the configuration.
	_ = level.UnmarshalText([]byte(cfg.LogLevel))
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(tint.NewTextHandler(w, &tint.Options{Level: level, TimeFormat: time.StampMilli, NoColor: !color}))
}
