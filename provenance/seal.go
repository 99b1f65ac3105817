package provenance

import (
	"encoding/json"

	"github.com/in-toto/in-toto-golang/in_toto"
)

// FolderDigestType is the format of digest files, and the predicate type of the statement that seals one; its page is
// spec/folder-digest-v1.md.
const FolderDigestType = "https://github.com/seed-3480f271/provenance/spec/folder-digest/v1"

// seal is the statement that seals a digest file. Everything there is to know stands in the file, which the subject names.
type seal struct {
	in_toto.StatementHeader
	Predicate struct{} `json:"predicate"`
}

// Seal is the in-toto statement over a digest file: whoever signs it vouches for the digests in the file. name is the file's,
// without folders; digest is the SHA-256 of its bytes.
func Seal(name string, digest Digest) ([]byte, error) {
	return json.Marshal(seal{StatementHeader: in_toto.StatementHeader{
		Type: in_toto.StatementInTotoV1, PredicateType: FolderDigestType,
		Subject: []in_toto.Subject{{Name: name, Digest: Digests(digest).wire()}},
	}})
}

// CheckSeal tells whether a verified statement seals the file with that digest. If not, it is a *Refused.
func CheckSeal(payload []byte, digest Digest) error {
	header, err := ParseHeader(payload)
	if err != nil {
		return err
	}
	if header.PredicateType != FolderDigestType || len(header.Subject) != 1 {
		return Refuse("data.seal", "", "the statement is no seal of a digest file: its predicateType is %q", clip(header.PredicateType))
	}
	set, err := parseDigestSet(header.Subject[0].Digest)
	if err != nil || set[SHA256] != digest || digest.IsZero() {
		return Refuse("data.seal", "was the file changed after it was sealed?", "the seal is over another file than %s", digest)
	}
	return nil
}
