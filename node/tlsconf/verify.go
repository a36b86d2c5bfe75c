package tlsconf

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// ErrRefused is matched when the other side's certificate is sound and still not
// one that is let in.
var ErrRefused = errors.New("certificate refused")

// verify checks the other side's certificate beyond its signature, of resumed
// connections too.
func (p *Pair) verify(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return fmt.Errorf("%w: there is none", ErrRefused)
	}
	leaf := state.PeerCertificates[0]
	if cn := p.c.AllowedCN; cn != "" && leaf.Subject.CommonName != cn {
		return fmt.Errorf("%w: its common name is %q, and %s is %q", ErrRefused, leaf.Subject.CommonName, p.c.option("cert-allowed-cn"), cn)
	}
	if host := p.c.AllowedHostname; host != "" {
		if err := leaf.VerifyHostname(host); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrRefused, p.c.option("cert-allowed-hostname"), err)
		}
	}
	if p.c.CRLFile == "" {
		return nil
	}
	// Read for every connection, as lists are replaced while a node runs.
	revoked, err := readRevoked(p.c.crlOption(), p.c.CRLFile)
	if err != nil {
		return err
	}
	for _, chain := range state.VerifiedChains {
		if who := revoked.in(chain); who != nil {
			return fmt.Errorf("%w: serial number %x was revoked", ErrRefused, who.SerialNumber)
		}
	}
	return nil
}

// revocations is a list of revoked certificates.
type revocations struct{ *x509.RevocationList }

// in returns the certificate of a chain that is on the list. A list speaks of what
// its own issuer has signed.
func (r revocations) in(chain []*x509.Certificate) *x509.Certificate {
	for _, cert := range chain {
		if !bytes.Equal(cert.RawIssuer, r.RawIssuer) {
			continue
		}
		for _, entry := range r.RevokedCertificateEntries {
			if entry.SerialNumber.Cmp(cert.SerialNumber) == 0 {
				return cert
			}
		}
	}
	return nil
}

// readRevoked reads a list in PEM or DER.
func readRevoked(option, name string) (revocations, error) {
	text, err := readFile(option, name)
	if err != nil {
		return revocations{}, err
	}
	if block, _ := pem.Decode(text); block != nil {
		text = block.Bytes
	}
	list, err := x509.ParseRevocationList(text)
	if err != nil {
		return revocations{}, fail(option, "%s: %w", name, err)
	}
	return revocations{list}, nil
}
