package image

import (
	"context"
	"errors"
	"maps"
	"path"
	"strings"
)

// kind is what a name stands for in a file system, or in one layer of it.
type kind uint8

const (
	directory kind = iota
	regular
	symlink
	hardlink // to a name that its own layer does not have
	whiteout // removes the name from the layers below
	other    // devices, pipes: they take a name, and are never a model
)

// node is a name in a file system or in a layer. Nodes of a finished tree never change: merged trees share them.
type node struct {
	kind     kind
	opaque   bool     // hides what lower layers have below this name
	wanted   *content // of a regular file with content that is looked for
	target   string   // of links
	children map[string]*node
}

// content is one digest that is looked for; it is compared by address.
type content struct{ hex string }

// put enters n as a child, as unpacking does: a directory joins a directory, everything else replaces. What the layer hides
// stays hidden.
func (d *node) put(name string, n *node) {
	old := d.children[name]
	if old != nil {
		n.opaque = n.opaque || old.opaque
		if old.kind == directory && n.kind == directory {
			old.opaque = n.opaque
			return
		}
	}
	if d.children == nil {
		d.children = map[string]*node{}
	}
	d.children[name] = n
}

// lookup is the node at a clean path, no link followed; nil if there is none.
func (d *node) lookup(file string) *node {
	for name := range strings.SplitSeq(strings.Trim(file, "/"), "/") {
		if name == "" {
			continue
		}
		if d = d.children[name]; d == nil {
			return nil
		}
	}
	return d
}

// walk calls visit with every name below d that exists and is not a directory, and its path: at, joined with the rest.
func (d *node) walk(at string, visit func(file string, n *node)) {
	for name, child := range d.children {
		switch file := path.Join(at, name); child.kind {
		case directory:
			child.walk(file, visit)
		case whiteout:
		default:
			visit(file, child)
		}
	}
}

// merger merges layers until ctx ends; what it gives then is not complete. hidden is told every tree of the lower layers that
// is hidden.
type merger struct {
	ctx    context.Context
	hidden func(at string, lower *node)
}

// merge is upper over lower, as overlayfs does it: a directory joins a directory, everything else hides what lies below.
// Where a lower layer has a symbolic link and the upper one has names below it, they make a directory, which replaces the
// link.
// Source: https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md
func (m merger) merge(at string, lower, upper *node) *node {
	switch {
	case lower == nil, m.ctx.Err() != nil:
		return upper
	case upper.kind != directory, upper.opaque, lower.kind != directory:
		m.hidden(at, lower)
		return upper
	}
	both := &node{kind: directory, opaque: lower.opaque, children: maps.Clone(lower.children)}
	if both.children == nil {
		both.children = map[string]*node{}
	}
	for name, child := range upper.children {
		both.children[name] = m.merge(path.Join(at, name), lower.children[name], child)
	}
	return both
}

// resolve is the tree of a layer with its hard links to lower layers replaced by what they point to.
func (d *node) resolve(lower *node) *node {
	switch d.kind {
	case directory:
		copied := *d
		copied.children = make(map[string]*node, len(d.children))
		for name, child := range d.children {
			copied.children[name] = child.resolve(lower)
		}
		return &copied
	case hardlink:
		if lower != nil {
			if target := lower.lookup(d.target); target != nil && target.kind == regular {
				return target
			}
		}
		return &node{kind: other}
	}
	return d
}

// maxPath is the longest name that Linux opens, in bytes. It also bounds the steps of following links.
const maxPath = 4096

// split makes components of a tar entry's name. It is cleaned as container runtimes do, without a look at links.
func split(name string) ([]string, error) {
	if len(name) > maxPath {
		return nil, errors.New("a name is longer than 4096 bytes")
	}
	clean := strings.TrimLeft(path.Clean(name), "/")
	switch {
	case clean == "." || clean == "":
		return nil, nil
	case clean == ".." || strings.HasPrefix(clean, "../"):
		return nil, errors.New("a name leads out of the image")
	}
	return strings.Split(clean, "/"), nil
}
