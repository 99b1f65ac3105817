package storage

import (
	"io/fs"
	"syscall"
)

// changedAt is the time of the last change, in nanoseconds since 1970. Unlike the modification time nobody can choose it.
func changedAt(info fs.FileInfo) int64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Ctimespec.Nano()
	}
	return 0
}
