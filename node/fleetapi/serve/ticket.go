package serve

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// HeaderHop is on requests that a node has passed on to a machine's node, so that
// they aren't passed on again. Its value is a ticket: the time of writing and, where
// the cluster has a join token, an HMAC by it of what is asked for. A machine's node
// that isn't a member is shown a ticket and no user's password: anybody who knows the
// join token may be such a node.
const HeaderHop = "X-Drydock-Hop"

// ticketTime is for how long a ticket counts, by the clocks of two machines.
const ticketTime = 5 * time.Minute

// ticket makes the header's value for a request at a machine's node.
func ticket(token, machine, path string, now time.Time) string {
	at := strconv.FormatInt(now.Unix(), 10)
	if token == "" {
		return at
	}
	return at + "." + sign(token, machine, path, at)
}

func sign(token, machine, path, at string) string {
	mac := hmac.New(sha256.New, []byte(token))
	fmt.Fprintf(mac, "drydock hop\n%s\n%s\n%s", machine, path, at)
	return hex.EncodeToString(mac.Sum(nil))
}

// admits says whether a request has a ticket for what it asks of a machine.
func admits(token string, r *http.Request, now time.Time) bool {
	at, mac, _ := strings.Cut(r.Header.Get(HeaderHop), ".")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if token == "" || err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > ticketTime {
		return false
	}
	return hmac.Equal([]byte(mac), []byte(sign(token, r.URL.Query().Get("machine"), r.URL.Path, at)))
}
