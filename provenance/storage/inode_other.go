//go:build !unix

package storage

import "io/fs"

// inode is not known here: size and modification time alone pin a file.
func inode(fs.FileInfo) uint64 { return 0 }
