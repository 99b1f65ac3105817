package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// blobs is a storage account with one container of made-up blobs, any number of them: nothing is kept for a blob, so that the
// server costs little beside its clients. Names, ETags and bytes follow from a blob's number.
//
// Sources: https://learn.microsoft.com/rest/api/storageservices/list-blobs and /get-blob
type blobs struct {
	count, size int
	fresh       int // so many blobs, spread evenly, are of a second night
	sent        atomic.Int64
	server      *httptest.Server
	pool        []byte
}

// pageSize is how many blobs Azure lists in one answer.
const pageSize = 5000

// shift is how far the contents of one blob and the next are apart in the pool.
const shift = 64

func serveBlobs(count, size int) *blobs {
	b := &blobs{count: count, size: size, pool: make([]byte, size+1<<20)}
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b.pool) // never fails
	b.server = httptest.NewServer(b)
	return b
}

// Account and key of the emulator, public and the same everywhere.
// Source: https://learn.microsoft.com/azure/storage/common/storage-use-azurite#well-known-storage-account-and-key
const (
	account    = "devstoreaccount1"
	accountKey = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

func (b *blobs) url() string { return b.server.URL + "/" + account }

// version is 2 for a blob that was written after the first night.
func (b *blobs) version(i int) int {
	if b.fresh > 0 && i%(b.count/b.fresh) == 0 {
		return 2
	}
	return 1
}

func (b *blobs) body(i int) []byte {
	from := (i*b.version(i) + b.version(i)) * shift % (len(b.pool) - b.size)
	return b.pool[from : from+b.size]
}

func (b *blobs) etag(i int) string { return fmt.Sprintf("0x8DE%07X%d", i, b.version(i)) }

var (
	created  = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Format(http.TimeFormat)
	modified = [3]string{1: created, 2: time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC).Format(http.TimeFormat)}
)

// ServeHTTP answers the requests with which a folder is read. Nobody is asked for a password.
func (b *blobs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	_, name, isBlob := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"+account+"/"), "/")
	switch {
	case query.Get("comp") == "list":
		b.list(w, query.Get("prefix"), query.Get("marker"))
	case query.Has("restype"), !isBlob: // of the container, or of the account
		w.Header().Set("x-ms-is-hns-enabled", "false")
		w.Header().Set("x-ms-has-immutability-policy", "false")
		w.Header().Set("x-ms-has-legal-hold", "false")
		w.Header().Set("Last-Modified", created)
	default:
		b.get(w, r, name)
	}
}

// list is a page. A marker is the number of its first blob.
func (b *blobs) list(w http.ResponseWriter, prefix, marker string) {
	from, _ := strconv.Atoi(marker) // none is 0
	to := min(from+pageSize, b.count)
	if !strings.HasPrefix("data/part-", prefix) {
		from, to = b.count, b.count
	}
	var page bytes.Buffer
	page.WriteString(`<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>`)
	for i := from; i < to; i++ {
		fmt.Fprintf(&page, "<Blob><Name>data/part-%07d</Name><Properties><Creation-Time>%s</Creation-Time><Last-Modified>%s</Last-Modified>"+
			"<Etag>%s</Etag><Content-Length>%d</Content-Length><Content-Type>application/octet-stream</Content-Type><BlobType>BlockBlob</BlobType>"+
			"<AccessTier>Hot</AccessTier><LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState></Properties></Blob>",
			i, created, modified[b.version(i)], b.etag(i), b.size)
	}
	page.WriteString("</Blobs><NextMarker>")
	if to < b.count {
		page.WriteString(strconv.Itoa(to))
	}
	page.WriteString("</NextMarker></EnumerationResults>")
	w.Header().Set("Content-Type", "application/xml")
	_, _ = w.Write(page.Bytes()) // a client that leaves is no fault of ours
}

// get sends a blob, or its end.
func (b *blobs) get(w http.ResponseWriter, r *http.Request, name string) {
	i, err := strconv.Atoi(strings.TrimPrefix(name, "data/part-"))
	if err != nil || i >= b.count {
		w.Header().Set("x-ms-error-code", "BlobNotFound")
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if match := strings.Trim(r.Header.Get("If-Match"), `"`); match != "" && match != b.etag(i) {
		w.Header().Set("x-ms-error-code", "ConditionNotMet")
		w.WriteHeader(http.StatusPreconditionFailed)
		return
	}
	body, status := b.body(i), http.StatusOK
	if from, found := strings.CutPrefix(r.Header.Get("x-ms-range"), "bytes="); found {
		start, _ := strconv.Atoi(strings.TrimSuffix(from, "-"))
		body, status = body[start:], http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, b.size-1, b.size))
	}
	h := w.Header()
	h.Set("ETag", `"`+b.etag(i)+`"`)
	h.Set("Last-Modified", modified[b.version(i)])
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Content-Type", "application/octet-stream")
	h.Set("x-ms-blob-type", "BlockBlob")
	w.WriteHeader(status)
	if r.Method == http.MethodGet {
		n, _ := w.Write(body)
		b.sent.Add(int64(n))
	}
}
