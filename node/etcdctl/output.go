package etcdctl

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"drydock/node/client"
)

// show prints an answer in the form that was asked for. Forms that are for people
// say nothing of a directory if quietDir is set.
func (inv *invocation) show(resp *client.Response, quietDir bool) int {
	out, node := inv.env.Stdout, resp.Node
	switch inv.global.text("output") {
	case "simple":
		switch {
		case quietDir && node.Dir:
		case resp.Action == "delete" && resp.PrevNode != nil:
			fmt.Fprintln(out, "PrevNode.Value:", resp.PrevNode.Value)
		default:
			fmt.Fprintln(out, node.Value)
		}
	case "extended":
		fmt.Fprintf(out, "Key: %s\nCreated-Index: %d\nModified-Index: %d\n", node.Key, node.CreatedIndex, node.ModifiedIndex)
		if resp.PrevNode != nil {
			fmt.Fprintln(out, "PrevNode.Value:", resp.PrevNode.Value)
		}
		fmt.Fprintf(out, "TTL: %d\nIndex: %d\n", node.TTL, resp.Index)
		if resp.Action != "delete" {
			fmt.Fprintf(out, "\n%s\n", node.Value)
		}
	case "json":
		line, err := json.Marshal(resp)
		if err != nil {
			return inv.fail(exitServer, err)
		}
		fmt.Fprintf(out, "%s\n", line)
	}
	return exitOK
}

// list prints the names of a listing, sorted. A key is listed as itself.
func (inv *invocation) list(node *client.Node, slashes bool) {
	if !node.Dir {
		fmt.Fprintln(inv.env.Stdout, node.Key)
	}
	slices.SortFunc(node.Nodes, func(a, b *client.Node) int { return cmp.Compare(a.Key, b.Key) })
	for _, n := range node.Nodes {
		if !n.Dir {
			fmt.Fprintln(inv.env.Stdout, n.Key)
			continue
		}
		suffix := ""
		if slashes {
			suffix = "/"
		}
		fmt.Fprintln(inv.env.Stdout, n.Key+suffix)
		inv.list(n, slashes)
	}
}
