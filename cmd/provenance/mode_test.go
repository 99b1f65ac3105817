package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/seed-3480f271/provenance/provenance/provtest"
)

// broken answers some requests with an error of the server.
func broken(which func(*http.Request) bool) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if which(r) {
			http.Error(w, `{"errors":[{"code":"UNKNOWN"}]}`, http.StatusBadGateway)
		}
		return which(r)
	}
}

// TestAFaultNeverChangesTheMode: where a policy asks for a timestamp or an identity, an answer that is missing from the registry makes
// nobody fall back to a form that has none; and where a list is missing, nobody takes what is left for all there is.
func TestAFaultNeverChangesTheMode(t *testing.T) {
	w := newWorld(t, "referrers")
	s := provtest.StartSigstore(t)
	s.TrustedRoot(t, w.path("root.json"))
	w.env["SIGSTORE_ID_TOKEN"] = s.Issuer.Token(t, nil)
	keyed, keyless := w.ref, w.host+"/mortgage:keyless"
	push(t, keyless, makeImage(t, "linux/amd64", layerFiles{"/app/score.py": []byte("other")}, layerFiles{"/app/model.bin": []byte("weights\n")}))
	w.must(statusDone, w.recordArgs("--timestamp-url", s.TimestampURL, "--trusted-root", "root.json")...)
	args := w.recordArgs("--fulcio-url", s.FulcioURL, "--timestamp-url", s.TimestampURL, "--trusted-root", "root.json")
	args[slices.Index(args, "--image")+1], args[slices.Index(args, "--key")+1] = keyless, "keyless"
	w.must(statusDone, args...)
	w.write("keyed.yaml", "version: 1\ntrustedRoot: root.json\nbuilders: [{id: "+testBuilder+", keys: [cosign.pub]}]\nmaxAge: 1h\n")
	w.write("keyless.yaml", "version: 1\ntrustedRoot: root.json\nbuilders: [{id: "+testBuilder+", identities: [{issuer: \""+s.Issuer.URL+"\", san: \""+provtest.Identity+"\"}]}]\n")

	isReferrers := func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/referrers/") }
	isAtt := func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, ".att") }
	isBlob := func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/blobs/") }
	for name, c := range map[string]struct {
		ref, policy string
		fault       func(*http.Request) bool
		want        status
	}{
		"keyed, all is well":          {keyed, "keyed.yaml", func(*http.Request) bool { return false }, statusDone},
		"keyed, no list of referrers": {keyed, "keyed.yaml", isReferrers, statusUndecided},
		"keyed, no .att tag":          {keyed, "keyed.yaml", isAtt, statusUndecided},
		"keyed, no blobs":             {keyed, "keyed.yaml", isBlob, statusUndecided},
		"keyless, all is well":        {keyless, "keyless.yaml", func(*http.Request) bool { return false }, statusDone},
		"keyless, no list":            {keyless, "keyless.yaml", isReferrers, statusUndecided},
		"keyless, no blobs":           {keyless, "keyless.yaml", isBlob, statusUndecided},
	} {
		host := before(t, w.host, broken(c.fault))
		r := w.run("verify", strings.Replace(c.ref, w.host, host, 1), "--policy", c.policy, "--format", "json")
		if r.status != c.want {
			t.Errorf("%s: status %d, want %d\n%s%s", name, r.status, c.want, r.stdout, r.stderr)
		}
	}

	// The timestamp is only in the bundle: without it the statement is known, and its time is not.
	onlyBundle := w.bundleOf(keyed)
	host := before(t, w.host, broken(func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, sha(onlyBundle)) }))
	r := w.must(statusUndecided, "verify", strings.Replace(keyed, w.host, host, 1), "--policy", "keyed.yaml", "--format", "json")
	if codes := w.codes(r); !slices.Equal(codes, []string{"signature.time", "attestations.unreadable"}) {
		t.Errorf("codes %q", codes)
	}
}
