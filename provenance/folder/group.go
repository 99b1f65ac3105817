package folder

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// GroupByURI groups digest files by the folder that their headers name, for [Merge]. Files that begin otherwise, as manifests do,
// are under the empty URI.
func GroupByURI(paths []string) (map[string][]string, error) {
	groups := map[string][]string{}
	for _, path := range paths {
		uri, err := headerURI(path)
		if err != nil {
			return nil, err
		}
		groups[uri] = append(groups[uri], path)
	}
	return groups, nil
}

// headerURI is the folder that a digest file's header names; empty if the file does not begin as one.
func headerURI(path string) (string, error) {
	file, err := openRegular(path)
	if err != nil {
		return "", err
	}
	defer file.Close() // was read only
	line, err := bufio.NewReaderSize(file, maxLine).ReadSlice('\n')
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return "", err
	}
	if !bytes.HasPrefix(line, []byte("{")) {
		return "", nil
	}
	header, _, err := parseHeader(bytes.TrimSuffix(line, []byte("\n")))
	if err != nil {
		return "", badShards("%s: %v", path, err)
	}
	return header.URI, nil
}
