package cloudconfig

import (
	"strconv"
	"strings"
)

// kind is what sort of value a setting has.
type kind int

const (
	kindText kind = iota
	kindBool
	kindWhole
	kindNumber
)

// words say what kinds are, in errors.
var words = [...]string{kindText: "a text", kindBool: "true or false", kindWhole: "a whole number", kindNumber: "a number"}

// setting is one that a section may have.
type setting struct {
	name string
	kind kind
}

// etcdSettings are those of the section etcd that the node's option of the same
// name, or of the same variable, understands.
// (coreos-cloudinit config/etcd.go, 2014 to 2015)
var etcdSettings = []setting{
	{"addr", kindText},
	{"advertise_client_urls", kindText},
	{"bind_addr", kindText},
	{"cert_file", kindText},
	{"cors", kindText},
	{"data_dir", kindText},
	{"discovery", kindText},
	{"discovery_fallback", kindText},
	{"discovery_proxy", kindText},
	{"election_timeout", kindWhole},
	{"heartbeat_interval", kindWhole},
	{"initial_advertise_peer_urls", kindText},
	{"initial_cluster", kindText},
	{"initial_cluster_state", kindText},
	{"initial_cluster_token", kindText},
	{"key_file", kindText},
	{"listen_client_urls", kindText},
	{"listen_peer_urls", kindText},
	{"name", kindText},
	{"peer_addr", kindText},
	{"peer_bind_addr", kindText},
	{"peer_cert_file", kindText},
	{"peer_election_timeout", kindWhole},
	{"peer_heartbeat_interval", kindWhole},
	{"peer_key_file", kindText},
	{"peer_trusted_ca_file", kindText},
	{"peers", kindText},
	{"snapshot_count", kindWhole},
	{"trusted_ca_file", kindText},
}

// fleetSettings are those of the section fleet. (coreos-cloudinit config/fleet.go)
var fleetSettings = []setting{
	{"metadata", kindText},
	{"public_ip", kindText},
}

// takes says whether a value is of the setting's kind.
func (s *setting) takes(value string) bool {
	switch s.kind {
	case kindBool:
		_, ok := truth(value)
		return ok
	case kindWhole:
		_, err := strconv.ParseInt(value, 10, 64)
		return err == nil
	case kindNumber:
		_, err := strconv.ParseFloat(value, 64)
		return err == nil
	}
	return true
}

// truth reads a truth as YAML 1.1 had it, which files of 2014 are written in.
func truth(value string) (is, ok bool) {
	switch strings.ToLower(value) {
	case "true", "yes", "on", "y":
		return true, true
	case "false", "no", "off", "n":
		return false, true
	}
	return false, false
}
