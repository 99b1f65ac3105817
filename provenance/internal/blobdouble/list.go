package blobdouble

import (
	"encoding/xml"
	"net/http"
	"strconv"
)

// enumeration is the answer to List Blobs.
type enumeration struct {
	XMLName    xml.Name `xml:"EnumerationResults"`
	Blobs      []item   `xml:"Blobs>Blob"`
	NextMarker string   `xml:"NextMarker"`
}

type item struct {
	Name       string     `xml:"Name"`
	Properties properties `xml:"Properties"`
	Metadata   *metadata  `xml:"Metadata"`
}

type properties struct {
	Created      string `xml:"Creation-Time"`
	Modified     string `xml:"Last-Modified"`
	ETag         string `xml:"Etag"`
	Length       int    `xml:"Content-Length"`
	Encoding     string `xml:"Content-Encoding"`
	ResourceType string `xml:"ResourceType,omitempty"`
	BlobType     string `xml:"BlobType"`
}

// metadata is written as elements called by the keys.
type metadata map[string]string

func (m metadata) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	for name, value := range m {
		if err := e.EncodeElement(value, xml.StartElement{Name: xml.Name{Local: name}}); err != nil {
			return err
		}
	}
	return e.EncodeToken(start.End())
}

// list answers List Blobs; a marker is the number of blobs before the page.
func (s *Server) list(w http.ResponseWriter, r *http.Request, container string, fault Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	query := r.URL.Query()
	names := s.names(container, query.Get("prefix"))
	from, _ := strconv.Atoi(query.Get("marker"))
	to := len(names)
	var page enumeration
	if size := s.PageSize; size > 0 && from+size < to {
		to = from + size
		page.NextMarker = strconv.Itoa(to)
	}
	if fault.Marker != "" {
		page.NextMarker = fault.Marker
	}
	for _, name := range names[min(from, to):to] {
		page.Blobs = append(page.Blobs, itemOf(name, s.containers[container][name], query.Get("include") == "metadata"))
	}
	w.Header().Set("Content-Type", "application/xml")
	xml.NewEncoder(w).Encode(page) // a client that leaves is no fault of ours
}

func itemOf(name string, b *Blob, withMetadata bool) item {
	i := item{Name: name, Properties: properties{Created: started.Format(http.TimeFormat), Modified: b.modified.Format(http.TimeFormat),
		ETag: b.etag, Length: len(b.Data), Encoding: b.ContentEncoding, BlobType: "BlockBlob"}}
	if b.Directory {
		i.Properties.ResourceType = "directory"
	}
	if withMetadata && len(b.Metadata) > 0 {
		m := metadata(b.Metadata)
		i.Metadata = &m
	}
	return i
}
