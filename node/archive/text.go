package archive

import (
	"fmt"
	"io"
	"strings"

	"drydock/node/ui"
)

// replaceAdvice is what to do with a member whose directory is of no use.
const replaceAdvice = "a member that has lost what it promised must not come back under its id. " +
	"Remove it from the cluster (drydock etcdctl member remove ID), keep the directory for inspection, " +
	"and add an empty machine as a new member (member add). " +
	"If no majority of the cluster is left, restore a backup: drydock node restore FILE DIR."

// conclude gives the verdict and what to do next.
func (i *inspection) conclude() {
	switch {
	case len(i.r.Damage) == 0 && i.r.Verdict == "":
		i.r.Verdict = OK
	case len(i.r.Damage) == 0:
	case !i.essential():
		i.r.Verdict = Damaged
		i.r.Next = "The member can start, but its disk has altered what was written: check the disk, " +
			"and replace the member by another machine if it goes on."
	default:
		i.r.Verdict = Damaged
		i.r.Next = "Do not start this member: " + i.advice()
	}
}

// essential says whether a node would miss what is damaged.
func (i *inspection) essential() bool {
	for _, d := range i.r.Damage {
		if !strings.HasPrefix(d.File, "snap/") {
			return true
		}
	}
	return false
}

func (i *inspection) advice() string {
	if len(i.r.Members) == 1 {
		return "its disk has altered what was written, and it is the cluster's only member. " +
			"Keep the directory, and restore the last backup into another: drydock node restore FILE DIR."
	}
	return strings.Replace(replaceAdvice, "remove ID", "remove "+i.r.Member, 1)
}

// Text writes the report for people.
func (r *Report) Text(w io.Writer) error {
	var b strings.Builder
	b.WriteString(r.Directory)
	if r.Member != "" {
		fmt.Fprintf(&b, "   member %s of cluster %s", r.Member, r.Cluster)
		if r.Name != "" {
			fmt.Fprintf(&b, ", %q", r.Name)
		}
	}
	b.WriteString("\n\n")
	t := ui.NewTable(&b)
	r.rows(t)
	t.Flush()
	r.memberRows(&b)
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "\n%s\n", wrap("note: "+note))
	}
	if r.Next != "" {
		fmt.Fprintf(&b, "\n%s\n", wrap("next: "+r.Next))
	}
	fmt.Fprintf(&b, "\n%s\n", r.Verdict)
	_, err := io.WriteString(w, b.String())
	return err
}

// rows are one line for each part of the directory and each damage.
func (r *Report) rows(t *ui.Table) {
	if l := r.Log; l != nil {
		entries := "no entries"
		if l.First <= l.Last {
			entries = fmt.Sprintf("entries %d to %d", l.First, l.Last)
		}
		vote := "nobody"
		if l.Vote != "" {
			vote = l.Vote
		}
		t.Row(r.word("wal/"), "log", fmt.Sprintf("%s, %s (%d spare), %s", entries, count(len(l.Segments), "file"), l.Spares, size(l.Bytes)))
		t.Row("", "", fmt.Sprintf("term %d, vote for %s, commit %d, checkpoint %d, %s",
			l.Term, vote, l.Commit, l.Marker, count(int(l.Starts), "start")))
	}
	if c := r.Checkpoint; c != nil {
		t.Row(r.word("ckpt/"), "checkpoint", fmt.Sprintf("index %d, term %d, revision %d, %s, digest %s",
			c.Index, c.Term, c.Revision, size(c.Bytes), c.Digest))
	}
	for _, s := range r.Snapshots {
		t.Row("  ok", "snapshot", fmt.Sprintf("%s, index %d, %s", s.File, s.Index, size(s.Bytes)))
	}
	if s := r.State; s != nil {
		t.Row("  ok", "state", fmt.Sprintf("applied %d, term %d, etcd index %d, %s, %s, release %d, digest %s",
			s.Index, s.Term, s.EtcdIndex, count(s.Keys, "key"), count(s.Units, "unit"), s.Release, s.Digest))
	}
	for _, d := range r.Damage {
		at := d.File
		if d.Offset != nil {
			at = fmt.Sprintf("%s at byte %d", d.File, *d.Offset)
		}
		t.Row("  DAMAGED", at, d.Reason)
	}
}

// word is the first column of a part whose files begin with prefix.
func (r *Report) word(prefix string) string {
	for _, d := range r.Damage {
		if strings.HasPrefix(d.File, prefix) {
			return "  DAMAGED"
		}
	}
	return "  ok"
}

// memberRows is the table of members.
func (r *Report) memberRows(b *strings.Builder) {
	if len(r.Members) == 0 {
		return
	}
	b.WriteString("\n")
	t := ui.NewTable(b)
	t.Row("member", "name", "role", "peer URLs", "client URLs")
	for _, m := range r.Members {
		role := "voter"
		if m.Learner {
			role = "learner"
		}
		t.Row(m.ID, orDash(m.Name), role, orDash(strings.Join(m.PeerURLs, ",")), orDash(strings.Join(m.ClientURLs, ",")))
	}
	t.Flush()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// wrapColumns is where wrap breaks lines.
const wrapColumns = 100

// wrap breaks a paragraph into lines.
func wrap(text string) string {
	var b strings.Builder
	column := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case column == 0:
		case column+1+len(word) > wrapColumns:
			b.WriteString("\n      ")
			column = 6
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// size shows bytes as people read them.
func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, suffix := float64(n)/unit, "KiB"
	for _, next := range []string{"MiB", "GiB", "TiB"} {
		if value < unit {
			break
		}
		value, suffix = value/unit, next
	}
	return fmt.Sprintf("%.1f %s", value, suffix)
}
