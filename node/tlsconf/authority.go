package tlsconf

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
)

// Authority signs certificates. It is for tests, labs and small clusters; its keys
// are ECDSA P-256, which every client knows.
type Authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// Order says what certificate to make.
type Order struct {
	CommonName string
	// Hosts are names and addresses that the holder serves at.
	Hosts []string
	// Serves and Calls say which ends of a connection it is good for.
	Serves, Calls bool
	// From and Until bound its time; zero for an hour ago, and ten years.
	From, Until time.Time
}

// authorityLife is how long authorities and certificates hold by default.
const authorityLife = 10 * 365 * 24 * time.Hour

// NewAuthority makes an authority with a key of its own.
func NewAuthority(name string) (*Authority, error) {
	template, err := template(&Order{CommonName: name})
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &Authority{cert, key}, err
}

// template fills in what all certificates have.
func template(o *Order) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: o.CommonName, Organization: []string{"drydock"}},
		NotBefore: o.From, NotAfter: o.Until,
	}
	if t.NotBefore.IsZero() {
		t.NotBefore = now.Add(-time.Hour)
	}
	if t.NotAfter.IsZero() {
		t.NotAfter = now.Add(authorityLife)
	}
	for _, h := range o.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	if o.Serves {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if o.Calls {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
	return t, nil
}

// CertPEM returns the authority's certificate.
func (a *Authority) CertPEM() []byte { return certPEM(a.cert.Raw) }

// KeyPEM returns the authority's key.
func (a *Authority) KeyPEM() ([]byte, error) { return keyPEM(a.key) }

// Issue makes a key and a certificate for it.
func (a *Authority) Issue(o Order) (cert, key []byte, err error) {
	t, err := template(&o)
	if err != nil {
		return nil, nil, err
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	return sign(t, a.cert, a.key)
}

// Revoke makes a list (PEM) of certificates, given in PEM, that are no longer
// good.
func (a *Authority) Revoke(certs ...[]byte) ([]byte, error) {
	list := &x509.RevocationList{Number: big.NewInt(time.Now().Unix()), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(authorityLife)}
	for _, text := range certs {
		cert, err := parseCert(text)
		if err != nil {
			return nil, err
		}
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: cert.SerialNumber, RevocationTime: time.Now(),
		})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}), err
}

// sign makes a key and has parent sign template for it; with no parentKey the
// certificate signs itself.
func sign(template, parent *x509.Certificate, parentKey crypto.Signer) (cert, key []byte, err error) {
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if parentKey == nil {
		parentKey = own
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, own.Public(), parentKey)
	if err != nil {
		return nil, nil, err
	}
	key, err = keyPEM(own)
	return certPEM(der), key, err
}

// selfSigned makes a certificate that both serves and calls.
func selfSigned(hosts []string) (cert, key []byte, err error) {
	t, err := template(&Order{CommonName: "drydock", Hosts: hosts, Serves: true, Calls: true, Until: time.Now().Add(autoLife)})
	if err != nil {
		return nil, nil, err
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	return sign(t, t, nil)
}

func certPEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func keyPEM(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

func parseCert(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("no certificate in it (want PEM)")
	}
	return x509.ParseCertificate(block.Bytes)
}

// ParseAuthority reads what CertPEM and KeyPEM gave.
func ParseAuthority(certText, keyText []byte) (*Authority, error) {
	cert, err := parseCert(certText)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(keyText)
	if block == nil {
		return nil, errors.New("no key in it (want PEM)")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok || !cert.IsCA {
		return nil, errors.New("not an authority's certificate and key")
	}
	if pub, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(cert.PublicKey) {
		return nil, errors.New("the key is not the certificate's")
	}
	return &Authority{cert, signer}, nil
}

// The files that WriteCA writes, in its directory: certificates end in .crt, their
// keys in .key.
const (
	CAName     = "ca"     // the authority
	ServerName = "server" // for serving clients, and for workers that call members
	PeerName   = "peer"   // for serving and calling members
	ClientName = "client" // for clients
)

// WriteCA makes an authority in dir, or takes the one that is there, and writes
// new certificates of it for members that are reached at hosts, and for clients.
// Keys are readable by their owner only.
func WriteCA(dir string, hosts []string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	a, err := openAuthority(dir)
	if err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	for _, o := range [...]Order{
		{CommonName: ServerName, Hosts: hosts, Serves: true, Calls: true},
		{CommonName: PeerName, Hosts: hosts, Serves: true, Calls: true},
		{CommonName: ClientName, Calls: true},
	} {
		cert, key, err := a.Issue(o)
		if err == nil {
			err = writePair(dir, o.CommonName, cert, key)
		}
		if err != nil {
			return fmt.Errorf("certificates: %s: %w", o.CommonName, err)
		}
	}
	return nil
}

func openAuthority(dir string) (*Authority, error) {
	name := filepath.Join(dir, CAName)
	certText, err := os.ReadFile(name + ".crt")
	if errors.Is(err, fs.ErrNotExist) {
		a, err := NewAuthority("drydock authority")
		if err != nil {
			return nil, err
		}
		key, err := a.KeyPEM()
		if err != nil {
			return nil, err
		}
		return a, writePair(dir, CAName, a.CertPEM(), key)
	}
	if err != nil {
		return nil, err
	}
	keyText, err := os.ReadFile(name + ".key")
	if err != nil {
		return nil, err
	}
	a, err := ParseAuthority(certText, keyText)
	if err != nil {
		return nil, fmt.Errorf("%s.crt and its key: %w", name, err)
	}
	return a, nil
}

func writePair(dir, name string, cert, key []byte) error {
	return errors.Join(
		renameio.WriteFile(filepath.Join(dir, name+".key"), key, 0o600),
		renameio.WriteFile(filepath.Join(dir, name+".crt"), cert, 0o644),
	)
}
