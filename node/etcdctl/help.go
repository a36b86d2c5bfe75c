package etcdctl

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// version is the release of etcd whose v2 client this one does the same as.
const version = "3.4.23"

// programHelp writes what there is.
func programHelp() func(io.Writer) {
	return func(out io.Writer) {
		fmt.Fprint(out, "NAME:\n   etcdctl - read, write and watch keys, and run the cluster that holds them\n\n"+
			"USAGE:\n   etcdctl [global options] command [command options] [arguments...]\n\n"+
			"VERSION:\n   "+version+"\n\nCOMMANDS:\n")
		listCommands(out, append(commands(), &command{name: "help, h", brief: "say what there is, or more of one command"}))
		fmt.Fprint(out, "\nGLOBAL OPTIONS:\n")
		listFlags(out, globalFlags)
		fmt.Fprint(out, "\n   Each has an environment variable as well: ETCDCTL_ENDPOINTS for --endpoints.\n"+
			"\nEXAMPLES:\n   etcdctl set /message Hello\n   etcdctl --endpoints http://10.0.0.1:2379 ls --recursive /\n"+
			"   etcdctl help set\n")
	}
}

// commandHelp writes what one command or group is for.
func commandHelp(c *command, path []string) func(io.Writer) {
	line := "etcdctl " + strings.Join(path, " ")
	return func(out io.Writer) {
		fmt.Fprintf(out, "NAME:\n   %s - %s\n\nUSAGE:\n   %s", line, c.brief, line)
		if c.sub != nil {
			fmt.Fprint(out, " command [command options] [arguments...]\n\nCOMMANDS:\n")
			listCommands(out, c.sub)
			fmt.Fprint(out, "\nOPTIONS:\n   --help, -h  say this\n")
			return
		}
		if len(c.flags) > 0 {
			fmt.Fprint(out, " [command options]")
		}
		if c.args != "" {
			fmt.Fprint(out, " "+c.args)
		}
		fmt.Fprintln(out)
		if c.about != "" {
			fmt.Fprintf(out, "\nDESCRIPTION:\n   %s\n", strings.ReplaceAll(c.about, "\n", "\n   "))
		}
		if len(c.flags) > 0 {
			fmt.Fprint(out, "\nOPTIONS:\n")
			listFlags(out, c.flags)
		}
		if len(c.examples) > 0 {
			fmt.Fprint(out, "\nEXAMPLES:\n")
			for _, e := range c.examples {
				fmt.Fprintf(out, "   etcdctl %s\n", e)
			}
		}
	}
}

func listCommands(out io.Writer, group []*command) {
	w := tabwriter.NewWriter(out, 0, 1, 2, ' ', 0)
	for _, c := range group {
		fmt.Fprintf(w, "   %s\t%s\n", c.name, c.brief)
	}
	w.Flush()
}

func listFlags(out io.Writer, flags []flag) {
	w := tabwriter.NewWriter(out, 0, 1, 2, ' ', 0)
	for _, f := range flags {
		var forms []string
		for _, n := range f.names {
			form := "--" + n
			if len(n) == 1 {
				form = "-" + n
			}
			if f.kind != boolean {
				form += " " + f.placeholder()
			}
			forms = append(forms, form)
		}
		usage := f.usage
		switch {
		case f.value != "" && f.kind == text:
			usage += fmt.Sprintf(" (default: %q)", f.value)
		case f.value != "":
			usage += fmt.Sprintf(" (default: %s)", f.value)
		}
		fmt.Fprintf(w, "   %s\t%s\n", strings.Join(forms, ", "), usage)
	}
	w.Flush()
}

func (f *flag) placeholder() string {
	if f.holder != "" {
		return f.holder
	}
	return "value"
}
