package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/folder"
	"github.com/seed-3480f271/provenance/provenance/provtest"
	"github.com/seed-3480f271/provenance/provenance/storage"
)

// shape is a folder of blobs of one size.
type shape struct{ count, size int }

var (
	smallBlobs   = shape{20_000, 4 << 10}
	largeBlobs   = shape{64, 64 << 20}
	millionBlobs = shape{1_000_000, 16}
	manyNights   = shape{100_000, 4 << 10} // of which one in a hundred is new
	largeNights  = shape{100, 64 << 20}
)

func (s shape) String() string {
	if s.size < 1<<20 {
		return fmt.Sprintf("%d × %d KiB", s.count, s.size>>10)
	}
	return fmt.Sprintf("%d × %d MiB", s.count, s.size>>20)
}

func (s shape) serve() *blobs { return serveBlobs(s.count, s.size) }

// rate is MiB a second.
func (s shape) rate(c cost) float64 {
	return float64(s.count) * float64(s.size) / (1 << 20) / c.wall.Seconds()
}

const container, prefix = "lake", "data"

// double compares with the peer on the server of this program, which is faster than any client.
func (b *bed) double() error {
	for _, s := range []struct {
		shape
		bound string
	}{{smallBlobs, "ratio >= 1.2"}, {largeBlobs, "ratio >= 1"}} {
		blobs := s.serve()
		err := b.versusRclone("double", blobs.url(), s.shape, s.bound, rounds)
		blobs.server.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// azurite compares on the emulator, which is what takes the time there.
func (b *bed) azurite() (err error) {
	t := &tools{}
	defer t.end(&err)
	for _, s := range []shape{smallBlobs, largeBlobs} {
		url := provtest.Azurite(t)
		made, files := s.serve(), map[string][]byte{}
		for i := range s.count {
			files[fmt.Sprintf("%s/part-%07d", prefix, i)] = made.body(i)
		}
		made.server.Close()
		provtest.Upload(t, url, container, files)
		if err := b.versusRclone("Azurite", url, s, "", 4); err != nil {
			return err
		}
	}
	return nil
}

// versusRclone hashes the same folder with both programs, as they come.
func (b *bed) versusRclone(where, url string, s shape, bound string, rounds int) error {
	rclone, err := tool("rclone")
	if err != nil {
		return err
	}
	ours, peer, err := pair(rounds,
		func(int) (cost, error) { return b.run(b.program, "digest", url+"/"+container+"/"+prefix+"/") },
		func(int) (cost, error) {
			return b.run(rclone, "--config", "", "hashsum", "sha256", "--download", "--azureblob-account", account, "--azureblob-key", accountKey,
				"--azureblob-endpoint", url, ":azureblob:"+container+"/"+prefix)
		})
	if err != nil {
		return err
	}
	row(fmt.Sprintf("%s, %s, MiB/s (rclone hashsum)", where, s), "", s.rate(ours), s.rate(peer), bound)
	row("  peak memory", "Mi", ours.rss, peer.rss, "ratio <= 0.5")
	return nil
}

// million shows what a million blobs take.
func (b *bed) million() error {
	blobs := millionBlobs.serve()
	defer blobs.server.Close()
	f, err := openBlobs(blobs)
	if err != nil {
		return err
	}
	listed, err := list(f)
	if err != nil {
		return err
	}
	hashed, err := b.run(b.program, "digest", f.URI())
	if err != nil {
		return err
	}
	row("1,000,000 blobs, bare listing", "s", listed.wall.Seconds(), 0, "")
	row("  hashed", "s", hashed.wall.Seconds(), 0, "")
	row("  peak memory", "Mi", hashed.rss, 0, "<= 128 MiB")
	return nil
}

// nights shows a second night, with one new blob in a hundred: of small blobs against a bare listing, which costs the same
// whatever their size, and of large ones against the first night.
func (b *bed) nights() error {
	for _, s := range []shape{manyNights, largeNights} {
		n, err := b.twoNights(s)
		if err != nil {
			return err
		}
		row(fmt.Sprintf("second night, %s, MiB read (new)", s), "Mi", n.read, n.fresh, "ratio = 1")
		if s == manyNights {
			row("  wall (bare listing)", "ms", milliseconds(n.second.wall), milliseconds(n.listing.wall), "ratio <= 1.2")
		} else {
			row("  wall of the first night (second)", "ms", milliseconds(n.first.wall), milliseconds(n.second.wall), "ratio >= 50")
		}
	}
	return nil
}

// night is what two nights cost.
type night struct {
	first, second, listing cost
	read, fresh            float64 // MiB
}

func (b *bed) twoNights(s shape) (n night, err error) {
	blobs := s.serve()
	defer blobs.server.Close()
	f, err := openBlobs(blobs)
	if err != nil {
		return n, err
	}
	previous, first, err := b.firstNight(f)
	if err != nil {
		return n, err
	}
	n.first = first
	blobs.fresh = s.count / 100
	n.fresh = float64(blobs.fresh) * float64(s.size) / (1 << 20)
	n.second, n.listing, err = pair(rounds, func(int) (cost, error) {
		before := blobs.sent.Load()
		c, err := b.hash(f, previous)
		n.read = float64(blobs.sent.Load()-before) / (1 << 20)
		return c, err
	}, func(int) (cost, error) { return list(f) })
	return n, err
}

// firstNight hashes everything, and answers with what the second night may reuse.
func (b *bed) firstNight(f storage.Folder) (*folder.Previous, cost, error) {
	dir, err := os.MkdirTemp(b.dir, "first-")
	if err != nil {
		return nil, cost{}, err
	}
	start := time.Now()
	r, err := folder.Hash(context.Background(), f, folder.Options{Dir: dir})
	if err != nil {
		return nil, cost{}, err
	}
	c := cost{wall: time.Since(start)}
	text, err := r.Index().Open()
	if err != nil {
		return nil, c, err
	}
	defer text.Close() // was read only
	index, err := folder.ReadIndex(text, dir, r.Digest)
	return &folder.Previous{Index: index, Statement: provenance.SumSHA256([]byte("the first night"))}, c, err
}

// hash hashes a folder as record does.
func (b *bed) hash(f storage.Folder, previous *folder.Previous) (cost, error) {
	dir, err := os.MkdirTemp(b.dir, "hash-")
	if err != nil {
		return cost{}, err
	}
	defer os.RemoveAll(dir)
	start := time.Now()
	_, err = folder.Hash(context.Background(), f, folder.Options{Dir: dir, Previous: previous})
	return cost{wall: time.Since(start)}, err
}

// list lists a folder, and does nothing with what it holds.
func list(f storage.Folder) (cost, error) {
	start := time.Now()
	err := f.List(context.Background(), func(storage.Object) error { return nil })
	return cost{wall: time.Since(start)}, err
}

func openBlobs(b *blobs) (storage.Folder, error) {
	return storage.Open(context.Background(), b.url()+"/"+container+"/"+prefix+"/", storage.Options{})
}
