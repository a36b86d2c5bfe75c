// Package unit reads and writes unit files: systemd's format with fleet's
// [X-Fleet] section, for the scheduler, the agents and the API.
//
// It owns the rules of names, of the text and its hash, of what a unit asks of
// the scheduler, and of what systemd's options mean. It knows no clock, machine
// or other unit: everything follows from a name, a text and a machine's Facts.
//
// # The text
//
// Parse reads what fleet 1.0 read, and Text and Hash are the same bytes:
// comments go, repeated sections are merged where the first one stood, an empty
// line stands between sections, values lose the blanks around them, continued
// lines keep their backslashes. go-systemd's reader and writer, which fleet
// used, are held against ours in the tests; ours has line numbers. It refuses
// more in five cases, each of which would hurt later: text that isn't UTF-8
// (the API's JSON can't carry it), a zero byte, a line of 2,048 bytes wherever it
// begins, a section's name over two lines, and a backslash that a blank keeps
// from continuing its line (written again without the blank, it would).
//
// # What a unit asks of the scheduler
//
// Fleet's options, with fleet's meaning (Requirements has the details):
//
//	MachineID=ID             on this machine; its first 8 characters will do
//	MachineOf=UNIT           where that unit is; a glob wants one that matches
//	MachineMetadata=KEY=VAL  on such a machine; also KEY!=VAL, and < <= > >= of numbers
//	Conflicts=GLOB …         never with these, whoever was first
//	Replaces=GLOB            these give way
//	Global=yes               on every machine that allows it
//
// and 2014's spellings of them, X-ConditionMachineID, X-ConditionMachineBootID,
// X-ConditionMachineOf, X-ConditionMachineMetadata and X-Conflicts, merged as
// fleet merged them. 2014's X-CoresReservation (hundredths of a core),
// X-MemoryReservation and X-DiskReservation (MB) count again. Then what fleet's
// users asked for:
//
//	Avoids=GLOB …            away from these, while another machine allows
//	Spread=KEY …             evenly over the values of a metadata key
//	SpreadWith=GLOB …        counting these, besides the template's instances
//	SpreadLimit=N            at most N for each value, instead of evenly
//	Priority=N               -1000 to 1000, 0 if not given: who yields for whom
//	Replicas=N               of a template: keep instances 1 to N
//	DisruptionBudget=N|N%    how many of the group may be down on purpose
//	Rebalance=yes            may be moved for balance alone
//	SettleSec=SPAN           runs so long before the next one is replaced
//	MoveAfterFailures=N      to another machine after N failed starts
//	RetrySec=SPAN            pause after a failure, doubled each time …
//	RetryMaxSec=SPAN         … up to this
//	CPU=1.5  Memory=512M  Disk=10G  Resource=NAME=AMOUNT …
//
// Values are split as in fleet: a line in quotes at the blanks between them,
// Conflicts and our own lists at any blank, nothing else. The specifiers are
// %n %N %p %i.
//
// Kept of fleet's accidents, because they decide placements: the first MachineID
// wins and the last Global; `MachineOf=a b` is one name; a pair without exactly
// one "=" is no condition; an empty MachineID or MachineOf is met by nothing; a
// bad glob matches nothing. Each is remarked on. Not kept: the backslash of a
// continued line as one more value; an empty value between two blanks.
//
// # What a machine is to do
//
// Define reads [Unit], [Service], [Timer], [Socket] and [Install] by systemd's
// rules of quoting, prefixes, specifiers and defaults. Values that systemd would
// warn of and ignore are errors here, said at submit. What is right and beyond
// the built-in supervisor is in Definition.Unsupported.
//
// # Errors and remarks
//
// An *Error holds Problems with line, section and option. Remarks say what was
// accepted and does nothing. Contradictions, which fleet's API refuses and its
// engine obeys, are Requirements.Validate's, in fleet's words.
//
// Files: unit.go (Unit), name.go, lex.go (the reader), text.go (writer, hash),
// fleet.go (Requirements), fleet_read.go (how they are read), condition.go
// (metadata), definition.go (what a machine is to do), define.go, define_unit.go
// and define_service.go (how that is read), command.go and words.go (command
// lines), specifier.go, signal.go, amount.go (numbers, sizes, spans), problem.go.
package unit
