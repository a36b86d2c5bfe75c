package front

import (
	"net/http"
	"strings"

	"drydock/node/state"
)

// member is a member as /v2/members shows it.
type member struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
}

func showMember(m *state.Member) member {
	return member{ID: hexID(m.ID), Name: m.Name, PeerURLs: list(m.PeerURLs), ClientURLs: list(m.ClientURLs)}
}

// list makes no URLs an empty array.
func list(urls []string) []string {
	if urls == nil {
		return []string{}
	}
	return urls
}

// members serves /v2/members and what is below.
func (f *Front) members(w *writer, r *http.Request) {
	below := strings.Trim(strings.TrimPrefix(r.URL.Path, "/v2/members"), "/")
	switch r.Method {
	case "GET":
		w.clusterID()
		f.showMembers(w, below)
		return
	case "POST", "PUT", "DELETE":
	default:
		w.notAllowed("GET,POST,DELETE,PUT")
		return
	}
	if f.guard != nil {
		if resp := f.guard.Admin(r); resp != nil {
			w.answer(resp)
			return
		}
	}
	w.clusterID()
	f.changeMembers(w, r, below)
}

func (f *Front) showMembers(w *writer, below string) {
	if below != "" && below != "leader" {
		w.message(http.StatusNotFound, "Not found")
		return
	}
	v, err := f.view()
	if err != nil {
		w.unavailable(err)
		return
	}
	if below == "leader" {
		for i := range v.Members {
			if v.Members[i].ID == v.Role.Lead {
				w.json(http.StatusOK, line(showMember(&v.Members[i])))
				return
			}
		}
		w.message(http.StatusServiceUnavailable, "During election")
		return
	}
	all := struct {
		Members []member `json:"members"`
	}{Members: []member{}}
	for i := range v.Members {
		all.Members = append(all.Members, showMember(&v.Members[i]))
	}
	w.json(http.StatusOK, line(&all))
}

// line is v as JSON with a newline.
func line(v any) []byte { return append(marshal(v), '\n') }

// message answers with an error as /v2/members, stats and auth have them.
func (w *writer) message(status int, text string) {
	w.json(status, marshal(struct {
		Message string `json:"message"`
	}{text}))
}
