// Package dashboard serves pages about a member, its keys, and the cluster's units
// and machines to browsers, below /mod/dashboard/ as etcd of 2014 did.
//
// Pages are rendered here, from html/template, and say all that they have to say
// without a script. The one script keeps them current: it reads server-sent
// events, whose data are pieces of the same templates, and fits them into the
// page. Nothing is loaded from elsewhere and no build step is needed; style,
// script and icon are embedded in the program.
//
// The package describes and decides nothing: what a request means is decided by
// package api, whether it is allowed by a Guard, what becomes of it by the node.
// The sentence about the cluster's health is drawn from what this member sees
// and says so where others may see more.
//
// Invariants:
//
//   - A change of a value carries the index of what the reader was shown; if the
//     key has changed since, nothing is written and both versions are shown. The
//     protocol has no such condition for directories: they are deleted only as
//     directories, and with what is in them only if the reader says so.
//   - A change from a page of another origin is refused, since browsers send a
//     user's password along with it.
//   - An outcome that isn't known is shown as such, never as a failure.
//   - What keys and values hold is text to the page, never markup. Values that a
//     text field would alter are shown and edited as hexadecimal digits.
//   - Streams are bounded in number, and a reader that does not read is cut off.
//
// Files: handler.go (options, routes, headers), sample.go (what the member tells,
// once a second), health.go (the sentence), overview.go, chart.go and ring.go (the first
// page), keys.go and listing.go (reading), edit.go and form.go (writing),
// value.go (text, JSON, bytes), change.go and stream.go (watches, server-sent
// events), fleet.go (units), unit.go, journal.go, machines.go, roster.go, format.go.
package dashboard
