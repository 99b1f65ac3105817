package folder

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// A journal holds the digests that one run finished. It begins with a frame that names the folder, and has a frame for each
// file. A frame is
//
//	<length of the payload, 4 bytes><CRC-32C of the payload, 4 bytes><payload>
//
// both numbers little endian. The payload of a file is the length of its name (a varint), its name, and a binary entry. Each
// run writes a journal of its own and reads those of earlier runs, so that two of them never write one file. What a killed run
// wrote last may be torn: reading ends there.
const (
	journalMagic  = "provenance folder state v1\n" // and the URI: the first frame
	journalSuffix = ".journal"
	frameHead     = 8
	maxFrame      = 16 << 10
	maxFrames     = 4 * MaxFiles // of all journals of a folder
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// state keeps the digests of a folder over interrupted runs. A nil one keeps none.
type state struct {
	finder  finder // what earlier runs left
	resumed int64

	mu      sync.Mutex
	journal *os.File
	frame   []byte
}

// openState reads the journals that earlier runs left of the folder uri in dir, and begins another one.
func openState(dir, temporaries, uri string) (_ *state, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, provenance.Misuse("", "the state cannot be kept: %v", err)
	}
	root, err := openStateFolder(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close() // was read only; the journal stays open
	s := &state{}
	if s.finder, err = readJournals(root, temporaries, uri); err == nil {
		if s.journal, err = newJournal(root, uri); err == nil {
			err = s.write([]byte(journalMagic + uri))
		}
	}
	if err != nil {
		s.close()
		return nil, fmt.Errorf("the state in %s: %w", dir, err)
	}
	return s, nil
}

// openStateFolder opens the folder itself: a link leads anywhere, and whoever can write beside it could put one there.
func openStateFolder(dir string) (*os.Root, error) {
	dir = filepath.Clean(dir) // a slash at its end would follow a link
	here, err := os.Lstat(dir)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, provenance.Misuse("", "the state cannot be kept: %v", err)
	}
	there, err := root.Stat(".")
	if err == nil && !os.SameFile(here, there) {
		err = provenance.Misuse("name what it points to", "the state cannot be kept: %s is a symbolic link", dir)
	}
	if err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// newJournal makes a file that was not there.
func newJournal(root *os.Root, uri string) (*os.File, error) {
	for {
		name := fmt.Sprintf("%s%d%s", journalPrefix(uri), rand.Uint64(), journalSuffix)
		file, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) // which follows no link
		if !errors.Is(err, os.ErrExist) {
			return file, err
		}
	}
}

func (s *state) close() {
	if s == nil {
		return
	}
	if s.journal != nil {
		s.journal.Close() // a frame that was lost is read again
	}
	if s.finder.lookup != nil {
		s.finder.close()
	}
}

// ClearState removes what runs left in the folder State, once nothing has to be resumed any more. A folder that is not there
// has nothing in it.
func ClearState(dir string) error {
	root, err := openStateFolder(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close() // nothing is written
	entries, err := fs.ReadDir(root.FS(), ".")
	for _, e := range entries {
		if journalName().MatchString(e.Name()) && e.Type().IsRegular() { // what else lies there is somebody else's
			err = errors.Join(err, root.Remove(e.Name()))
		}
	}
	return err
}

// journalName is what all journals are called.
var journalName = pattern.New(`^[0-9a-f]{32}-[0-9]+\.journal$`)

// journalPrefix begins the name of each journal of a folder.
func journalPrefix(uri string) string {
	sum := sha256.Sum256([]byte(uri))
	return hex.EncodeToString(sum[:16]) + "-"
}

// append writes down that a file is finished.
func (s *state) append(e IndexEntry) error {
	if s == nil {
		return nil
	}
	payload := binary.AppendUvarint(nil, uint64(len(e.Name)))
	if err := s.write(appendEntry(append(payload, e.Name...), e)); err != nil {
		return fmt.Errorf("the state cannot be kept: %w", err)
	}
	return nil
}

func (s *state) write(payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frame = appendFrame(s.frame[:0], payload)
	_, err := s.journal.Write(s.frame)
	return err
}

func appendFrame(b, payload []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(payload, castagnoli))
	return append(b, payload...)
}

// take is the digest that an interrupted run left of a file, if the file is what it was.
func (s *state) take(o storage.Object) (IndexEntry, bool, error) {
	if s == nil || s.finder.lookup == nil {
		return IndexEntry{}, false, nil
	}
	was, place, err := s.finder.find(o.Name)
	if err != nil || place < 0 || !unchanged(was, o) {
		return IndexEntry{}, false, err
	}
	s.resumed++
	return was, true, nil
}

// settled is how long before it was read a local file must have been changed last. Clocks of file systems tick coarsely: a
// later change could else have the same change time.
const settled = time.Second

