package sign

import (
	"crypto/x509"
	"time"
)

// Expire lets the key's certificate end now, as far as the key can tell.
func (k *Key) Expire() {
	k.certificate.lock.Lock()
	defer k.certificate.lock.Unlock()
	leaf := *k.certificate.leaf
	leaf.NotAfter = time.Now()
	k.certificate.leaf = &leaf
}

// Leaf is the key's certificate.
func (k *Key) Leaf() *x509.Certificate { return k.certificate.leaf }
