package etcdctl

import "slices"

// globalFlags come before the command.
var globalFlags = []flag{
	{names: []string{"debug"}, usage: "show each request as a curl command line"},
	{names: []string{"no-sync"}, usage: "use the endpoints as they are, without asking for the members' first"},
	{
		names: []string{"output", "o"}, kind: text, value: "simple", holder: "simple",
		usage: "form of the output: simple, extended or json",
	},
	{names: []string{"discovery-srv", "D"}, kind: text, usage: "domain whose SRV records name the endpoints"},
	{names: []string{"insecure-discovery"}, usage: "take endpoints without TLS from SRV records, too"},
	{names: []string{"peers", "C"}, kind: text, usage: "older name of --endpoints"},
	{names: []string{"endpoint"}, kind: text, usage: "older name of --endpoints"},
	{
		names: []string{"endpoints"}, kind: text,
		usage: "members' client URLs, separated by commas (default: \"" + defaultEndpoints + "\")",
	},
	{names: []string{"cert-file"}, kind: text, usage: "certificate to show to members, in PEM"},
	{names: []string{"key-file"}, kind: text, usage: "key of the certificate, in PEM"},
	{names: []string{"ca-file"}, kind: text, usage: "certificate authorities that members are verified by, in PEM"},
	{
		names: []string{"username", "u"}, kind: text,
		usage: "user[:password]; the password is asked for if it is missing",
	},
	{names: []string{"password"}, kind: text, usage: "the user's password"},
	{
		names: []string{"timeout"}, kind: span, value: "2s",
		usage: "how long one endpoint has to begin its answer; 0 is no bound",
	},
	{
		names: []string{"total-timeout"}, kind: span, value: "5s",
		usage: "how long a request may take over all endpoints, watches excepted; 0 is no bound",
	},
	{names: []string{"help", "h"}, usage: "say this"},
	{names: []string{"version", "v"}, usage: "say which version this is"},
}

// endpointFlags are the names that --endpoints has had, the one that counts first.
var endpointFlags = []string{"endpoints", "endpoint", "peers"}

// Flags that several commands have.
var (
	ttlFlag    = flag{names: []string{"ttl"}, kind: number, value: "0", usage: "seconds to live; 0 is for ever"}
	sortFlag   = flag{names: []string{"sort"}, usage: "ask the server to sort (the output of ls is sorted anyway)"}
	quorumFlag = flag{names: []string{"quorum", "q"}, usage: "see every write that was acknowledged before"}
	afterFlag  = flag{
		names: []string{"after-index"}, kind: number, value: "0", usage: "begin with the event after this index; 0 is now",
	}
	rolesFlag   = flag{names: []string{"roles"}, kind: list, usage: "roles, separated by commas"}
	accessFlags = []flag{
		{names: []string{"path"}, kind: text, usage: "key, or prefix if it ends in *"},
		{names: []string{"read"}, usage: "reading only"},
		{names: []string{"write"}, usage: "writing only"},
		{names: []string{"readwrite", "rw"}, usage: "both"},
	}
)

// commands returns the program's commands in the order in which help lists them.
func commands() []*command {
	return slices.Concat(
		clusterCommands(), makeCommands(), readCommands(), setCommands(), watchCommands(), adminCommands())
}

func clusterCommands() []*command {
	return []*command{
		{
			name: "backup", brief: "copy a stopped member's data directory, without its identity", run: runBackup,
			examples: []string{"backup --data-dir default.drydock --backup-dir saved"},
			flags: []flag{
				{names: []string{"data-dir"}, kind: text, usage: "data directory of the member"},
				{names: []string{"wal-dir"}, kind: text, usage: "refused: the log is in the data directory"},
				{names: []string{"backup-dir"}, kind: text, usage: "where the copy goes; must not exist"},
				{names: []string{"backup-wal-dir"}, kind: text, usage: "refused: the log is in the data directory"},
				{names: []string{"with-v3"}, usage: "ignored: there is nothing of etcd's v3 API to copy"},
			},
		},
		{
			name: "cluster-health", brief: "ask each member whether it can serve", run: runHealth,
			about:    "Ends with 0 if all can, and with 5 if some or all can not.",
			examples: []string{"cluster-health", "cluster-health --forever"},
			flags:    []flag{{names: []string{"forever", "f"}, usage: "ask again every 10 seconds until interrupted"}},
		},
	}
}

