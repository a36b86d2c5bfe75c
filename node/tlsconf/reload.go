package tlsconf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/renameio/v2"
)

// lookEvery is how often at most the files are looked at.
const lookEvery = time.Second

// source has a certificate that may change on disk.
type source struct {
	log   *slog.Logger
	files [2]string // certificate and key
	every time.Duration
	read  func() (*tls.Certificate, error)

	mu     sync.Mutex
	cert   *tls.Certificate
	stamp  [2]stamp // of the files when cert was read
	looked time.Time
	said   string // the last failure that was logged
}

// stamp tells a file from its successor.
type stamp struct {
	changed time.Time
	size    int64
}

func stampOf(name string) stamp {
	info, err := os.Stat(name)
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size()}
}

func (s *source) stamps() [2]stamp { return [...]stamp{stampOf(s.files[0]), stampOf(s.files[1])} }

// load reads the certificate for the first time.
func (s *source) load() (*source, error) {
	s.stamp, s.looked = s.stamps(), time.Now()
	cert, err := s.read()
	s.cert = cert
	return s, err
}

// leaf returns the certificate in use.
func (s *source) leaf() *x509.Certificate { return s.current().Leaf }

// current returns the certificate, read anew if the files have changed.
func (s *source) current() *tls.Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.looked) < s.every {
		return s.cert
	}
	s.looked = time.Now()
	now := s.stamps()
	if now == s.stamp {
		return s.cert
	}
	cert, err := s.read()
	if err != nil {
		// It may be half replaced: the stamp stays, and the next look tries again.
		if s.said != err.Error() {
			s.said = err.Error()
			s.log.Warn("a certificate has changed and can't be read; the former stays in use", "reason", err.Error())
		}
		return s.cert
	}
	s.cert, s.stamp, s.said = cert, now, ""
	s.log.Info("a certificate has changed and is in use", "file", s.files[0], "until", cert.Leaf.NotAfter)
	return s.cert
}

// fileSource reads the option's files.
func fileSource(c *Config) (*source, error) {
	s := &source{log: c.Logger, files: [...]string{c.CertFile, c.KeyFile}, every: lookEvery}
	s.read = func() (*tls.Certificate, error) {
		certText, err := readFile(c.option("cert-file"), c.CertFile)
		if err != nil {
			return nil, err
		}
		keyText, err := readFile(c.option("key-file"), c.KeyFile)
		if err != nil {
			return nil, err
		}
		return pair(c.option("cert-file"), c.CertFile, certText, c.KeyFile, keyText)
	}
	return s.load()
}

// pair joins a certificate and its key.
func pair(option, certFile string, certText []byte, keyFile string, keyText []byte) (*tls.Certificate, error) {
	cert, err := tls.X509KeyPair(certText, keyText)
	if err != nil {
		return nil, fail(option, "%s with key %s: %w", certFile, keyFile, err)
	}
	return &cert, nil
}

// Self-signed certificates hold for autoLife and are made anew when a node starts
// with less than autoLeast left.
const (
	autoLife  = 10 * 365 * 24 * time.Hour
	autoLeast = autoLife / 3
)

// autoSource takes the self-signed certificate of an earlier start, or makes one.
func autoSource(c *Config) (*source, error) {
	option := c.option("auto-tls")
	if c.AutoDir == "" {
		return nil, fail(option, "has no directory to keep the certificate in")
	}
	if err := os.MkdirAll(c.AutoDir, 0o700); err != nil {
		return nil, fail(option, "%w", err)
	}
	s := &source{log: c.Logger, files: [...]string{filepath.Join(c.AutoDir, "cert.pem"), filepath.Join(c.AutoDir, "key.pem")}, every: lookEvery}
	s.read = func() (*tls.Certificate, error) {
		certText, err := readFile(option, s.files[0])
		if err != nil {
			return nil, err
		}
		keyText, err := readFile(option, s.files[1])
		if err != nil {
			return nil, err
		}
		return pair(option, s.files[0], certText, s.files[1], keyText)
	}
	hosts := slices.Compact(slices.Sorted(slices.Values(c.AutoHosts)))
	_, err := s.load()
	switch {
	case err == nil && time.Until(s.cert.Leaf.NotAfter) > autoLeast && covers(s.cert.Leaf, hosts):
		return s, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	certText, keyText, err := selfSigned(hosts)
	if err != nil {
		return nil, fail(option, "%w", err)
	}
	// The key first: a crash in between leaves no pair, and so another is made.
	err = errors.Join(os.RemoveAll(s.files[0]), renameio.WriteFile(s.files[1], keyText, 0o600), renameio.WriteFile(s.files[0], certText, 0o600))
	if err != nil {
		return nil, fail(option, "%w", err)
	}
	return s.load()
}

// covers says whether a certificate names all hosts.
func covers(leaf *x509.Certificate, hosts []string) bool {
	for _, h := range hosts {
		if leaf.VerifyHostname(h) != nil {
			return false
		}
	}
	return true
}
