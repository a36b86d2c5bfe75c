package etcdctl

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"drydock/node/client"
)

// said is an error in the words that scripts know.
type said string

// Error implements error.
func (s said) Error() string { return string(s) }

// onName connects and does one thing to the user or role that is the only argument.
func (inv *invocation) onName(missing string, what func(ctx context.Context, name string) error) int {
	if len(inv.args) != 1 || inv.args[0] == "" {
		return inv.usage(missing)
	}
	if code := inv.connect(true); code != exitOK {
		return code
	}
	ctx, cancel := inv.bounded()
	defer cancel()
	if err := what(ctx, inv.args[0]); err != nil {
		return inv.refuse(err)
	}
	return exitOK
}

func (inv *invocation) onUser(what func(ctx context.Context, name string) error) int {
	return inv.onName("Please provide a username", what)
}

func (inv *invocation) onRole(what func(ctx context.Context, name string) error) int {
	return inv.onName("Please provide a role name", what)
}

// onAll connects and does something that takes no arguments.
func (inv *invocation) onAll(what func(ctx context.Context) error) int {
	if len(inv.args) > 0 {
		return inv.usage(noArguments)
	}
	if code := inv.connect(true); code != exitOK {
		return code
	}
	ctx, cancel := inv.bounded()
	defer cancel()
	if err := what(ctx); err != nil {
		return inv.refuse(err)
	}
	return exitOK
}

// newPassword is what follows the name, or is asked for.
func (inv *invocation) newPassword(arg string) (name, password string, err error) {
	name, password, given := strings.Cut(arg, ":")
	if name == "" {
		return "", "", said("Please provide a username")
	}
	if !given {
		password, err = inv.ask("New password: ")
	}
	return name, password, err
}

func runUserAdd(inv *invocation) int { return inv.giveUser("User %s created\n") }

func runUserPasswd(inv *invocation) int { return inv.giveUser("Password updated\n") }

// giveUser sets a password; the API makes the user if there is none. The time for
// the request begins after the password has been typed.
func (inv *invocation) giveUser(done string) int {
	return inv.onUser(func(_ context.Context, arg string) error {
		name, password, err := inv.newPassword(arg)
		if err != nil {
			return err
		}
		ctx, cancel := inv.bounded()
		defer cancel()
		if err := inv.client.AddUser(ctx, name, password); err != nil {
			return err
		}
		fmt.Fprint(inv.env.Stdout, strings.ReplaceAll(done, "%s", name))
		return nil
	})
}

