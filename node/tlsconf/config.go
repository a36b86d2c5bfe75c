package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"time"
)

// Prefixes of the option names.
const (
	ForClients = ""
	ForPeers   = "peer-"
)

// ErrConfig is matched by errors about options and the files that they name.
var ErrConfig = errors.New("TLS")

// Config is a family of options. The comments have the options' names without
// the prefix.
type Config struct {
	// Prefix begins the options' names in errors: ForClients or ForPeers.
	Prefix string

	CertFile string // cert-file: PEM, the certificate and those that it is signed by
	KeyFile  string // key-file: PEM, the certificate's key
	// TrustedCAFile (trusted-ca-file) has the authorities that callers, and those
	// that are called, must be signed by. ClientCertAuth (client-cert-auth) says
	// that callers must be; a file alone means that too.
	TrustedCAFile  string
	ClientCertAuth bool
	CAFile         string // ca-file: 2014's name of both
	CRLFile        string // client-crl-file, peer-crl-file: revoked certificates

	// AllowedCN (cert-allowed-cn) and AllowedHostname (cert-allowed-hostname) are
	// what the other side's certificate must name; one of them at most.
	AllowedCN, AllowedHostname string

	// Auto (auto-tls) makes and keeps a self-signed certificate for AutoHosts in
	// AutoDir, unless there is a CertFile.
	Auto      bool
	AutoDir   string
	AutoHosts []string

	// Logger is told of certificates that change, nil for none.
	Logger *slog.Logger

	_ struct{}
}

// option returns the full name of an option.
func (c *Config) option(name string) string { return "--" + c.Prefix + name }

func (c *Config) crlOption() string {
	if c.Prefix == ForClients {
		return "--client-crl-file"
	}
	return c.option("crl-file")
}

// fail makes an error about an option.
func fail(option, format string, args ...any) error {
	return fmt.Errorf("%w: %s %w", ErrConfig, option, fmt.Errorf(format, args...))
}

// Pair makes configurations for both ends. Its methods return a new one each
// time.
type Pair struct {
	c          Config
	source     *source // nil without a certificate
	pool       *x509.CertPool
	selfSigned bool

	// Warnings are sentences about what works but is hardly meant.
	Warnings []string
}

// Load reads the files and checks the options.
func Load(c Config) (*Pair, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if err := c.settle(); err != nil {
		return nil, err
	}
	p := &Pair{c: c}
	if c.TrustedCAFile != "" {
		pool, err := readPool(c.option("trusted-ca-file"), c.TrustedCAFile)
		if err != nil {
			return nil, err
		}
		p.pool = pool
	}
	if c.CRLFile != "" {
		if _, err := readRevoked(c.crlOption(), c.CRLFile); err != nil {
			return nil, err
		}
	}
	if err := p.loadCertificate(); err != nil {
		return nil, err
	}
	return p, nil
}

// settle joins the old names with the new and refuses what contradicts itself.
func (c *Config) settle() error {
	if c.CAFile != "" {
		if c.TrustedCAFile != "" && c.TrustedCAFile != c.CAFile {
			return fail(c.option("ca-file"), "is %q and %s is %q: give one of them", c.CAFile, c.option("trusted-ca-file"), c.TrustedCAFile)
		}
		c.TrustedCAFile, c.CAFile, c.ClientCertAuth = c.CAFile, "", true
	}
	switch {
	case c.CertFile != "" && c.KeyFile == "":
		return fail(c.option("cert-file"), "is %q and its key is missing: give %s too", c.CertFile, c.option("key-file"))
	case c.KeyFile != "" && c.CertFile == "":
		return fail(c.option("key-file"), "is %q and its certificate is missing: give %s too", c.KeyFile, c.option("cert-file"))
	case c.ClientCertAuth && c.TrustedCAFile == "":
		return fail(c.option("client-cert-auth"), "needs the authority that signs callers' certificates: give %s", c.option("trusted-ca-file"))
	case c.Auto && c.CertFile == "" && c.TrustedCAFile != "" && c.Prefix == ForPeers:
		return fail(c.option("auto-tls"), "makes certificates that %s has not signed: give %s and %s instead",
			c.option("trusted-ca-file"), c.option("cert-file"), c.option("key-file"))
	case c.AllowedCN != "" && c.AllowedHostname != "":
		return fail(c.option("cert-allowed-cn"), "and %s can't be given together", c.option("cert-allowed-hostname"))
	case (c.AllowedCN != "" || c.AllowedHostname != "" || c.CRLFile != "") && c.TrustedCAFile == "":
		name := c.crlOption()
		if c.AllowedCN != "" {
			name = c.option("cert-allowed-cn")
		} else if c.AllowedHostname != "" {
			name = c.option("cert-allowed-hostname")
		}
		return fail(name, "looks at certificates that nobody has verified: give %s", c.option("trusted-ca-file"))
	}
	return nil
}

