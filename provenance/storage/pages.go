package storage

import (
	"fmt"
	"hash/maphash"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
)

// Azure leaves pages empty where a partition ends, and ends every listing; five million blobs are a thousand full pages.
const (
	maxEmptyPages = 100
	maxPages      = 1_000_000
)

// pages watches over a listing, which may lead nowhere.
type pages struct {
	seed  maphash.Seed
	seen  map[uint64]bool // hashes of continuation markers, which may be long
	empty int             // pages since the last blob
}

func newPages() *pages { return &pages{seed: maphash.MakeSeed(), seen: map[uint64]bool{}} }

// check says what is wrong with the next page; empty means nothing.
func (p *pages) check(page container.ListBlobsFlatResponse) string {
	if page.Segment == nil {
		return "a page without blobs"
	}
	if p.empty++; len(page.Segment.BlobItems) > 0 {
		p.empty = 0
	}
	marker := ""
	if page.NextMarker != nil {
		marker = *page.NextMarker
	}
	hash := maphash.String(p.seed, marker)
	switch {
	case p.empty > maxEmptyPages:
		return fmt.Sprintf("more than %d pages of a listing without a blob", maxEmptyPages)
	case p.seen[hash]:
		return "a page of a listing twice"
	case len(p.seen) == maxPages:
		return fmt.Sprintf("more than %d pages of a listing", maxPages)
	}
	p.seen[hash] = true
	return ""
}
