package dashboard

import (
	"fmt"

	"drydock/node/state"
	"drydock/node/world"
)

// health is how the cluster does, as this member sees it, in a sentence.
type health struct {
	// Class is good, unsure or bad; Word is for the pill.
	Class, Word string
	// Sentence says what is; Advice, which may be empty, what to do.
	Sentence, Advice string
}

// situation is what the sentence is drawn from.
type situation struct {
	*sample
	voters []state.Member
	// lost are the voters that this member misses: that it leads and has not
	// heard of, or, if it doesn't lead, to which it has no link.
	lost []string
	self state.Member
	// known says whether this member is among the members it knows.
	known bool
}

func situate(s *sample) *situation {
	c := &situation{sample: s}
	for _, m := range s.view.Members {
		if m.ID == s.view.ID {
			c.self, c.known = m, true
		}
		if m.Learner {
			continue
		}
		c.voters = append(c.voters, m)
		if m.ID != s.view.ID && !s.sees(m.ID) {
			c.lost = append(c.lost, nameOf(m))
		}
	}
	return c
}

// sees says whether another member seems to be there. A member of which nothing
// is known is not missed.
func (s *sample) sees(id world.MemberID) bool {
	if p, ok := s.progress[id]; ok {
		return p.Active
	}
	if l, ok := s.links[id]; ok {
		return l.Up
	}
	return true
}

// nameOf is what a member is called: its name, or until it has told one, its id.
func nameOf(m state.Member) string {
	if m.Name != "" {
		return m.Name
	}
	return memberID(m.ID)
}

func (s *sample) nameOf(id world.MemberID) string {
	for _, m := range s.view.Members {
		if m.ID == id {
			return nameOf(m)
		}
	}
	return memberID(id)
}

// judge says how the cluster does.
func judge(s *sample) health {
	if s.view == nil {
		return health{
			Class: "bad", Word: "silent", Sentence: "This member does not say anything.",
			Advice: "Its log says why. Other members may well be serving: ask one of them.",
		}
	}
	c := situate(s)
	switch {
	case s.stopped != nil:
		return health{
			Class: "bad", Word: "stopped", Sentence: fmt.Sprintf("%s has stopped: %v.", s.view.Name, s.stopped),
			Advice: "Nothing that was acknowledged depends on it alone if the cluster has more members. " +
				"What is shown here is what it said last.",
		}
	case !c.known:
		return health{
			Class: "unsure", Word: "joining", Sentence: fmt.Sprintf("%s is joining and has no copy of the keys yet.", s.view.Name),
			Advice: "The leader sends it one. If this lasts, see whether the others can reach it at its peer URL.",
		}
	case s.view.Role.Lead == 0:
		return c.leaderless()
	case s.view.Role.Leader:
		return c.leading()
	}
	return c.following()
}

// need is how many voters make a majority.
func (c *situation) need() int { return len(c.voters)/2 + 1 }

func (c *situation) leaderless() health {
	h := health{Class: "bad", Word: "no leader"}
	h.Sentence = fmt.Sprintf("Nobody leads in term %d, as far as %s can see: writes wait, reads here may be old.",
		c.view.Role.Term, c.view.Name)
	switch {
	case c.self.Learner:
		h.Advice = fmt.Sprintf("%s has no vote. See whether the voters are up and can reach it.", c.view.Name)
	case len(c.lost) > 0:
		h.Advice = fmt.Sprintf("A leader needs the votes of %d of the %d voters. %s cannot reach %s: start or reconnect %s.",
			c.need(), len(c.voters), c.view.Name, list(c.lost), oneOf(len(c.lost)))
	default:
		h.Advice = fmt.Sprintf("An election takes less than a second. If this lasts, a leader needs the votes of %d of the %d voters: "+
			"see whether so many are up and reach each other.", c.need(), len(c.voters))
	}
	return h
}

func (c *situation) leading() health {
	there := len(c.voters) - len(c.lost)
	h := health{Class: "good", Word: "healthy"}
	lead := fmt.Sprintf("%s leads in term %d", c.view.Name, c.view.Role.Term)
	switch {
	case len(c.voters) == 1:
		h.Sentence = lead + ", as the only voter."
		h.Advice = "There is no second copy: the cluster is down whenever this member is. Three voters bear the loss of one."
	case there < c.need():
		h.Class, h.Word = "bad", "no majority"
		h.Sentence = fmt.Sprintf("%s, but hears only %d of the %d voters: writes wait.", lead, there, len(c.voters))
		h.Advice = fmt.Sprintf("A majority is %d. Start or reconnect %s.", c.need(), list(c.lost))
	case len(c.lost) > 0:
		h.Class, h.Word = "unsure", "degraded"
		h.Sentence = fmt.Sprintf("%s and hears %d of the %d voters: writes work, without %s.",
			lead, there, len(c.voters), list(c.lost))
		h.Advice = c.margin(there)
	default:
		h.Sentence = fmt.Sprintf("%s and hears all %d voters.", lead, len(c.voters))
		if len(c.voters) == 2 {
			h.Advice = "Neither of the two can be lost without writes coming to a halt. Three voters bear the loss of one."
		}
	}
	return h
}

func (c *situation) margin(there int) string {
	spare := there - c.need()
	who := fmt.Sprintf("Start or reconnect %s", list(c.lost))
	if spare == 0 {
		return who + ": the loss of one more voter would bring writes to a halt."
	}
	return fmt.Sprintf("%s; writes would bear the loss of %s.", who, plural(spare, "more voter"))
}

func (c *situation) following() health {
	lead := c.nameOf(c.view.Role.Lead)
	h := health{Class: "good", Word: "healthy"}
	h.Sentence = fmt.Sprintf("%s leads in term %d and %s follows it.", lead, c.view.Role.Term, c.view.Name)
	if c.self.Learner {
		h.Word = "learning"
		h.Sentence = fmt.Sprintf("%s leads in term %d; %s copies its log and has no vote yet.",
			lead, c.view.Role.Term, c.view.Name)
	}
	if len(c.lost) > 0 {
		h.Class, h.Word = "unsure", "degraded"
		h.Advice = fmt.Sprintf("%s has no link to %s. The leader knows whether it does: open its dashboard.", c.view.Name, list(c.lost))
	}
	return h
}

// oneOf is what to call some members of which any will do.
func oneOf(n int) string {
	switch n {
	case 1:
		return "it"
	case 2:
		return "one of the two, or both"
	}
	return "some of them"
}