func makeCommands() []*command {
	return []*command{
		{
			name: "mk", args: "<key> <value>", brief: "make a key that is not there yet", run: runMk,
			examples: []string{"mk /lock me --ttl 30", "mk --in-order /queue job", "mk /config < config.json"},
			flags: []flag{
				{names: []string{"in-order"}, usage: "make a key below <key> whose name sorts after those made before"},
				ttlFlag,
			},
		},
		{
			name: "mkdir", args: "<key>", brief: "make a directory that is not there yet", run: runMkdir,
			examples: []string{"mkdir /services", "mkdir --ttl 60 /sessions/a"}, flags: []flag{ttlFlag},
		},
		{
			name: "rm", args: "<key>", brief: "remove a key or a directory", run: runRm,
			examples: []string{"rm /message", "rm --recursive /services", "rm --with-value me /lock"},
			flags: []flag{
				{names: []string{"dir"}, usage: "remove an empty directory, too"},
				{names: []string{"recursive", "r"}, usage: "remove a directory with all that is below"},
				{names: []string{"with-value"}, kind: text, usage: "only if this is the value"},
				{names: []string{"with-index"}, kind: number, value: "0", usage: "only if it was last changed at this index"},
			},
		},
		{
			name: "rmdir", args: "<key>", brief: "remove an empty directory or a key", run: runRmdir,
			examples: []string{"rmdir /services"},
		},
	}
}

func readCommands() []*command {
	return []*command{
		{
			name: "get", args: "<key>", brief: "print a key's value", run: runGet, flags: []flag{sortFlag, quorumFlag},
			examples: []string{"get /message", "get --quorum /message", "-o extended get /message"},
		},
		{
			name: "ls", args: "[key]", brief: "list a directory", run: runLs,
			examples: []string{"ls", "ls --recursive -p /services"},
			flags: []flag{
				sortFlag,
				{names: []string{"recursive", "r"}, usage: "list all that is below"},
				{names: []string{"p"}, usage: "end directories in a slash"},
				quorumFlag,
			},
		},
	}
}

func setCommands() []*command {
	return []*command{
		{
			name: "set", args: "<key> <value>", brief: "set a key's value", run: runSet,
			about: "Without <value> it is read from standard input. One that begins with a dash\n" +
				"comes after the key, or after --.",
			examples: []string{
				"set /message Hello", "set --ttl 60 /session me", "set --swap-with-value old /key new", "set -- /key -5",
			},
			flags: []flag{
				ttlFlag,
				{names: []string{"swap-with-value"}, kind: text, usage: "only if this is the value"},
				{names: []string{"swap-with-index"}, kind: number, value: "0", usage: "only if it was last changed at this index"},
			},
		},
		{
			name: "setdir", args: "<key>", brief: "make a directory, in a key's place if one is there", run: runSetdir,
			examples: []string{"setdir --ttl 60 /sessions"}, flags: []flag{ttlFlag},
		},
		{
			name: "update", args: "<key> <value>", brief: "set the value of a key that is there", run: runUpdate,
			examples: []string{"update /message Hallo"}, flags: []flag{ttlFlag},
		},
		{
			name: "updatedir", args: "<key>", brief: "renew a directory's time to live", run: runUpdatedir,
			examples: []string{"updatedir --ttl 60 /sessions"}, flags: []flag{ttlFlag},
		},
	}
}

func watchCommands() []*command {
	below := flag{names: []string{"recursive", "r"}, usage: "watch all that is below"}
	return []*command{
		{
			name: "watch", args: "<key>", brief: "wait until a key changes", run: runWatch,
			examples: []string{"watch /message", "watch --recursive --forever /services", "watch --after-index 7 /message"},
			flags:    []flag{{names: []string{"forever", "f"}, usage: "go on until interrupted"}, afterFlag, below},
		},
		{
			name: "exec-watch", args: "<key> -- <command> [args...]", brief: "run a command whenever a key changes",
			about: "The command finds ETCD_WATCH_ACTION, ETCD_WATCH_KEY, ETCD_WATCH_VALUE and\n" +
				"ETCD_WATCH_MODIFIED_INDEX in its environment. Runs do not overlap.",
			examples: []string{"exec-watch --recursive /services -- sh -c 'echo $ETCD_WATCH_KEY'"},
			flags:    []flag{afterFlag, below}, keepDashes: true, run: runExecWatch,
		},
	}
}

