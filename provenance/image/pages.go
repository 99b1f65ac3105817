package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
)

// pages reads a list page by page. yield gets each page, and may name the path of the next one for registries that do not
// send a Link. A list that never ends, or comes round again, is an error.
func (r *registry) pages(ctx context.Context, path, what string, yield func(page []byte, status int) (next string, err error), statuses ...int) error {
	seen := map[string]bool{}
	for n := 0; path != ""; n++ {
		if n >= r.limits.pages {
			return &LimitError{what, fmt.Sprintf("%d pages", r.limits.pages)}
		}
		if seen[path] {
			return fmt.Errorf("%s has no end: its page %d was there before", what, n+1)
		}
		seen[path] = true
		raw, resp, err := r.read(ctx, call{method: http.MethodGet, path: path}, r.limits.page, what, statuses...)
		if err != nil {
			return err
		}
		next, err := yield(raw, resp.StatusCode)
		if err != nil {
			return err
		}
		link := nextLink(resp.Header.Values("Link"))
		if path = next; link != "" && next != lastPage {
			if path, err = r.resolve(resp.Request.URL, link); err != nil {
				return err
			}
		}
		if path == lastPage {
			return nil
		}
	}
	return nil
}

// lastPage is returned by a yield that has seen enough.
const lastPage = "."

// nextLink is the target of rel="next" in Link headers, or empty.
// Source: https://www.rfc-editor.org/rfc/rfc8288#section-3
func nextLink(headers []string) string {
	for _, link := range strings.Split(strings.Join(headers, ","), ",") {
		target, params, _ := strings.Cut(link, ";")
		target = strings.TrimSpace(target)
		if !strings.HasPrefix(target, "<") || !strings.HasSuffix(target, ">") {
			continue
		}
		for _, param := range strings.Split(params, ";") {
			key, value, _ := strings.Cut(strings.TrimSpace(param), "=")
			if strings.EqualFold(key, "rel") && strings.EqualFold(strings.Trim(value, `"`), "next") {
				return target[1 : len(target)-1]
			}
		}
	}
	return ""
}

// tagPage is how many tags are asked for at once.
const tagPage = 1000

// tagsWithPrefix are the repository's tags that begin so. Registries list tags in order, so that one page is enough; those
// that do not, or do not know where to begin, are read to the end.
// Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-tags
func (r *registry) tagsWithPrefix(ctx context.Context, prefix string) ([]string, error) {
	l := tagLister{prefix: prefix, last: prefix, limit: r.limits.tags, what: "the list of tags of " + r.name()}
	err := r.pages(ctx, tagPath(prefix), l.what, func(raw []byte, _ int) (string, error) { return l.page(raw) }, http.StatusOK)
	if errors.Is(err, errMissing) { // no tags at all
		return nil, nil
	}
	slices.Sort(l.found)
	return slices.Compact(l.found), err
}

func tagPath(last string) string {
	return fmt.Sprintf("tags/list?n=%d&last=%s", tagPage, url.QueryEscape(last))
}

// tagLister picks tags from the pages of a list.
type tagLister struct {
	prefix, last, what string
	limit, read        int
	found              []string
}

// page takes one page, and names the next one.
func (l *tagLister) page(raw []byte) (next string, err error) {
	var page struct {
		Tags []string `json:"tags"`
	}
	if err := strictjson.Unmarshal(raw, maxDepth, &page); err != nil {
		return "", fmt.Errorf("%s is not valid: %w", l.what, err)
	}
	if l.read += len(page.Tags); l.read > l.limit {
		return "", tooMany(l.what, l.limit)
	}
	for _, tag := range page.Tags {
		if strings.HasPrefix(tag, l.prefix) && validTag(tag) {
			l.found = append(l.found, tag)
		}
	}
	if len(page.Tags) == 0 || !slices.IsSorted(page.Tags) || page.Tags[0] <= l.last { // in no order, or not from where we asked
		return "", nil
	}
	l.last = page.Tags[len(page.Tags)-1]
	switch {
	case !strings.HasPrefix(l.last, l.prefix):
		return lastPage, nil
	case len(page.Tags) >= tagPage && validTag(l.last):
		return tagPath(l.last), nil
	}
	return "", nil
}

// validTag tells whether a registry could have such a tag.
// Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
func validTag(tag string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
	return tag != "" && len(tag) <= 128 && strings.Contains(letters, tag[:1]) && strings.Trim(tag, letters+".-") == ""
}

// without are the items that are not in the set.
func without(items []string, set map[string]bool) []string {
	return slices.DeleteFunc(slices.Clone(items), func(s string) bool { return set[s] })
}
