// Command timestamp-server is the timestamp authority of Sigstore with a key in memory, as `timestamp-server serve --timestamp-signer
// memory` runs it, but without its metrics: those have port 2112 on all addresses, so that there could be one server on a machine.
package main

import (
	"flag"
	"log"
	"time"

	"github.com/sigstore/timestamp-authority/v2/pkg/server"
	"github.com/spf13/viper"
)

// The defaults of the flags of timestamp-server.
// Source: https://github.com/sigstore/timestamp-authority/blob/v2.1.3/cmd/timestamp-server/app/root.go
var settings = map[string]any{
	"timestamp-signer": "memory", "timestamp-signer-hash": "sha256", "max-request-body-size": 1 << 20,
	"default-policy-oid": "1.3.6.1.4.1.57264.2", "accepted-policy-oids": []string{"1.3.6.1.4.1.57264.2"},
}

func main() {
	port := flag.Int("port", 0, "the port to listen on, on 127.0.0.1; 0 finds one")
	flag.Parse()
	for name, value := range settings {
		viper.Set(name, value)
	}
	s := server.NewRestAPIServer("127.0.0.1", *port, []string{"http"}, false, 30*time.Second, 30*time.Second)
	if err := s.Serve(); err != nil {
		log.Fatal(err)
	}
}