func adminCommands() []*command {
	return []*command{
		{name: "member", brief: "list and change the cluster's members", sub: memberCommands()},
		{name: "user", brief: "list and change users", sub: userCommands()},
		{name: "role", brief: "list and change roles", sub: roleCommands()},
		{name: "auth", brief: "turn the asking for logins on or off", sub: authCommands()},
	}
}

func memberCommands() []*command {
	return []*command{
		{name: "list", brief: "list the members", run: runMemberList, examples: []string{"member list"}},
		{
			name: "add", args: "<name> <peerURL>", brief: "tell the cluster of a new member, before it is started",
			about:    "Prints the environment to start the member with.",
			examples: []string{"member add n4 http://10.0.0.4:2380"}, run: runMemberAdd,
		},
		{
			name: "remove", args: "<memberID>", brief: "take a member out of the cluster, for good", run: runMemberRemove,
			examples: []string{"member remove 8e9e05c52164694d"},
		},
		{
			name: "update", args: "<memberID> <peerURLs>", brief: "change where a member's peers reach it",
			examples: []string{"member update 8e9e05c52164694d http://10.0.0.5:2380"}, run: runMemberUpdate,
		},
	}
}

func userCommands() []*command {
	return []*command{
		{
			name: "add", args: "<user>[:password]", brief: "make a user", run: runUserAdd,
			examples: []string{"user add root", "user add jo:secret"},
		},
		{name: "get", args: "<user>", brief: "show a user's roles", run: runUserGet, examples: []string{"user get jo"}},
		{name: "list", brief: "list the users", run: runUserList, examples: []string{"user list"}},
		{name: "remove", args: "<user>", brief: "remove a user", run: runUserRemove, examples: []string{"user remove jo"}},
		{
			name: "grant", args: "<user>", brief: "give a user roles", run: runUserGrant,
			flags: []flag{rolesFlag}, examples: []string{"user grant jo --roles reader,writer"},
		},
		{
			name: "revoke", args: "<user>", brief: "take roles from a user", run: runUserRevoke,
			flags: []flag{rolesFlag}, examples: []string{"user revoke jo --roles writer"},
		},
		{
			name: "passwd", args: "<user>[:password]", brief: "change a user's password", run: runUserPasswd,
			examples: []string{"user passwd jo"},
		},
	}
}

func roleCommands() []*command {
	return []*command{
		{
			name: "add", args: "<role>", brief: "make a role without permissions", run: runRoleAdd,
			examples: []string{"role add reader"},
		},
		{
			name: "get", args: "<role>", brief: "show what a role allows", run: runRoleGet,
			examples: []string{"role get reader"},
		},
		{name: "list", brief: "list the roles", run: runRoleList, examples: []string{"role list"}},
		{
			name: "remove", args: "<role>", brief: "remove a role", run: runRoleRemove,
			examples: []string{"role remove reader"},
		},
		{
			name: "grant", args: "<role>", brief: "allow a role more", run: runRoleGrant,
			flags: accessFlags, examples: []string{"role grant reader --path '/app/*' --read"},
		},
		{
			name: "revoke", args: "<role>", brief: "allow a role less", run: runRoleRevoke,
			flags: accessFlags, examples: []string{"role revoke reader --path '/app/*' --read"},
		},
	}
}

func authCommands() []*command {
	return []*command{
		{
			name: "enable", brief: "ask for logins; user root must be there", run: runAuthEnable,
			examples: []string{"auth enable"},
		},
		{
			name: "disable", brief: "ask for logins no more", run: runAuthDisable,
			examples: []string{"-u root auth disable"},
		},
	}
}
