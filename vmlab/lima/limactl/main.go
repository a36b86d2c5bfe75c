package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/lima-vm/lima/pkg/version"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
)

// limaModule is the library's name.
const limaModule = "github.com/lima-vm/lima"

func main() {
	version.Version = limaVersion()
	if name := filepath.Base(os.Args[0]); strings.HasPrefix(name, qemuPrefix) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, becomeQEMU(os.Args[1:], os.Environ()))
		os.Exit(1)
	}
	if err := newRoot(os.Stdin, os.Stdout).ExecuteContext(context.Background()); err != nil {
		fmt.Fprintf(os.Stderr, "drydock-lima: %v\n", err)
		os.Exit(1)
	}
}

// limaVersion is the version of the library that this program was built with, without
// the v.
func limaVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range info.Deps {
		if m.Path == limaModule {
			return strings.TrimPrefix(m.Version, "v")
		}
	}
	return "unknown"
}

// newRoot makes the program's commands.
func newRoot(stdin io.Reader, stdout io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use: "drydock-lima", Short: "Machines of a lab as instances of Lima", Version: version.Version,
		SilenceUsage: true, SilenceErrors: true, CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetVersionTemplate("drydock-lima with Lima {{.Version}}\n")
	debugging := root.PersistentFlags().Bool("debug", false, "tell more")
	// limactl has it, and asks questions unless it is false.
	root.PersistentFlags().Bool("tty", false, "never asks anything")
	root.PersistentPreRun = func(*cobra.Command, []string) {
		if *debugging {
			logrus.SetLevel(logrus.DebugLevel)
		}
	}
	root.AddCommand(newTemplate(), newDrive(), newCreate(), newStart(), newStop(), newDelete(), newList(), newHold(), newHostAgent())
	return root
}

func newTemplate() *cobra.Command {
	return &cobra.Command{
		Use:     "template",
		Short:   "Make a template of a machine's description",
		Long:    "Read a machine's description on stdin, as JSON, and write a template that Lima finds right.",
		Example: "  drydock-lima template < machine.json > core-01.yaml",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			m, err := readMachine(c.InOrStdin())
			if err != nil {
				return err
			}
			text, err := m.template()
			if err != nil {
				return err
			}
			_, err = c.OutOrStdout().Write(text)
			return err
		},
	}
}

func newDrive() *cobra.Command {
	c := &cobra.Command{
		Use:     "drive DIR FILE",
		Short:   "Make a config drive of a directory",
		Example: "  drydock-lima drive core-01/config core-01/datadisk",
		Args:    cobra.ExactArgs(2),
	}
	label := c.Flags().String("label", "config-2", "what its file system is called")
	c.RunE = func(_ *cobra.Command, args []string) error { return writeDrive(args[0], args[1], *label) }
	return c
}

func newCreate() *cobra.Command {
	c := &cobra.Command{
		Use:     "create --name NAME TEMPLATE",
		Short:   "Make an instance of a template",
		Example: "  drydock-lima create --name core-01 core-01.yaml",
		Args:    cobra.ExactArgs(1),
	}
	name := c.Flags().String("name", "", "the instance's name")
	c.RunE = func(c *cobra.Command, args []string) error {
		if *name == "" {
			return errors.New("create: --name is missing")
		}
		text, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		return create(c.Context(), *name, text)
	}
	return c
}

func newStart() *cobra.Command {
	c := &cobra.Command{
		Use:     "start NAME",
		Short:   "Switch an instance on, and wait until it is up",
		Example: "  drydock-lima start core-01",
		Args:    cobra.ExactArgs(1),
	}
	foreground := c.Flags().Bool("foreground", false, "keep the instance in this process until it ends")
	c.RunE = func(c *cobra.Command, args []string) error { return start(c.Context(), args[0], *foreground) }
	return c
}

func newStop() *cobra.Command {
	c := &cobra.Command{
		Use:     "stop NAME",
		Short:   "Switch an instance off",
		Example: "  drydock-lima stop --force core-01",
		Args:    cobra.ExactArgs(1),
	}
	force := c.Flags().BoolP("force", "f", false, "cut its power")
	c.RunE = func(c *cobra.Command, args []string) error { return stop(c.Context(), args[0], *force) }
	return c
}

func newDelete() *cobra.Command {
	c := &cobra.Command{
		Use:     "delete NAME...",
		Short:   "Delete instances",
		Example: "  drydock-lima delete --force core-01 core-02",
		Args:    cobra.MinimumNArgs(1),
	}
	force := c.Flags().BoolP("force", "f", false, "also one that is on")
	c.RunE = func(c *cobra.Command, args []string) error {
		var errs []error
		for _, name := range args {
			errs = append(errs, remove(c.Context(), name, *force))
		}
		return errors.Join(errs...)
	}
	return c
}

func newList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the instances, a line of JSON each",
		Example: "  LIMA_HOME=.drydock/labs/lab/lima drydock-lima list",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return list(c.OutOrStdout()) },
	}
}

func newHold() *cobra.Command {
	return &cobra.Command{
		Use: "hold PROGRAM ARG...", Short: "Run a program until stdin ends", Hidden: true,
		Args: cobra.MinimumNArgs(1), DisableFlagParsing: true,
		RunE: func(c *cobra.Command, args []string) error { return hold(c.InOrStdin(), args) },
	}
}

func newHostAgent() *cobra.Command {
	c := &cobra.Command{Use: "hostagent NAME", Short: "Keep an instance", Hidden: true, Args: cobra.ExactArgs(1)}
	pidFile := c.Flags().String("pidfile", "", "a file for this process's number")
	socket := c.Flags().String("socket", "", "where it answers")
	c.RunE = func(c *cobra.Command, args []string) error {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
		return keep(c.Context(), args[0], *pidFile, *socket, stop)
	}
	return c
}
