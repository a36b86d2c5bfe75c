package node

import (
	"drydock/node/api"
	"drydock/node/consensus"
)

// Response encodes the answer to call, for whichever face the call came by.
func (a *Answer) Response(call *api.Call) api.Response {
	r := a.Reply(call)
	return r.Response()
}

// Reply is the answer to call before it has a form.
func (a *Answer) Reply(call *api.Call) api.Reply {
	switch a.Status {
	case consensus.Done:
		return api.Reply{Call: call, Event: a.Event, Err: a.Err, Meta: a.Meta, Now: a.Now}
	case consensus.Refused:
		return api.Reply{Call: call, Outcome: api.Refused, Cause: a.Reason, Meta: a.Meta}
	}
	return api.Reply{Call: call, Outcome: api.Unknown, Cause: a.Reason, Meta: a.Meta}
}
