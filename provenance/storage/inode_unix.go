//go:build unix

package storage

import (
	"io/fs"
	"syscall"
)

// inodeOf tells a file from another one that was put in its place.
func inodeOf(info fs.FileInfo) (device, inode uint64) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Dev), uint64(stat.Ino)
	}
	return 0, 0
}
