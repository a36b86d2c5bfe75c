package node

import (
	"drydock/node/api"
	"drydock/node/consensus"
)

// Response encodes the answer to call, for whichever face the call came by.
func (a *Answer) Response(call *api.Call) api.Response {
	switch a.Status {
	case consensus.Done:
		return api.Encode(call, a.Event, a.Err, a.Meta, a.Now)
	case consensus.Refused:
		return api.EncodeFailure(call, api.Refused, a.Reason, a.Meta)
	}
	return api.EncodeFailure(call, api.Unknown, a.Reason, a.Meta)
}
