package databricks

import (
	"context"
	"path"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/source/internal/foreign"
)

// followImport notes the files of the workspace or repository that an import runs. What comes from elsewhere, such as from an
// installed library, is none of them.
func (c *collection) followImport(ctx context.Context, u unit, call call) error {
	s := c.shelf(u.from)
	roots, name, why := importRoots(u, call.name)
	if why != "" {
		return c.unknown(foreign.Plain(call.name), byImport, foreign.Plain(u.path), why)
	}
	var parts []string
	if name != "" {
		parts = strings.Split(name, ".")
	}
	for _, root := range roots {
		m, err := c.module(ctx, s, root, parts)
		if err != nil {
			return err
		}
		if m.why != "" {
			return c.unlisted(ctx, u, call, m.why)
		}
		if !m.found {
			continue
		}
		files, err := c.members(ctx, s, m, call.members)
		if err != nil {
			return err
		}
		for _, file := range files {
			if err := c.takeCalled(ctx, s, u, file, byImport, false); err != nil {
				return err
			}
		}
		if len(files) > 0 || strings.HasPrefix(call.name, ".") {
			return nil
		}
	}
	return c.elsewhere(ctx, u, call)
}

// importRoots are the folders in which a module is looked for, and its name below them.
func importRoots(u unit, name string) (roots []string, rest, why string) {
	rest = strings.TrimLeft(name, ".")
	dots := len(name) - len(rest)
	if dots == 0 {
		return u.roots, rest, ""
	}
	root := path.Dir(u.path)
	for range dots - 1 {
		if root == "." || root == "/" {
			return nil, "", "it leads out of the repository"
		}
		root = path.Dir(root)
	}
	return []string{root}, rest, ""
}

// module is what a dotted name leads to.
type module struct {
	found  bool
	files  []string // that run when it is imported, outermost first
	folder string   // of a package; empty for a file
	why    string   // nobody can tell what lies there
}

// module walks down the packages of a dotted name. A package wins over a file of its name, and a file over a folder.
// Source: https://docs.python.org/3/reference/import.html#searching
func (c *collection) module(ctx context.Context, s shelf, root string, parts []string) (module, error) {
	m := module{found: true, folder: root}
	for i, part := range parts {
		entries, why, err := s.folder(ctx, m.folder)
		if why != "" || err != nil {
			return module{why: why}, err
		}
		below := path.Join(m.folder, part)
		if entries[part] == aFolder {
			inner, _, err := s.folder(ctx, below)
			if err != nil {
				return m, err
			}
			if inner["__init__.py"] != 0 {
				m.files = append(m.files, path.Join(below, "__init__.py"))
				m.folder = below
				continue
			}
		}
		switch {
		case entries[part+".py"] == aFile || entries[part] == aNotebook:
			file := below + ".py"
			if entries[part+".py"] != aFile {
				file = below
			}
			m.files, m.folder = append(m.files, file), ""
			return m, nil // what follows are names in it
		case entries[part] == aFolder:
			m.folder = below
		default:
			m.found = i > 0 && len(m.files) > 0
			m.folder = ""
			return m, nil
		}
	}
	return m, nil
}

// members adds the modules among the names that are imported from a package.
func (c *collection) members(ctx context.Context, s shelf, m module, names []string) ([]string, error) {
	files := m.files
	if m.folder == "" {
		return files, nil
	}
	for _, name := range names {
		inner, err := c.module(ctx, s, m.folder, strings.Split(name, "."))
		if err != nil {
			return nil, err
		}
		if inner.found {
			files = append(files, inner.files...)
		}
	}
	return files, nil
}

// unlisted notes an import when nobody can list where its module may lie: only what is certainly none of Python's own is told.
func (c *collection) unlisted(ctx context.Context, u unit, call call, why string) error {
	if c.commit == nil {
		return c.unknown("modules", byImport, foreign.Plain(u.path), "what it imports cannot be looked up: "+why)
	}
	return c.elsewhere(ctx, u, call)
}

// elsewhere notes an import of a name that is not where it would be looked for, but is the name of a file or package of the
// commit: the run may have found it there.
func (c *collection) elsewhere(ctx context.Context, u unit, call call) error {
	if c.commit == nil {
		return nil
	}
	if err := c.commit.load(ctx); err != nil {
		return err
	}
	first, _, _ := strings.Cut(strings.TrimLeft(call.name, "."), ".")
	if first == "" || !c.commit.hasModule(first) {
		return nil
	}
	return c.unknown(foreign.Plain(call.name), byImport, foreign.Plain(u.path), "the commit has a module of this name, but it is not known whether the run took it from there")
}

// hasModule tells whether a file or package of the commit has the name of a module.
func (c *commitIndex) hasModule(name string) bool {
	for _, file := range c.byBase[name] {
		if path.Base(file) == name+".py" {
			return true
		}
	}
	for _, file := range c.byBase["__init__.py"] {
		if path.Base(path.Dir(file)) == name {
			return true
		}
	}
	return false
}
