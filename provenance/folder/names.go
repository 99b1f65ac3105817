package folder

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/seed-3480f271/provenance/provenance"
)

// checkName refuses a name that a manifest or an index cannot hold.
func checkName(name string) error {
	const hint = "rename the file, or leave it out of the folder"
	switch {
	case strings.ContainsRune(name, '\n'):
		return provenance.Refuse("data.name", hint, "the file name %q has a newline in it", name)
	case !utf8.ValidString(name):
		return provenance.Refuse("data.name", hint, "the file name %q is not UTF-8", name)
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
