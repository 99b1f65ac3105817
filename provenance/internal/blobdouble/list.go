package blobdouble

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxPage is the most that Azure answers at once.
const maxPage = 5_000

// list answers List Blobs. A marker is the number of blobs before its page, but the page begins at the name that it began
// at when the marker was given out: what changes before it moves nothing.
func (s *Server) list(w http.ResponseWriter, r *http.Request, c *container, query url.Values, fault Fault) {
	page := newPage(query)
	if c.million != nil {
		c.million.list(page, s.pageSize(query))
	} else {
		s.listBlobs(c, page, s.pageSize(query))
	}
	if fault.Marker != "" {
		page.next = fault.Marker
	}
	w.Header().Set("Content-Type", "application/xml")
	s.write(w, r, page.bytes(), fault)
}

func (s *Server) pageSize(query url.Values) int {
	size := maxPage
	if s.PageSize > 0 {
		size = min(size, s.PageSize)
	}
	if asked, err := strconv.Atoi(query.Get("maxresults")); err == nil && asked > 0 {
		size = min(size, asked)
	}
	return size
}

// listBlobs fills a page.
func (s *Server) listBlobs(c *container, p *page, size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, name := range c.names(s.compare()) {
		if strings.HasPrefix(name, p.prefix) {
			names = append(names, name)
		}
	}
	from, _ := strconv.Atoi(p.marker)
	if begin, known := c.next[p.prefix+"\x00"+p.marker]; known {
		from, _ = slices.BinarySearchFunc(names, begin, s.compare())
	}
	to := len(names)
	if from+size < to {
		to = from + size
		p.next = strconv.Itoa(to)
		c.next[p.prefix+"\x00"+p.next] = names[to]
	}
	for _, name := range names[min(from, to):to] {
		for _, kind := range c.aside[name] {
			if s.ShowAll || p.includes[string(kind)] {
				p.aside(name, kind)
			}
		}
		if b := c.blobs[name]; b != nil {
			p.blob(name, b)
		}
	}
}

// names are all names, in the account's order.
func (c *container) names(compare func(a, b string) int) []string {
	if c.order == nil {
		all := maps.Clone(c.aside)
		for name := range c.blobs {
			all[name] = nil
		}
		c.order = slices.SortedFunc(maps.Keys(all), compare)
	}
	return c.order
}

