package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"drydock/node/api"
	"drydock/node/fleetapi"
)

// judgeTime is how long a member may take to judge a request's credentials.
const judgeTime = 5 * time.Second

// judge has a member say whether whoever sends a request may use the fleet API: the
// worker has no book of users. It returns nil, or the refusal.
func (w *worker) judge(r *http.Request) *api.Response {
	ctx, end := context.WithTimeout(r.Context(), judgeTime)
	defer end()
	var failures []error
	for _, url := range w.balance.order() {
		status, err := w.askFleet(ctx, url, r.Header.Get("Authorization"))
		switch {
		case err != nil:
			failures = append(failures, err)
		case status == http.StatusOK:
			return nil
		case status < http.StatusInternalServerError:
			return fleetapi.Fail(status, "only users with the role root may do this")
		default:
			failures = append(failures, fmt.Errorf("%s answered with status %d", url, status))
		}
	}
	return fleetapi.Fail(http.StatusServiceUnavailable, fmt.Sprintf("the user can't be judged now: %v", oneLine(failures)))
}

// askFleet asks a member for the description of the fleet API, which takes as much
// right as anything in it and nothing else.
func (w *worker) askFleet(ctx context.Context, url, credentials string) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+fleetapi.Prefix+"/discovery", nil)
	if err != nil {
		return 0, err
	}
	if credentials != "" {
		r.Header.Set("Authorization", credentials)
	}
	resp, err := w.ask.client.Do(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxKept))
	return resp.StatusCode, errors.Join(err, resp.Body.Close())
}
