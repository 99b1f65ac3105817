package storage

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// listed is what we read of one <Blob> of a listing.
// Source: https://learn.microsoft.com/rest/api/storageservices/list-blobs
type listed struct {
	name        string
	size        int64  // -1: not told
	etag        string // without quotes
	modified    time.Time
	created     time.Time
	directory   bool   // of a hierarchical namespace
	marker      bool   // its metadata says that it stands for a directory
	aside       string // it is no blob but a snapshot or the like; empty: it is one
	retainUntil time.Time
	retainMode  string
	held        bool
}

// listPolicy takes the body of a listing from the SDK, which would spend half a minute on a million blobs, and hands it an
// empty one. It runs once per request, after the retries and with the whole body in memory.
type listPolicy struct{}

// listBody in a context is where the body goes.
type listBody struct{}

func (listPolicy) Do(req *policy.Request) (*http.Response, error) {
	answer, err := req.Next()
	body, wanted := req.Raw().Context().Value(listBody{}).(*[]byte)
	if err != nil || !wanted || answer.StatusCode != http.StatusOK {
		return answer, err
	}
	*body, err = runtime.Payload(answer)
	answer.Body = io.NopCloser(strings.NewReader(""))
	return answer, err
}

// maxPageBlobs is the most blobs that Azure puts on a page.
const maxPageBlobs = 5_000

// readPage calls yield for each blob of a page, and returns how many there were and the marker of the next page. An element
// that is missing, or there twice, is an error: a listing must not end because something was not understood.
func readPage(body []byte, yield func(listed) error) (blobs int, next string, err error) {
	x := &xmlReader{data: body}
	var lists, markers int
	err = x.document(func(root xmlToken) error {
		if string(root.text) != "EnumerationResults" {
			return errors.New("something that is no listing")
		}
		return x.each(root, func(t xmlToken) (err error) {
			switch string(t.text) {
			case "Blobs":
				lists++
				return x.each(t, func(t xmlToken) error {
					if blobs++; blobs > maxPageBlobs {
						return fmt.Errorf("a page of a listing with more than %d blobs", maxPageBlobs)
					}
					return readBlob(x, t, yield)
				})
			case "NextMarker":
				markers++
				next, err = textOf(x, t)
				return err
			}
			return x.skip(t)
		})
	})
	switch {
	case err == nil && lists != 1:
		err = errors.New("a page without blobs")
	case err == nil && markers != 1:
		err = errors.New("a page that does not tell whether another one follows")
	}
	return blobs, next, err
}

// readBlob reads one blob, and hands it to yield.
func readBlob(x *xmlReader, blob xmlToken, yield func(listed) error) error {
	if string(blob.text) != "Blob" {
		return errors.New("a listing with something that is no blob")
	}
	b := listed{size: -1}
	var snapshot, version string
	var current, deleted, versionsOnly bool
	err := x.each(blob, func(t xmlToken) (err error) {
		switch string(t.text) {
		case "Name":
			b.name, err = nameOf(x, t)
		case "Properties":
			err = x.each(t, func(t xmlToken) error { return b.property(x, t) })
		case "Metadata":
			err = x.each(t, func(t xmlToken) error { return b.metadata(x, t) })
		case "Snapshot":
			snapshot, err = textOf(x, t)
		case "Deleted":
			deleted, err = isTrue(x, t)
		case "HasVersionsOnly":
			versionsOnly, err = isTrue(x, t)
		case "VersionId":
			version, err = textOf(x, t)
		case "IsCurrentVersion":
			current, err = isTrue(x, t)
		default:
			err = x.skip(t)
		}
		return err
	})
	if err != nil {
		return err
	}
	switch {
	case snapshot != "":
		b.aside = "a snapshot"
	case deleted:
		b.aside = "a deleted blob"
	case versionsOnly:
		b.aside = "versions of a deleted blob"
	case version != "" && !current:
		b.aside = "an old version"
	}
	return yield(b)
}

// property reads an element of the properties.
func (b *listed) property(x *xmlReader, t xmlToken) (err error) {
	switch string(t.text) {
	case "Content-Length":
		b.size, err = sizeOf(x, t)
	case "Etag":
		b.etag, err = textOf(x, t)
		b.etag = strings.Trim(b.etag, `"`)
	case "Last-Modified":
		b.modified, err = timeOf(x, t)
	case "Creation-Time":
		b.created, err = timeOf(x, t)
	case "ResourceType":
		var kind string
		kind, err = textOf(x, t)
		b.directory = strings.EqualFold(kind, "directory")
	case "ImmutabilityPolicyUntilDate":
		b.retainUntil, err = timeOf(x, t)
	case "ImmutabilityPolicyMode":
		b.retainMode, err = textOf(x, t)
	case "LegalHold":
		b.held, err = isTrue(x, t)
	default:
		err = x.skip(t)
	}
	return err
}

// metadata reads an element of the metadata, of which only the mark of a directory matters.
func (b *listed) metadata(x *xmlReader, t xmlToken) error {
	if !strings.EqualFold(string(t.text), folderMark) {
		return x.skip(t)
	}
	value, err := textOf(x, t)
	b.marker = b.marker || strings.EqualFold(value, "true")
	return err
}

// nameOf is a blob's name. Azure percent-encodes those that XML cannot hold.
func nameOf(x *xmlReader, t xmlToken) (string, error) {
	encoded, err := x.attribute(t, "Encoded")
	if err != nil {
		return "", err
	}
	name, err := textOf(x, t)
	switch {
	case err != nil || encoded == "" || encoded == "false":
		return name, err
	case encoded != "true":
		return "", errors.New("a name that is encoded in an unknown way")
	}
	if name, err = url.PathUnescape(name); err != nil || !utf8.ValidString(name) {
		return "", errors.New("a name that is wrongly encoded")
	}
	return name, nil
}

func textOf(x *xmlReader, t xmlToken) (string, error) {
	text, err := x.text(t)
	return string(text), err
}

func isTrue(x *xmlReader, t xmlToken) (bool, error) {
	text, err := x.text(t)
	if value := string(text); err == nil && value != "true" && value != "false" && value != "" {
		err = errors.New("something that is neither true nor false")
	}
	return string(text) == "true", err
}

func sizeOf(x *xmlReader, t xmlToken) (int64, error) {
	text, err := x.text(t)
	if err != nil {
		return 0, err
	}
	size, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || size < 0 {
		return 0, errors.New("a size that is no number")
	}
	return size, nil
}

func timeOf(x *xmlReader, t xmlToken) (time.Time, error) {
	text, err := x.text(t)
	if err != nil || len(text) == 0 {
		return time.Time{}, err
	}
	when, err := time.Parse(http.TimeFormat, string(text))
	if err != nil {
		return time.Time{}, errors.New("a date that is none")
	}
	return when, nil
}
