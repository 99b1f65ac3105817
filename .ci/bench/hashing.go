package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/seed-3480f271/provenance/provenance/storage"
)

var discard = log.New(io.Discard, "", 0)

// Sizes of the two folders that are hashed.
const (
	large, largeCount = 64 << 20, 16
	small, smallCount = 4 << 10, 20_000
)

// largeFiles compares hashing a folder of large files with twice what one core can do in memory.
func (b *bed) largeFiles() error {
	dir, err := b.files("large", large, largeCount)
	if err != nil {
		return err
	}
	var ours, peer []cost
	buffer := make([]byte, large)
	for range 5 {
		c, err := b.hashLocal(dir)
		if err != nil {
			return err
		}
		start := time.Now()
		for range 4 {
			sha256.Sum256(buffer)
		}
		one := float64(4*large) / time.Since(start).Seconds()
		ours = append(ours, c)
		peer = append(peer, cost{wall: time.Duration(float64(large*largeCount) / (one * float64(min(2, runtime.NumCPU()))) * 1e9)})
	}
	rate := func(c cost) float64 { return float64(large*largeCount) / (1 << 20) / c.wall.Seconds() }
	row("hashing 64 MiB files, MiB/s (peer: 2 × one core)", "", rate(median(ours)), rate(median(peer)), "ratio >= 0.85")
	return nil
}

// smallFiles compares with the tool that an auditor would use.
func (b *bed) smallFiles() error {
	dir, err := b.files("small", small, smallCount)
	if err != nil {
		return err
	}
	ours, peer, err := pair(rounds,
		func(int) (cost, error) { return b.hashLocal(dir) },
		func(int) (cost, error) {
			cmd := exec.Command("sh", "-c", "find . -type f -print0 | xargs -0 -P2 sha256sum >/dev/null")
			cmd.Dir = dir
			start := time.Now()
			err := cmd.Run()
			return cost{wall: time.Since(start)}, err
		})
	if err != nil {
		return err
	}
	row("hashing 20,000 × 4 KiB (peer: xargs -P2 sha256sum)", "ms", milliseconds(ours.wall), milliseconds(peer.wall), "ratio <= 0.25")
	return nil
}

// hashLocal hashes a local folder.
func (b *bed) hashLocal(dir string) (cost, error) {
	f, err := storage.Open(context.Background(), dir, storage.Options{})
	if err != nil {
		return cost{}, err
	}
	return b.hash(f, nil)
}

// files makes a folder of files with different contents.
func (b *bed) files(name string, size, count int) (string, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	random := rand.NewChaCha8([32]byte{})
	data := make([]byte, size)
	for i := range count {
		_, _ = random.Read(data[:min(size, 4096)]) // never fails
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("part-%05d", i)), data, 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}
