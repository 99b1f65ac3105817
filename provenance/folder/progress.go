package folder

import "sync"

// Progress is how far a folder is. Of a shard, its own files are counted. Files whose digests are reused are done at once.
type Progress struct {
	Files, Bytes             int64 // done
	ListedFiles, ListedBytes int64 // to be done, as far as the listing has come
	Listed                   bool  // it has come to its end
}

// meter counts what the listing and all workers did.
type meter struct {
	mu     sync.Mutex
	now    Progress
	report func(Progress)
}

func (m *meter) add(more Progress) {
	if m.report == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Files += more.Files
	m.now.Bytes += more.Bytes
	m.now.ListedFiles += more.ListedFiles
	m.now.ListedBytes += more.ListedBytes
	m.now.Listed = m.now.Listed || more.Listed
	m.report(m.now)
}

func (m *meter) listedAll() { m.add(Progress{Listed: true}) }