// unchanged tells whether a file is what it was, for as long as its digest counts.
func unchanged(was IndexEntry, now storage.Object) bool {
	if was.Size != now.Size || was.ETag != now.ETag || !was.Modified.Equal(now.Modified) {
		return false
	}
	return now.ETag != "" || sameInode(was, now)
}

// sameInode tells whether a local file is the one that was hashed, and had settled by then. Its change time, which nobody can set, moves
// when its bytes do; another file, which can have the same one, has another inode.
func sameInode(was IndexEntry, now storage.Object) bool {
	return now.Changed != 0 && was.changed == now.Changed && now.Inode != 0 && was.inode == now.Inode &&
		time.Unix(0, now.Changed).Add(settled).Before(was.HashedAt)
}

// count is how many files were taken.
func (s *state) count() int64 {
	if s == nil {
		return 0
	}
	return s.resumed
}

// readJournals makes an index of all journals of a folder; an empty finder when there are none.
func readJournals(root *os.Root, temporaries, uri string) (finder, error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return finder{}, err
	}
	all, frames := newSorter(temporaries), 0
	defer all.close()
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), journalPrefix(uri)) || !strings.HasSuffix(e.Name(), journalSuffix) {
			continue
		}
		err := readJournalFile(root, e.Name(), uri, func(e IndexEntry) error {
			if frames++; frames > maxFrames {
				return provenance.Refuse("data.state", "remove the folder", "the state holds more than %d digests", maxFrames)
			}
			return all.addEntry(e)
		})
		if err != nil {
			return finder{}, err
		}
	}
	if frames == 0 {
		return finder{}, nil
	}
	return lastOfEach(all, temporaries)
}

// lastOfEach makes an index of the entries that were hashed last.
func lastOfEach(all *sorter, dir string) (finder, error) {
	w, err := newIndexWriter(dir)
	if err != nil {
		return finder{}, err
	}
	defer w.close()
	var last IndexEntry
	err = all.each(func(key, value []byte) error {
		e, err := readEntry(string(key), value)
		if e.Name != last.Name && last.Name != "" {
			w.add(last)
		}
		if e.Name != last.Name || e.HashedAt.After(last.HashedAt) {
			last = e
		}
		return err
	})
	if err != nil {
		return finder{}, err
	}
	w.add(last)
	index, err := w.finish()
	if err != nil {
		return finder{}, err
	}
	return index.finder()
}

// readJournalFile reads one journal. A pipe would be waited for, and a link leads anywhere: what is opened has to be the file that
// was looked at.
func readJournalFile(root *os.Root, name, uri string, yield func(IndexEntry) error) error {
	path := filepath.Join(root.Name(), name)
	here, err := root.Lstat(name)
	if err != nil {
		return err
	}
	noFile := provenance.Refuse("data.state", "remove it", "%s is no file", path)
	if !here.Mode().IsRegular() {
		return noFile
	}
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close() // was read only
	if there, err := file.Stat(); err != nil || !os.SameFile(here, there) {
		return noFile
	}
	return readJournal(file, path, uri, yield)
}

// readJournal yields the files of a journal, up to its end or to where it is torn. A journal of another folder, or of another
// program, is refused as data.state: somebody put it there.
func readJournal(r io.Reader, path, uri string, yield func(IndexEntry) error) error {
	frames := bufio.NewReaderSize(r, maxFrame+frameHead)
	first, ok := nextFrame(frames)
	if !ok {
		return nil // torn at once
	}
	if string(first) != journalMagic+uri {
		return provenance.Refuse("data.state", "remove the file", "%s is no state of %s", path, uri)
	}
	for {
		payload, ok := nextFrame(frames)
		if !ok {
			return nil
		}
		e, err := readFinished(payload)
		if err != nil {
			return nil // as good as torn
		}
		if err := yield(e); err != nil {
			return err
		}
	}
}

// readFinished reads the payload of a frame.
func readFinished(payload []byte) (IndexEntry, error) {
	d := decoder{rest: payload}
	name := string(d.take(d.uvarint()))
	if d.bad || name == "" || checkName(name) != nil {
		return IndexEntry{}, errEntry
	}
	e, err := readEntry(name, d.rest)
	if err == nil && (e.SHA256.IsZero() || !e.By.IsZero() || !isDate(e.HashedAt) || checkETag(e.ETag) != nil) {
		err = errEntry
	}
	return e, err
}

// nextFrame is the next frame's payload, if it is whole. It is the caller's until the next call.
func nextFrame(r *bufio.Reader) ([]byte, bool) {
	head, err := r.Peek(frameHead)
	if err != nil {
		return nil, false
	}
	size, sum := binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint32(head[4:])
	if size > maxFrame {
		return nil, false
	}
	frame, err := r.Peek(frameHead + int(size))
	if err != nil || crc32.Checksum(frame[frameHead:], castagnoli) != sum {
		return nil, false
	}
	r.Discard(len(frame)) // was peeked
	return frame[frameHead:], true
}
