package daemon

import (
	"context"
	"errors"
	"log/slog"

	"drydock/node/ui"
)

type fullError struct{ error }

func runWorker(context.Context, *Config, *ui.Env, *slog.Logger, *fullError) error {
	return errors.New("worker")
}
