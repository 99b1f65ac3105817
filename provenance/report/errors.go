package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
)

// Error writes an error as one sentence that says what failed, and its hints. What looks like a secret is masked: errors of
// libraries quote URLs and headers.
func Error(w io.Writer, err error) {
	out := safe(w)
	// Whoever shows errors has nobody to tell that they could not be shown.
	_, _ = fmt.Fprintf(out, "provenance: %s\n", oneLine(err.Error()))
	for _, hint := range provenance.Hints(err) {
		_, _ = fmt.Fprintf(out, "hint: %s\n", oneLine(hint))
	}
}

// oneLine is redacted text without line breaks.
func oneLine(s string) string {
	return redact.Text(strings.Join(strings.Fields(s), " "))
}
