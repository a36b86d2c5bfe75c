package cmd

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"drydock/node/ui"
	"drydock/vmlab/image"
	"drydock/vmlab/lab"
)

func newImage(l *labs) *cobra.Command {
	c := &cobra.Command{
		Use:   "image",
		Short: "Build what machines with an init of their own boot from",
		Args:  cobra.NoArgs,
	}
	c.AddCommand(newImageBuild(l), newImageList(l), newImageShow(l), newImageRemove(l))
	return c
}

func newImageBuild(l *labs) *cobra.Command {
	var o image.Options
	var noDocker, noUML, noQEMU, noDisk bool
	c := &cobra.Command{
		Use:   "build [NAME]",
		Short: "Build an image from the distribution's packages",
		Long: "Build a root file system with systemd, this program as etcd and fleet, and Docker from\n" +
			"the distribution's packages, with a kernel for User Mode Linux, one for virtual machines\n" +
			"and a disk's file. An image whose recipe has not changed is left as it is, and one that\n" +
			"a lab boots from is never touched. It takes mmdebstrap and the network; machines boot it\n" +
			"without. Root's image is good for all drivers; an ordinary user needs uidmap, too, and\n" +
			"gets one for uml, qemu and lima.",
		Example: "  drydock lab image build\n  drydock lab image build small --no-docker",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := interrupted(c.Context())
			defer stop()
			o.Name = image.Default
			if len(args) > 0 {
				o.Name = args[0]
			}
			if !lab.IsName(o.Name) {
				return ui.Usagef("%q is not a name of an image: small letters, digits and hyphens", o.Name)
			}
			o.Docker, o.UML, o.QEMU, o.Disk = !noDocker, !noUML, !noQEMU, !noDisk
			return failedUp(ctx, l.buildImage(c, &o))
		},
	}
	c.Flags().StringVar(&o.Suite, "suite", image.DefaultSuite, "the distribution's release")
	c.Flags().StringVar(&o.Mirror, "mirror", image.DefaultMirror, "where packages come from")
	c.Flags().StringSliceVar(&o.Packages, "package", nil, "a further package; may be given again")
	c.Flags().BoolVar(&noDocker, "no-docker", false, "leave Docker out")
	c.Flags().BoolVar(&noUML, "no-uml", false, "leave the kernel for User Mode Linux out")
	c.Flags().BoolVar(&noQEMU, "no-qemu", false, "leave the kernel for virtual machines out")
	c.Flags().BoolVar(&noDisk, "no-disk", false, "make no disk of it: good for nspawn alone")
	c.Flags().BoolVar(&o.Force, "force", false, "build it though nothing has changed")
	return c
}

// buildImage builds, and tells what comes of it. What the tools say goes to a file
// until something fails.
func (l *labs) buildImage(c *cobra.Command, o *image.Options) error {
	o.Program = l.env.Executable
	log, err := os.CreateTemp("", "drydock-image-*.log")
	if err != nil {
		return err
	}
	defer func() { _ = errors.Join(log.Close(), os.Remove(log.Name())) }()
	began := time.Now()
	o.Log = log
	o.Step = func(text string) {
		_, _ = fmt.Fprintf(l.env.Stderr, "  %6s   %s\n", seconds(time.Since(began)), text)
	}
	ctx, stop := interrupted(c.Context())
	defer stop()
	i, fresh, err := image.Store{Dir: image.Root}.Build(ctx, o)
	if errors.Is(err, image.ErrRoot) {
		code, err := image.AsOwnRoot(ctx, o.Program, sameCall(c, o.Name), l.env.Stdout, l.env.Stderr)
		if err != nil || code == 0 {
			return err
		}
		return ui.Exit(code, nil) // it has said why
	}
	if err != nil {
		return errors.Join(err, lastWords(log))
	}
	if !fresh {
		l.printf("%s is as its recipe says, built %s; --force builds it again\n", i.Name, i.Built.Format(time.DateTime))
	}
	l.printImage(i)
	return nil
}

// sameCall are the arguments of a call to build an image, for another process.
func sameCall(c *cobra.Command, name string) []string {
	args := []string{"lab", "image", "build", name}
	c.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, v := range values {
			args = append(args, "--"+f.Name+"="+v)
		}
	})
	return args
}

// lastWords are the last lines of a log, as an error.
func lastWords(log *os.File) error {
	if _, err := log.Seek(0, io.SeekStart); err != nil {
		return err
	}
	text, err := io.ReadAll(log)
	if err != nil || len(strings.TrimSpace(string(text))) == 0 {
		return err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return errors.New("| " + strings.Join(lines[max(0, len(lines)-20):], "\n| "))
}

func newImageList(l *labs) *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List the images that were built here",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			list, err := image.Store{Dir: image.Root}.List()
			if err != nil {
				return ui.Exit(ui.WorldFailed, err)
			}
			for _, i := range list {
				if !l.json {
					l.printImage(i)
				} else if err := l.line(i.Manifest); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&l.json, "json", false, "write one JSON line for each image")
	return c
}

func newImageShow(l *labs) *cobra.Command {
	c := &cobra.Command{
		Use:   "show [NAME]",
		Short: "Show what is in an image",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			i, err := image.Store{Dir: image.Root}.Open(strings.Join(args, ""))
			if err != nil {
				return ui.Exit(ui.WorldFailed, err)
			}
			if l.json {
				return l.line(i.Manifest)
			}
			l.printImage(i)
			l.printf("  built     %s of %s\n  drivers   %s\n  recipe    %s\n  packages\n", i.Built.Format(time.DateTime), i.Suite, strings.Join(i.Drivers(), " "), i.Recipe[:min(12, len(i.Recipe))])
			for _, p := range i.Installed {
				l.printf("    %s\n", strings.Replace(p, "=", " ", 1))
			}
			return nil
		},
	}
	c.Flags().BoolVar(&l.json, "json", false, "write one JSON line")
	return c
}

func newImageRemove(l *labs) *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove an image that no lab boots from",
		Args:  cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			i, err := image.Store{Dir: image.Root}.Remove(args[0])
			if err != nil {
				return ui.Exit(ui.WorldFailed, err)
			}
			l.printf("%s is removed, %s\n", i.Name, size(i.RootBytes+i.DiskBytes))
			return nil
		},
	}
}

// printImage writes what an image is and how large.
func (l *labs) printImage(i *image.Image) {
	l.printf("%s   %s, %d packages", i.Name, i.Suite, len(i.Installed))
	if i.HasRoot() {
		l.printf("   root %s", size(i.RootBytes))
	}
	if i.DiskBytes > 0 {
		l.printf("   disk %s", size(i.DiskBytes))
	}
	l.printf("   for %s", strings.Join(i.Drivers(), " "))
	where := i.Dir
	if wd, err := os.Getwd(); err == nil {
		if near, err := filepath.Rel(wd, i.Dir); err == nil {
			where = near
		}
	}
	l.printf("   in %s\n", where)
}

// size writes bytes for people.
func size(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }
