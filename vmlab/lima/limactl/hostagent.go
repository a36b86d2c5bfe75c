package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"

	"github.com/lima-vm/lima/pkg/hostagent"
	"github.com/lima-vm/lima/pkg/hostagent/api/server"
	"github.com/sirupsen/logrus"
)

// keep keeps an instance until it ends or a signal comes: Lima's host agent. Whoever
// starts an instance starts this program again for it, reads what happens from stdout
// and asks it by its socket; the log on stderr is JSON, which Lima reads, too.
func keep(ctx context.Context, name, pidFile, socket string, stop chan os.Signal) (err error) {
	if pidFile == "" || socket == "" {
		return errors.New("hostagent: --pidfile or --socket is missing")
	}
	f, err := os.OpenFile(pidFile, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("%s is kept already: %w", name, err)
	}
	defer func() { err = errors.Join(err, os.Remove(pidFile)) }()
	_, err = f.WriteString(strconv.Itoa(os.Getpid()) + "\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	logrus.SetOutput(os.Stderr)
	logrus.SetFormatter(new(logrus.JSONFormatter))
	logrus.SetLevel(logrus.DebugLevel)
	agent, err := hostagent.New(name, os.Stdout, stop)
	if err != nil {
		return err
	}
	if err := os.Remove(socket); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	routes := http.NewServeMux()
	server.AddRoutes(routes, &server.Backend{Agent: agent})
	srv := &http.Server{Handler: routes}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	err = agent.Run(ctx)
	err = errors.Join(err, srv.Close())
	<-served
	return err
}
