//go:build unix

package storage

import (
	"io/fs"
	"syscall"
)

// placeOf tells a file from another one that was put in its place.
func placeOf(info fs.FileInfo) place {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return place{uint64(stat.Dev), uint64(stat.Ino)}
	}
	return place{}
}
