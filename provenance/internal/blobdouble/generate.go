package blobdouble

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sort"
	"strconv"
	"strings"
	"time"
)

// generated are blobs that exist nowhere until they are asked for.
type generated struct {
	n    int
	blob func(i int) (name string, size int64)
}

// Generate fills a container with n blobs that take no memory, in place of what it held. blob gives name and size of the
// i-th; the names ascend as a flat account lists them. ETags, times and bytes depend on i alone, so that a container that is
// generated again, with more blobs, holds the first ones unchanged. Their first eight bytes tell them apart.
func (s *Server) Generate(container string, n int, blob func(i int) (name string, size int64)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.container(container).million = &generated{n, blob}
}

func etagOf(i int) string        { return fmt.Sprintf("0x8DF%013X", i) }
func modifiedOf(i int) time.Time { return started.Add(time.Duration(i%86_400) * time.Second) }

// list fills a page. A marker is the index of the next page's first blob.
func (g *generated) list(p *page, size int) {
	i, _ := strconv.Atoi(p.marker)
	p.items = make([]byte, 0, size<<10)
	for listed := 0; i < g.n; i++ {
		name, bytes := g.blob(i)
		if !strings.HasPrefix(name, p.prefix) {
			continue
		}
		if listed == size {
			p.next = strconv.Itoa(i)
			return
		}
		listed++
		p.name(name)
		p.standing(modifiedOf(i), etagOf(i), bytes)
		p.add("<Content-Encoding />", restOfProperties, "</Properties><OrMetadata /></Blob>")
	}
}

// find is the index of a name.
func (g *generated) find(name string) (int, bool) {
	i := sort.Search(g.n, func(i int) bool {
		at, _ := g.blob(i)
		return compareUTF16(at, name) >= 0
	})
	if i == g.n {
		return 0, false
	}
	at, _ := g.blob(i)
	return i, at == name
}

// getGenerated answers for one generated blob. Of the faults it knows those that break the body, and SendBytes.
func (s *Server) getGenerated(w http.ResponseWriter, r *http.Request, g *generated, name string, fault Fault) {
	i, found := g.find(name)
	if !found {
		fail(w, Fault{Status: http.StatusNotFound, Code: "BlobNotFound"})
		return
	}
	if !matches(w, r, etagOf(i)) {
		return
	}
	_, size := g.blob(i)
	start, status := startOf(w, r, size)
	end := size
	if fault.SendBytes > 0 {
		end = start + int64(fault.SendBytes)
	}
	standing(w.Header(), etagOf(i), modifiedOf(i), end-start)
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	if fault != (Fault{}) {
		s.write(w, r, generatedBytes(i, start, end), fault)
		return
	}
	for start < end {
		next := min(end, start+int64(len(noise)))
		if _, err := w.Write(generatedBytes(i, start, next)); err != nil {
			return
		}
		start = next
	}
}

// noise is what generated blobs are full of.
var noise = func() []byte {
	b := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(b) // never fails
	return b
}()

// generatedBytes are the bytes from start to end of the i-th blob: its index, and then noise. Where it can it returns a part
// of noise, which is not to be written to.
func generatedBytes(i int, start, end int64) []byte {
	at := start % int64(len(noise))
	if start >= 8 && at+end-start <= int64(len(noise)) {
		return noise[at : at+end-start]
	}
	b := make([]byte, end-start)
	for n := 0; n < len(b); {
		n += copy(b[n:], noise[(start+int64(n))%int64(len(noise)):])
	}
	var index [8]byte
	binary.BigEndian.PutUint64(index[:], uint64(i))
	if start < 8 {
		copy(b, index[start:])
	}
	return b
}
