package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"drydock/node/ui"
	"drydock/scenarios/scenario"
)

var (
	nameForm  = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$`)
	sizeForm  = regexp.MustCompile(`^([0-9]+)(MiB|GiB|M|G|m|g)$`)
	shareForm = regexp.MustCompile(`^([^:]+):(/[^:]*?)(:ro|:rw)?$`)
)

// IsName says whether a lab or a group of machines may have that name.
func IsName(name string) bool { return nameForm.MatchString(name) }

// Parse reads a lab file; file is its name in errors. An error in the text is a
// *scenario.Errors, with every problem's place.
func Parse(file string, text []byte) (*Spec, error) {
	s := &Spec{File: file}
	doc := scenario.Read(file, "lab file", text, s)
	if doc.Readable() {
		s.complete()
		s.check(doc)
	}
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

// Default is the lab of a call without a file: nodes members.
func Default(nodes int) *Spec {
	s := new(Spec)
	scenario.Defaults(s)
	s.complete()
	s.Machines[0].Count = nodes
	return s
}

func (s *Spec) complete() {
	if len(s.Machines) == 0 {
		g := Group{Count: 3}
		scenario.Defaults(&g)
		g.Count = 3
		s.Machines = []Group{g}
	}
}

// check looks for what no key shows alone, and for values with a form.
func (s *Spec) check(doc *scenario.Document) {
	if !IsName(s.Name) {
		doc.Fail("lab", "small letters, digits and hyphens: `dev`", "lab: %q is not a name", s.Name)
	}
	subnet, err := netip.ParsePrefix(s.Network.Subnet)
	if err != nil || !subnet.Addr().Is4() || subnet.Bits() != 24 || subnet.Masked() != subnet {
		doc.Fail("network.subnet", "`172.17.8.0/24`", "subnet: %q is not 256 IPv4 addresses", s.Network.Subnet)
	}
	total, members := 0, 0
	for i := range s.Machines {
		g := &s.Machines[i]
		total += g.Count
		if g.Role == string(RoleMember) {
			members += g.Count
		}
		s.checkGroup(doc, g, fmt.Sprintf("machines[%d]", i), i)
	}
	if total > MaxMachines {
		doc.Fail("machines", "", "machines: %d, at most %d are possible", total, MaxMachines)
	}
	if members > MaxMembers {
		doc.Fail("machines", "`role: worker` has no vote", "machines: %d members, at most %d are possible", members, MaxMembers)
	}
	if members == 0 {
		doc.Fail("machines", "leave `role` out of one group", "machines: none is a member, so there is nobody to work for")
	}
	s.checkLinks(doc)
}

func (s *Spec) checkGroup(doc *scenario.Document, g *Group, at string, i int) {
	if !IsName(g.Name) {
		doc.Fail(at+".name", "small letters, digits and hyphens: `core`", "name: %q is not a name", g.Name)
	}
	for _, other := range s.Machines[:i] {
		if other.Name == g.Name {
			doc.Fail(at+".name", "names of groups are unique", "name: a second group %q", g.Name)
		}
	}
	if _, err := memory(g.Memory); err != nil {
		doc.Fail(at+".memory", "`512MiB` or `2GiB`", "memory: %v", err)
	}
	for k, pair := range g.Metadata {
		if key, _, ok := strings.Cut(pair, "="); !ok || key == "" || strings.Contains(pair, ",") {
			doc.Fail(fmt.Sprintf("%s.metadata[%d]", at, k), "`disk=ssd`", "metadata: %q is not KEY=VALUE", pair)
		}
	}
	for k, text := range g.Ports {
		if _, err := port(text); err != nil {
			doc.Fail(fmt.Sprintf("%s.ports[%d]", at, k), "`2379` or `4001:2379`", "ports: %v", err)
		}
	}
	for k, text := range g.Shares {
		if _, err := share(text, ""); err != nil {
			doc.Fail(fmt.Sprintf("%s.shares[%d]", at, k), "`./site:/srv/site:ro`", "shares: %v", err)
		}
	}
}

func (s *Spec) checkLinks(doc *scenario.Document) {
	var known []string
	for i := range s.Machines {
		known = append(known, s.Machines[i].names()...)
	}
	for i, l := range s.Links {
		at := fmt.Sprintf("links[%d]", i)
		for side, names := range map[string][]string{"from": l.From, "to": l.To} { // any order: problems are sorted by place
			for k, name := range names {
				if !slices.Contains(known, name) {
					doc.Fail(fmt.Sprintf("%s.%s[%d]", at, side, k), hint(name, known), "%s: no machine is named %q", side, name)
				}
			}
		}
		if s.Network.Path == PathKernel && (l.Delay > 0 || l.Jitter > 0 || l.Duplicate > 0 || l.Reorder > 0 || l.Corrupt > 0 || l.Rate > 0) {
			doc.Fail(at, "`network: {path: wire}`", "links: the kernel's bridge can lose frames, and nothing else")
		}
	}
}

// hint says which machine may have been meant.
func hint(name string, known []string) string {
	if near := ui.Nearest(name, known); near != "" {
		return fmt.Sprintf("did you mean `%s`?", near)
	}
	return fmt.Sprintf("machines are %s to %s", known[0], known[len(known)-1])
}

// The paths of networks.
const (
	PathWire   = "wire"
	PathKernel = "kernel"
)

// names are the names of a group's machines.
func (g *Group) names() []string {
	list := make([]string, g.Count)
	for i := range list {
		list[i] = fmt.Sprintf("%s-%02d", g.Name, i+1)
	}
	return list
}

// MachineList returns the lab's machines in the file's order. Host sides of ports
// are as asked for; a relative share is below the lab file's directory.
func (s *Spec) MachineList() []Machine {
	var list []Machine
	subnet := netip.MustParsePrefix(s.Network.Subnet)
	members, workers := 0, 0
	for i := range s.Machines {
		g := &s.Machines[i]
		for k, name := range g.names() {
			m := Machine{
				Name: name, Role: Role(g.Role), Address: nth(subnet, firstHost+len(list)),
				CPUs: g.CPUs, Metadata: g.Metadata, Image: g.Image, CloudConfig: g.userData, Client: g.client, Peer: g.peer,
				Flags: slices.Concat(s.Flags, g.Flags),
			}
			m.MAC, m.ID = identity(s.Name, name)
			m.MemoryMax, _ = memory(g.Memory)
			if m.Role == RoleMember {
				members++
				m.Node = fmt.Sprintf("n%d", members)
			} else {
				workers++
				m.Node = fmt.Sprintf("w%d", workers)
			}
			for _, text := range g.Ports {
				p, _ := port(text)
				if p.Host > 0 {
					p.Host += k
				}
				if p.Guest == ClientPort && m.Client != 0 {
					p.Guest = m.Client // clients' port, wherever the user-data has it
				}
				m.Ports = append(m.Ports, p)
			}
			for _, text := range g.Shares {
				one, _ := share(text, s.dir())
				m.Shares = append(m.Shares, one)
			}
			list = append(list, m)
		}
	}
	return list
}

// dir is the lab file's directory, absolute; of no file, the working directory.
func (s *Spec) dir() string {
	dir, err := filepath.Abs(filepath.Dir(s.File))
	if err != nil {
		return filepath.Dir(s.File) // the working directory is gone: no share will be found there either
	}
	return dir
}

// Gateway is the address that clients come from.
func (s *Spec) Gateway() netip.Addr { return nth(netip.MustParsePrefix(s.Network.Subnet), 1) }

// nth is the address of a number in a subnet of 256.
func nth(subnet netip.Prefix, n int) netip.Addr {
	b := subnet.Addr().As4()
	b[3] = byte(n)
	return netip.AddrFrom4(b)
}

// identity makes a machine's MAC, which is locally administered, and its id from
// the names, so that they are the same at each up.
func identity(lab, machine string) (mac, id string) {
	sum := sha256.Sum256([]byte("drydock lab\x00" + lab + "\x00" + machine))
	mac = fmt.Sprintf("02:dd:%02x:%02x:%02x:%02x", sum[0], sum[1], sum[2], sum[3])
	return mac, hex.EncodeToString(sum[8:24])
}

// memory reads an amount of memory; none is 0.
func memory(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	parts := sizeForm.FindStringSubmatch(text)
	if parts == nil {
		return 0, fmt.Errorf("%q is not an amount of memory", text)
	}
	n, err := strconv.ParseInt(parts[1], 10, 64)
	shift := 20
	if strings.ToLower(parts[2][:1]) == "g" {
		shift = 30
	}
	if err != nil || n > math.MaxInt64>>40 || n == 0 {
		return 0, fmt.Errorf("%q is not a sensible amount of memory", text)
	}
	return n << shift, nil
}

// port reads GUEST or HOST:GUEST.
func port(text string) (Port, error) {
	host, guest, both := strings.Cut(text, ":")
	if !both {
		host, guest = "0", text
	}
	h, hostErr := strconv.Atoi(host)
	g, guestErr := strconv.Atoi(guest)
	if hostErr != nil || guestErr != nil || h < 0 || h > 65535 || g < 1 || g > 65535 || both && h == 0 {
		return Port{}, fmt.Errorf("%q is not a port", text)
	}
	return Port{Host: h, Guest: g}, nil
}

// share reads HOST:GUEST[:ro]; a relative folder is below dir.
func share(text, dir string) (Share, error) {
	parts := shareForm.FindStringSubmatch(text)
	if parts == nil || path.Clean(parts[2]) == "/" || strings.Contains(parts[2]+"/", "/../") {
		return Share{}, fmt.Errorf("%q is not HOST:/GUEST", text)
	}
	host := parts[1]
	if !filepath.IsAbs(host) {
		host = filepath.Join(dir, host)
	}
	return Share{Host: host, Guest: path.Clean(parts[2]), ReadOnly: parts[3] == ":ro"}, nil
}
