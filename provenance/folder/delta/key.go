package delta

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash/maphash"
)

// key stands for a file, by its name: half of its SHA-256. A logical file, which is a name and the id of a deletion vector, has
// a key of both, and without a vector that of its name.
type key [16]byte

func keyOf(name string) key {
	sum := sha256.Sum256([]byte(name))
	return key(sum[:16])
}

func (k key) compare(other key) int { return bytes.Compare(k[:], other[:]) }

// identity is which file an action is about.
type identity struct {
	path     string // as it is written
	spelling uint32 // a hash of it
	key      key    // of the logical file, by its decoded name
	data     key    // of the data file
	wrong    string // why it is not inside the table; empty: it is
}

// identify decodes a path. Readers take the decoded name to open a file, and the path as it is written to tell what is
// removed: two spellings of one name are two files to them, and could be taken for one here. So the spelling is remembered.
// Its hash is of this process, like that of partition values: nobody can look for another spelling with the same.
func (f *fileAction) identify() identity {
	id := identity{path: f.path, spelling: uint32(maphash.String(seed, f.path))}
	name, wrong := decodePath(f.path)
	if wrong != "" {
		name = "\x00" + f.path // no name inside has this byte
		id.wrong = fmt.Sprintf("%.200s %s", f.path, wrong)
	}
	id.data = keyOf(name)
	if id.key = id.data; f.vector == nil {
		return id
	}
	if f.vector.storage == "p" && wrong == "" {
		id.wrong = fmt.Sprintf("%.200s is the absolute path of a deletion vector", f.vector.path)
	}
	id.key = keyOf(name + "\x00" + f.vector.id())
	return id
}
