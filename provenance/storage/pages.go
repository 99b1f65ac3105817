package storage

import (
	"fmt"
	"hash/maphash"
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

// check says what is wrong with a page that had so many blobs and is not the last, and with the marker of the next one;
// empty means nothing.
func (p *pages) check(blobs int, marker string) string {
	if p.empty++; blobs > 0 {
		p.empty = 0
	}
	hash := maphash.String(p.seed, marker)
	switch {
	case p.empty > maxEmptyPages:
		return fmt.Sprintf("more than %d pages of a listing without a blob", maxEmptyPages)
	case p.seen[hash]:
		return "a page of a listing twice"
	case len(p.seen) >= maxPages-1:
		return fmt.Sprintf("more than %d pages of a listing", maxPages)
	}
	p.seen[hash] = true
	return ""
}
