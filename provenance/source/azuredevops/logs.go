package azuredevops

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/seed-3480f271/provenance/provenance/internal/httpclient"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/source/internal/ask"
	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// LogsMediaType is the media type of stored logs.
const LogsMediaType = "text/plain; charset=utf-8"

// Bounds of a release's logs, in bytes, files and bytes of a line; as a zip they may be as long as they are as text.
const (
	maxLogs     = 16 << 20
	maxLogFiles = 10_000
	maxLogLine  = 64 << 10
)

// askLogs gets the logs of all tasks, and stores them as one text: a header for each file, and its lines without secrets.
// Source: https://learn.microsoft.com/rest/api/azure/devops/release/releases/get-logs
func (l *devopsRelease) askLogs(ctx context.Context, q *devopsQuestion) error {
	operation := "reading the logs of " + q.about
	body, err := q.releases.Open(ctx, httpclient.Request{Operation: operation, Path: q.site.project("release/releases/" + q.site.releaseID + "/logs"),
		Query: url.Values{"api-version": {version}}, Accept: "application/zip"})
	if err != nil {
		return q.masked(err)
	}
	defer body.Close()
	data, err := io.ReadAll(io.LimitReader(body, maxLogs+1))
	if err != nil {
		return err
	}
	if len(data) > maxLogs {
		q.note("the logs are not kept: they are larger than %d MiB", maxLogs>>20)
		return nil
	}
	keeper := &logKeeper{left: maxLogs, Redactor: foreign.Redactor{Known: q.Used.All(), IDsOnly: q.IDsOnly}}
	if err := keeper.unzip(data); err != nil {
		return q.Nonsense(operation, err)
	}
	if keeper.cut {
		q.note("the logs are kept in part: they are longer than %d MiB, or of more than %d files", maxLogs>>20, maxLogFiles)
	}
	if l.logsRemoved = keeper.Removed; len(l.logsRemoved) > ask.MaxRemoved {
		l.logsRemoved = append(l.logsRemoved[:ask.MaxRemoved], fmt.Sprintf("and %d more lines of the logs", len(l.logsRemoved)-ask.MaxRemoved))
	}
	l.logs = ask.StoredBytes("azure-devops-release-"+q.site.releaseID+".log", LogsMediaType, keeper.out.Bytes())
	return nil
}

// logKeeper makes one text of many logs.
type logKeeper struct {
	foreign.Redactor
	out  bytes.Buffer
	left int64 // how many bytes may still be unpacked
	cut  bool  // there was more than is kept
	key  bool  // inside a private key
}

// unzip keeps the files of a zip, sorted by name.
func (k *logKeeper) unzip(data []byte) error {
	archive, err := openZip(data)
	if errors.Is(err, errManyFiles) {
		k.cut = true
		return nil
	}
	if err != nil {
		return err
	}
	files := slices.DeleteFunc(archive.File, func(f *zip.File) bool { return strings.HasSuffix(f.Name, "/") })
	slices.SortStableFunc(files, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	if k.cut = len(files) > maxLogFiles; k.cut {
		files = files[:maxLogFiles]
	}
	for i, f := range files {
		if k.out.Len() > maxLogs || i > 0 && k.left == 0 {
			break
		}
		if err := k.file(f); err != nil {
			return fmt.Errorf("%q cannot be unpacked: %w", foreign.Plain(f.Name), err)
		}
	}
	return nil
}

// file keeps one log.
func (k *logKeeper) file(f *zip.File) error {
	name := foreign.Plain(k.Text(f.Name))
	file, err := f.Open()
	if err != nil {
		return err
	}
	defer file.Close()
	k.key = false
	fmt.Fprintf(&k.out, "==== %s ====\n", name)
	limited := &io.LimitedReader{R: file, N: k.left}
	err = k.lines(name, bufio.NewReaderSize(limited, maxLogLine))
	k.left = limited.N
	k.cut = k.cut || k.left == 0 || k.out.Len() > maxLogs
	return err
}

// lines keeps the lines of a log. Of one that is too long nothing is kept: a secret could stand where it is cut.
func (k *logKeeper) lines(name string, from *bufio.Reader) error {
	for number := 1; ; number++ {
		line, tooLong, err := from.ReadLine()
		if errors.Is(err, io.EOF) {
			return nil
		}
		text := k.line(fmt.Sprintf("%s line %d", name, number), string(line))
		if tooLong {
			text = fmt.Sprintf("(a line of more than %d KiB)", maxLogLine>>10)
		}
		for tooLong && err == nil {
			_, tooLong, err = from.ReadLine()
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		k.out.WriteString(text + "\n")
	}
}

// line is a line without secrets and control characters. The lines of a private key have no look of their own.
func (k *logKeeper) line(at, line string) string {
	begins, ends := strings.Contains(line, "-----BEGIN ") && strings.Contains(line, "PRIVATE KEY"), strings.Contains(line, "-----END ")
	if begins || k.key {
		k.key = !ends
		return k.Note(at, line, redact.Removed)
	}
	line = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' || r == '\uFEFF' || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(line, "\uFFFD"))
	return k.Note(at, line, k.Text(line))
}