// compare is the order of listings: a flat account's is that of UTF-16, a tree's has a directory's children before the
// siblings that sort after it.
func (s *Server) compare() func(a, b string) int {
	if s.HNS {
		return func(a, b string) int { return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/")) }
	}
	return compareUTF16
}

// compareUTF16 compares by UTF-16 code units, in which all of U+10000 and above lies before U+E000.
func compareUTF16(a, b string) int {
	for a != "" && b != "" {
		x, n := utf8.DecodeRuneInString(a)
		y, m := utf8.DecodeRuneInString(b)
		if x != y {
			return cmp.Compare(rankUTF16(x), rankUTF16(y))
		}
		a, b = a[n:], b[m:]
	}
	return cmp.Compare(len(a), len(b))
}

func rankUTF16(r rune) rune {
	switch {
	case r >= 0x10000:
		return r - 0x10000 + 0xD800
	case r >= 0xE000:
		return r + 0x100000
	}
	return r
}

// page is an answer to List Blobs. It is written by hand: reflection takes longer than everything else that the double does.
type page struct {
	prefix, marker, next string
	includes             map[string]bool
	items                []byte
}

func newPage(query url.Values) *page {
	p := &page{prefix: query.Get("prefix"), marker: query.Get("marker"), includes: map[string]bool{}}
	for _, name := range strings.Split(query.Get("include"), ",") {
		p.includes[name] = true
	}
	return p
}

// bytes is the whole answer, with Azure's byte order mark.
func (p *page) bytes() []byte {
	var b bytes.Buffer
	b.Grow(len(p.items) + 1<<10)
	b.WriteString("\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults ServiceEndpoint=\"https://" + Account +
		".blob.core.windows.net/\" ContainerName=\"data\"><Prefix>" + escaped(p.prefix) + "</Prefix><Blobs>")
	b.Write(p.items)
	b.WriteString("</Blobs><NextMarker>" + escaped(p.next) + "</NextMarker></EnumerationResults>")
	return b.Bytes()
}

// add appends text as it is.
func (p *page) add(text ...string) {
	for _, t := range text {
		p.items = append(p.items, t...)
	}
}

// name begins a blob. Azure percent-encodes a name that XML cannot hold.
func (p *page) name(name string) {
	if strings.ContainsFunc(name, func(r rune) bool {
		return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
	}) {
		p.add("<Blob><Name Encoded=\"true\">", url.PathEscape(name), "</Name>")
		return
	}
	p.add("<Blob><Name>", escaped(name), "</Name>")
}

// standing begins the properties with those that every blob has.
func (p *page) standing(modified time.Time, etag string, size int64) {
	p.add("<Properties><Creation-Time>", startedText, "</Creation-Time><Last-Modified>")
	p.items = modified.AppendFormat(p.items, http.TimeFormat)
	p.add("</Last-Modified><Etag>", etag, "</Etag><Content-Length>")
	p.items = strconv.AppendInt(p.items, size, 10)
	p.add("</Content-Length><Content-Type>application/octet-stream</Content-Type>")
}

var startedText = started.Format(http.TimeFormat)

const restOfProperties = "<Content-Language /><Content-CRC64 /><Content-MD5>1B2M2Y8AsgTpgAmY7PhCfg==</Content-MD5><Cache-Control />" +
	"<Content-Disposition /><BlobType>BlockBlob</BlobType><AccessTier>Hot</AccessTier><AccessTierInferred>true</AccessTierInferred>" +
	"<LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState><ServerEncrypted>true</ServerEncrypted>"

// blob adds a blob or a directory.
func (p *page) blob(name string, b *Blob) {
	p.name(name)
	p.standing(b.modified, b.etag, int64(len(b.Data)))
	p.add("<Content-Encoding>", escaped(b.ContentEncoding), "</Content-Encoding>", restOfProperties)
	if b.Directory {
		p.add("<ResourceType>directory</ResourceType>")
	}
	if p.includes["immutabilitypolicy"] && !b.RetainUntil.IsZero() {
		p.add("<ImmutabilityPolicyUntilDate>", b.RetainUntil.UTC().Format(http.TimeFormat), "</ImmutabilityPolicyUntilDate>")
	}
	if p.includes["immutabilitypolicy"] && b.RetainMode != "" {
		p.add("<ImmutabilityPolicyMode>", b.RetainMode, "</ImmutabilityPolicyMode>")
	}
	if p.includes["legalhold"] && b.Held {
		p.add("<LegalHold>true</LegalHold>")
	}
	p.add("</Properties>")
	p.metadata(b)
	p.add("<OrMetadata /></Blob>")
}

func (p *page) metadata(b *Blob) {
	if !p.includes["metadata"] {
		return
	}
	p.add("<Metadata>")
	if b.Directory {
		p.add("<hdi_isfolder>true</hdi_isfolder>")
	}
	for _, name := range slices.Sorted(maps.Keys(b.Metadata)) {
		p.add("<", name, ">", escaped(b.Metadata[name]), "</", name, ">")
	}
	p.add("</Metadata>")
}

// aside adds what is no blob of the folder.
func (p *page) aside(name string, kind Aside) {
	etag := "0x8DE0000000000ASIDE"
	if kind == Uncommitted {
		etag = ""
	}
	p.name(name)
	switch kind {
	case Snapshot:
		p.add("<Snapshot>2026-11-01T00:00:00.0000000Z</Snapshot>")
	case OldVersion:
		p.add("<VersionId>2026-11-01T00:00:00.0000000Z</VersionId>")
	case Deleted:
		p.add("<Deleted>true</Deleted>")
	case VersionsOnly:
		p.add("<HasVersionsOnly>true</HasVersionsOnly>")
	}
	p.standing(started, etag, 0)
	p.add(restOfProperties, "</Properties><OrMetadata /></Blob>")
}

// escaped is text for XML.
func escaped(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || strings.ContainsRune(`<>&'"`, r) }) {
		return text
	}
	var b strings.Builder
	xml.EscapeText(&b, []byte(text)) // a strings.Builder takes everything
	return b.String()
}