func (p *Pair) loadCertificate() (err error) {
	c := &p.c
	switch {
	case c.CertFile != "":
		p.source, err = fileSource(c)
		if c.Auto {
			p.Warnings = append(p.Warnings, fmt.Sprintf("%s is without effect: %s is given", c.option("auto-tls"), c.option("cert-file")))
		}
	case c.Auto:
		p.source, err = autoSource(c)
		if p.selfSigned = p.pool == nil; p.selfSigned {
			p.Warnings = append(p.Warnings, fmt.Sprintf("%s encrypts but does not show who the other side is", c.option("auto-tls")))
		}
	}
	if err != nil || p.source == nil {
		return err
	}
	p.Warnings = append(p.Warnings, p.doubts()...)
	return nil
}

// doubts says what others will have against the certificate.
func (p *Pair) doubts() (list []string) {
	cert := p.source.current()
	leaf := cert.Leaf
	if time.Now().After(leaf.NotAfter) {
		return []string{fmt.Sprintf("%s %s expired on %s; a new one is taken up without a restart",
			p.c.option("cert-file"), p.c.CertFile, leaf.NotAfter.UTC().Format(time.DateOnly))}
	}
	if p.c.Prefix != ForPeers || p.pool == nil {
		return nil
	}
	// The other members have the same options, most likely.
	between := x509.NewCertPool()
	for _, der := range cert.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(c)
		}
	}
	for _, use := range [...]struct {
		what  string
		usage x509.ExtKeyUsage
	}{{"serve", x509.ExtKeyUsageServerAuth}, {"call", x509.ExtKeyUsageClientAuth}} {
		_, err := leaf.Verify(x509.VerifyOptions{Roots: p.pool, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{use.usage}})
		if err != nil {
			list = append(list, fmt.Sprintf("%s %s can't %s members that trust %s %s: %v",
				p.c.option("cert-file"), p.c.CertFile, use.what, p.c.option("trusted-ca-file"), p.c.TrustedCAFile, err))
		}
	}
	return list
}

// Serves says whether there is a certificate to serve with.
func (p *Pair) Serves() bool { return p.source != nil }

// Verifies says whether callers must show a certificate.
func (p *Pair) Verifies() bool { return p.Serves() && p.pool != nil }

// Server returns the configuration for serving, nil if there is no certificate.
func (p *Pair) Server() *tls.Config {
	if p.source == nil {
		return nil
	}
	config := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.source.current(), nil },
	}
	if p.pool != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, p.pool
		config.VerifyConnection = p.verify
	}
	return config
}

// Client returns the configuration for calling others of the same family. Without
// an authority the system's are trusted.
func (p *Pair) Client() *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: p.pool}
	if p.selfSigned {
		config.InsecureSkipVerify = true // auto-tls says so: see the package comment
	}
	if p.pool != nil {
		config.VerifyConnection = p.verify
	}
	if p.source != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return p.source.current(), nil }
	}
	return config
}

// CheckURL says whether a URL to listen at can be served: https needs a
// certificate. A warning is for http where there is one.
func (p *Pair) CheckURL(raw string) (warning string, err error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrConfig, err)
	case (u.Scheme == "https" || u.Scheme == "unixs") && !p.Serves():
		return "", fmt.Errorf("%w: to serve %s give %s and %s, or %s", ErrConfig, raw,
			p.c.option("cert-file"), p.c.option("key-file"), p.c.option("auto-tls"))
	case u.Scheme == "http" && p.Serves():
		return fmt.Sprintf("%s is served without TLS although there is a certificate", raw), nil
	}
	return "", nil
}

// readFile reads a file that an option names.
func readFile(option, name string) ([]byte, error) {
	text, err := os.ReadFile(name)
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return nil, fail(option, "%s: %w", name, pathErr.Err)
	}
	return text, err
}

func readPool(option, name string) (*x509.CertPool, error) {
	text, err := readFile(option, name)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fail(option, "%s: no certificate in it (want PEM)", name)
	}
	return pool, nil
}
