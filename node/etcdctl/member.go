package etcdctl

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"drydock/node/client"
)

// healthPause is between two rounds of cluster-health --forever.
const healthPause = 10 * time.Second

// noArguments is said to commands that take none.
const noArguments = "No arguments accepted"

// usage ends a command that was called with the wrong number of arguments.
func (inv *invocation) usage(text string) int {
	fmt.Fprintln(inv.env.Stderr, text)
	return exitBadArgs
}

func runMemberList(inv *invocation) int {
	if len(inv.args) > 0 {
		return inv.usage(noArguments)
	}
	if code := inv.connect(true); code != exitOK {
		return code
	}
	ctx, cancel := inv.bounded()
	defer cancel()
	members, err := inv.client.Members(ctx)
	if err != nil {
		return inv.refuse(err)
	}
	leader, err := inv.client.Leader(ctx)
	if err != nil {
		fmt.Fprintln(inv.env.Stderr, "Failed to get leader: ", err)
		return exitBadArgs
	}
	for _, m := range members {
		if m.Name == "" {
			fmt.Fprintf(inv.env.Stdout, "%s[unstarted]: peerURLs=%s\n", m.ID, strings.Join(m.PeerURLs, ","))
			continue
		}
		fmt.Fprintf(inv.env.Stdout, "%s: name=%s peerURLs=%s clientURLs=%s isLeader=%v\n",
			m.ID, m.Name, strings.Join(m.PeerURLs, ","), strings.Join(m.ClientURLs, ","), m.ID == leader.ID)
	}
	return exitOK
}

func runMemberAdd(inv *invocation) int {
	if len(inv.args) != 2 {
		return inv.usage("Provide a name and a single member peerURL")
	}
	if code := inv.connect(true); code != exitOK {
		return code
	}
	ctx, cancel := inv.bounded()
	defer cancel()
	name := inv.args[0]
	added, err := inv.client.AddMember(ctx, inv.args[1])
	if err != nil {
		return inv.refuse(err)
	}
	fmt.Fprintf(inv.env.Stdout, "Added member named %s with ID %s to cluster\n", name, added.ID)
	members, err := inv.client.Members(ctx)
	if err != nil {
		return inv.refuse(err)
	}
	// A member that answers may not have heard of the change yet.
	if !slices.ContainsFunc(members, func(m client.Member) bool { return m.ID == added.ID }) {
		members = append(members, *added)
	}
	var cluster []string
	for _, m := range members {
		if m.ID == added.ID {
			m.Name = name
		}
		for _, u := range m.PeerURLs {
			cluster = append(cluster, m.Name+"="+u)
		}
	}
	fmt.Fprintf(inv.env.Stdout, "\nETCD_NAME=%q\nETCD_INITIAL_CLUSTER=%q\nETCD_INITIAL_CLUSTER_STATE=\"existing\"\n",
		name, strings.Join(cluster, ","))
	return exitOK
}

func runMemberRemove(inv *invocation) int {
	if len(inv.args) != 1 {
		return inv.usage("Provide a single member ID")
	}
	if code := inv.connect(true); code != exitOK {
		return code
	}
	ctx, cancel := inv.bounded()
	defer cancel()
	members, err := inv.client.Members(ctx)
	if err != nil {
		return inv.refuse(err)
	}
	id := inv.args[0]
	if !slices.ContainsFunc(members, func(m client.Member) bool { return m.ID == id }) {
		fmt.Fprintf(inv.env.Stderr, "Couldn't find a member in the cluster with an ID of %s.\n", id)
		return exitBadArgs
	}
	if err := inv.client.RemoveMember(ctx, id); err != nil {
		fmt.Fprintf(inv.env.Stderr, "Received an error trying to remove member %s: ", id)
		return inv.refuse(err)
	}
	fmt.Fprintf(inv.env.Stdout, "Removed member %s from cluster\n", id)
	return exitOK
}

func runMemberUpdate(inv *invocation) int {
	if len(inv.args) != 2 {
		return inv.usage("Provide an ID and a list of comma separated peerURL " +
			"(0xabcd http://example.com,http://example1.com)")
	}
	if code := inv.connect(true); code != exitOK {
		return code
	}
	ctx, cancel := inv.bounded()
	defer cancel()
	id := inv.args[0]
	if err := inv.client.UpdateMember(ctx, id, strings.Split(inv.args[1], ",")); err != nil {
		return inv.refuse(err)
	}
	fmt.Fprintf(inv.env.Stdout, "Updated member with ID %s in cluster\n", id)
	return exitOK
}

func runHealth(inv *invocation) int {
	if code := inv.connect(false); code != exitOK {
		return code
	}
	for {
		code := inv.healthOnce()
		if !inv.flags.bool("forever") {
			return code
		}
		fmt.Fprintf(inv.env.Stdout, "\nnext check after %d second...\n\n", int(healthPause.Seconds()))
		select {
		case <-time.After(healthPause):
		case <-inv.ctx.Done():
			return code
		}
	}
}

// healthOnce asks every member and says what all of them make.
func (inv *invocation) healthOnce() int {
	out := inv.env.Stdout
	ctx, cancel := inv.bounded()
	members, err := inv.client.Members(ctx)
	cancel()
	if err != nil {
		fmt.Fprintln(out, "cluster may be unhealthy: failed to list members")
		return inv.fail(exitServer, err)
	}
	healthy := 0
	for _, m := range members {
		if inv.memberHealthy(m) {
			healthy++
		}
	}
	switch healthy {
	case 0:
		fmt.Fprintln(out, "cluster is unavailable")
	case len(members):
		fmt.Fprintln(out, "cluster is healthy")
		return exitOK
	default:
		fmt.Fprintln(out, "cluster is degraded")
	}
	return exitNotHealthy
}

// memberHealthy asks one member at each of its URLs until one answers.
func (inv *invocation) memberHealthy(m client.Member) bool {
	out := inv.env.Stdout
	if len(m.ClientURLs) == 0 {
		fmt.Fprintf(out, "member %s is unreachable: no available published client urls\n", m.ID)
		return false
	}
	for _, u := range m.ClientURLs {
		ctx, cancel := inv.bounded()
		healthy, err := inv.client.Health(ctx, u)
		cancel()
		switch {
		case err != nil:
			fmt.Fprintf(out, "failed to check the health of member %s on %s: %v\n", m.ID, u, err)
			continue
		case healthy:
			fmt.Fprintf(out, "member %s is healthy: got healthy result from %s\n", m.ID, u)
		default:
			fmt.Fprintf(out, "member %s is unhealthy: got unhealthy result from %s\n", m.ID, u)
		}
		return healthy
	}
	fmt.Fprintf(out, "member %s is unreachable: %v are all unreachable\n", m.ID, m.ClientURLs)
	return false
}