func runUserGet(inv *invocation) int {
	return inv.onUser(func(ctx context.Context, name string) error {
		user, err := inv.client.User(ctx, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(inv.env.Stdout, "User: %s\nRoles: ", user.Name)
		for _, r := range user.Roles {
			fmt.Fprintf(inv.env.Stdout, " %s", r.Name)
		}
		fmt.Fprintln(inv.env.Stdout)
		return nil
	})
}

func runUserList(inv *invocation) int {
	return inv.onAll(func(ctx context.Context) error {
		users, err := inv.client.Users(ctx)
		for _, u := range users {
			fmt.Fprintln(inv.env.Stdout, u.Name)
		}
		return err
	})
}

func runUserRemove(inv *invocation) int {
	return inv.onUser(func(ctx context.Context, name string) error {
		if err := inv.client.RemoveUser(ctx, name); err != nil {
			return err
		}
		fmt.Fprintf(inv.env.Stdout, "User %s removed\n", name)
		return nil
	})
}

func runUserGrant(inv *invocation) int {
	return inv.userRoles(func(ctx context.Context, name string, roles []string) error {
		return inv.client.GrantUser(ctx, name, roles)
	})
}

func runUserRevoke(inv *invocation) int {
	return inv.userRoles(func(ctx context.Context, name string, roles []string) error {
		return inv.client.RevokeUser(ctx, name, roles)
	})
}

func (inv *invocation) userRoles(change func(ctx context.Context, name string, roles []string) error) int {
	list := inv.flags.text("roles")
	if list == "" {
		return inv.usage("No roles specified; please use `--roles`")
	}
	return inv.onUser(func(ctx context.Context, name string) error {
		if err := change(ctx, name, strings.Split(list, ",")); err != nil {
			return err
		}
		fmt.Fprintf(inv.env.Stdout, "User %s updated\n", name)
		return nil
	})
}

func runRoleAdd(inv *invocation) int {
	return inv.onRole(func(ctx context.Context, name string) error {
		_, err := inv.client.Role(ctx, name)
		refusal := (*client.HTTPError)(nil)
		switch {
		case err == nil:
			return said("Role " + name + " already exists")
		case errors.As(err, &refusal) && refusal.Status == http.StatusNotFound:
		default:
			return err
		}
		if err := inv.client.AddRole(ctx, name); err != nil {
			return err
		}
		fmt.Fprintf(inv.env.Stdout, "Role %s created\n", name)
		return nil
	})
}

func runRoleGet(inv *invocation) int {
	return inv.onRole(func(ctx context.Context, name string) error {
		role, err := inv.client.Role(ctx, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(inv.env.Stdout, "Role: %s\n", role.Name)
		for _, part := range []struct {
			title string
			paths []string
		}{{"KV Read:", role.Permissions.KV.Read}, {"KV Write:", role.Permissions.KV.Write}} {
			fmt.Fprintln(inv.env.Stdout, part.title)
			for _, p := range part.paths {
				fmt.Fprintf(inv.env.Stdout, "\t%s\n", p)
			}
		}
		return nil
	})
}

func runRoleList(inv *invocation) int {
	return inv.onAll(func(ctx context.Context) error {
		roles, err := inv.client.Roles(ctx)
		slices.SortFunc(roles, func(a, b client.Role) int { return strings.Compare(a.Name, b.Name) })
		for _, r := range roles {
			fmt.Fprintln(inv.env.Stdout, r.Name)
		}
		return err
	})
}

func runRoleRemove(inv *invocation) int {
	return inv.onRole(func(ctx context.Context, name string) error {
		if err := inv.client.RemoveRole(ctx, name); err != nil {
			return err
		}
		fmt.Fprintf(inv.env.Stdout, "Role %s removed\n", name)
		return nil
	})
}

func runRoleGrant(inv *invocation) int {
	return inv.rolePaths(func(ctx context.Context, name string, p client.Paths) error {
		return inv.client.GrantRole(ctx, name, p)
	})
}

func runRoleRevoke(inv *invocation) int {
	return inv.rolePaths(func(ctx context.Context, name string, p client.Paths) error {
		return inv.client.RevokeRole(ctx, name, p)
	})
}

func (inv *invocation) rolePaths(change func(ctx context.Context, name string, p client.Paths) error) int {
	path := inv.flags.text("path")
	if path == "" {
		return inv.usage("No path specified; please use `--path`")
	}
	given := 0
	for _, name := range []string{"read", "write", "readwrite"} {
		if inv.flags.bool(name) {
			given++
		}
	}
	if given != 1 {
		return inv.usage("Please specify exactly one of --read, --write or --readwrite")
	}
	if !strings.HasPrefix(path, "/") {
		return inv.usage(fmt.Sprintf("Not canonical path; please use `--path=/%s`", path))
	}
	var p client.Paths
	if !inv.flags.bool("write") {
		p.Read = []string{path}
	}
	if !inv.flags.bool("read") {
		p.Write = []string{path}
	}
	return inv.onRole(func(ctx context.Context, name string) error {
		if err := change(ctx, name, p); err != nil {
			return err
		}
		fmt.Fprintf(inv.env.Stdout, "Role %s updated\n", name)
		return nil
	})
}

func runAuthEnable(inv *invocation) int { return inv.setAuth(true, "Authentication Enabled") }

func runAuthDisable(inv *invocation) int { return inv.setAuth(false, "Authentication Disabled") }

func (inv *invocation) setAuth(on bool, done string) int {
	return inv.onAll(func(ctx context.Context) error {
		if err := inv.client.SetAuth(ctx, on); err != nil {
			return err
		}
		fmt.Fprintln(inv.env.Stdout, done)
		return nil
	})
}
