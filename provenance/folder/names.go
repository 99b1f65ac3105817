package folder

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// maxName is the longest name of a file, in bytes. maxETag bounds what nobody specifies; Azure's have 17 bytes.
const maxName, maxETag = storage.MaxName, 256

// checkName refuses a name that a manifest or an index cannot hold.
func checkName(name string) error {
	const hint = "rename the file, or leave it out of the folder"
	switch {
	case strings.ContainsRune(name, '\n'):
		return provenance.Refuse("data.name", hint, "the file name %q has a newline in it", name)
	case !utf8.ValidString(name):
		return provenance.Refuse("data.name", hint, "the file name %q is not UTF-8", name)
	case len(name) > maxName:
		return provenance.Refuse("data.name", hint, "the file name %.80q… has more than %d bytes", name, maxName)
	}
	return nil
}

// checkETag tells whether an ETag can stand in a line of a listing.
func checkETag(etag string) error {
	if len(etag) > maxETag || etag == "-" || strings.ContainsFunc(etag, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return errors.New("an ETag is too long, or is not of visible ASCII")
	}
	return nil
}

// oddName says why people or sha256sum could take a name for another one; empty means they could not.
func oddName(name string) string {
	switch {
	case strings.ContainsRune(name, '\\'):
		return "has a backslash, which sha256sum escapes"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "has a control character, which sha256sum may escape"
	case path.Clean("/"+name) != "/"+name:
		return "is another path to a file system"
	}
	return ""
}

// oddNames collects warnings about the first names of a folder that are odd.
type oddNames struct {
	warnings []string
	more     int
}

func (o *oddNames) look(name string) {
	odd := oddName(name)
	switch {
	case odd == "":
	case len(o.warnings) < provenance.MaxListed:
		o.warnings = append(o.warnings, fmt.Sprintf("the file name %q %s", name, odd))
	default:
		o.more++
	}
}

// list is all warnings. They are in the order of the listing.
func (o *oddNames) list() []string {
	if o.more > 0 {
		return append(o.warnings, fmt.Sprintf("%d more file names are as odd", o.more))
	}
	return o.warnings
}
