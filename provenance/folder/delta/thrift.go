package delta

import (
	"encoding/binary"
	"errors"
)

// Limits of a thrift struct. Lists are allocated as long as they say before their elements are read.
const (
	maxThriftDepth   = 32
	maxThriftStructs = 200_000   // elements of lists that are structs, of up to 500 bytes in memory each
	maxThriftScalars = 2_000_000 // other elements
)

// Types of the compact protocol.
// Source: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

var errThrift = errors.New("its metadata is not valid, or too large")

// thriftWalk goes through a struct in thrift's compact protocol, and keeps nothing of it.
type thriftWalk struct {
	data             []byte // what is left
	structs, scalars int    // elements of lists, so far
}

// thriftLength is how many bytes of data a struct takes that keeps to the limits.
func thriftLength(data []byte) (int, error) {
	w := &thriftWalk{data: data}
	if !w.structure(0) {
		return 0, errThrift
	}
	return len(data) - len(w.data), nil
}

func (w *thriftWalk) structure(depth int) bool {
	for depth < maxThriftDepth {
		head, ok := w.byte()
		switch {
		case !ok:
			return false
		case head == 0:
			return true
		}
		if head>>4 == 0 && !w.varint() { // the field's id follows
			return false
		}
		if kind := head & 15; kind != thriftTrue && kind != thriftFalse && !w.value(kind, depth+1) {
			return false
		}
	}
	return false
}

// value goes through a value that is no boolean field: those lie in the field's head.
func (w *thriftWalk) value(kind byte, depth int) bool {
	switch kind {
	case thriftTrue, thriftFalse, thriftByte:
		return w.skip(1)
	case thriftByte + 1, thriftByte + 2, thriftI64:
		return w.varint()
	case thriftDouble:
		return w.skip(8)
	case thriftBinary:
		n, ok := w.uvarint()
		return ok && w.skip(n)
	case thriftList, thriftSet:
		return depth < maxThriftDepth && w.list(depth+1)
	case thriftMap:
		return depth < maxThriftDepth && w.mapping(depth+1)
	case thriftStruct:
		return w.structure(depth)
	}
	return false
}

func (w *thriftWalk) list(depth int) bool {
	head, ok := w.byte()
	n := uint64(head >> 4)
	if ok && n == 15 {
		n, ok = w.uvarint()
	}
	return ok && w.elements(n, depth, head&15)
}

func (w *thriftWalk) mapping(depth int) bool {
	n, ok := w.uvarint()
	if !ok || n == 0 {
		return ok
	}
	kinds, ok := w.byte()
	return ok && w.elements(n, depth, kinds>>4, kinds&15)
}

// elements goes through n elements of values of these kinds.
func (w *thriftWalk) elements(n uint64, depth int, kinds ...byte) bool {
	if n > uint64(len(w.data)) { // each takes a byte at least
		return false
	}
	for _, kind := range kinds {
		if kind == thriftStruct || kind == thriftList || kind == thriftSet || kind == thriftMap {
			w.structs += int(n)
		} else {
			w.scalars += int(n)
		}
	}
	if w.structs > maxThriftStructs || w.scalars > maxThriftScalars {
		return false
	}
	for range n {
		for _, kind := range kinds {
			if !w.value(kind, depth) {
				return false
			}
		}
	}
	return true
}

func (w *thriftWalk) byte() (byte, bool) {
	if len(w.data) == 0 {
		return 0, false
	}
	b := w.data[0]
	w.data = w.data[1:]
	return b, true
}

func (w *thriftWalk) skip(n uint64) bool {
	if n > uint64(len(w.data)) {
		return false
	}
	w.data = w.data[n:]
	return true
}

func (w *thriftWalk) uvarint() (uint64, bool) {
	n, length := binary.Uvarint(w.data)
	if length <= 0 {
		return 0, false
	}
	w.data = w.data[length:]
	return n, true
}

func (w *thriftWalk) varint() bool {
	_, ok := w.uvarint()
	return ok
}
