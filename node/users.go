package node

import (
	"drydock/node/auth"
	"drydock/node/state"
)

// changeAuth starts a change of users or roles. Whether they allow it is seen
// when it is applied, in the order of the log.
func (n *Node) changeAuth(token uint64, c *auth.Command) {
	err := c.Check()
	if err == nil {
		err = n.propose(state.Command{Kind: state.KindAuth, Auth: c}, token)
	}
	if err != nil {
		n.refuse(token, err)
	}
}
