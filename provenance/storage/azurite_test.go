package storage

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"golang.org/x/sync/errgroup"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/seed-3480f271/provenance/provenance/internal/testtools"
)

// azurite is a container in Azurite.
type azurite struct {
	uri    string // of the container, without a slash at the end
	client *container.Client
}

func startAzurite(t *testing.T) azurite {
	uri := testtools.Azurite(t) + "/data"
	key, err := container.NewSharedKeyCredential(testtools.AzuriteAccount, testtools.AzuriteKey)
	must(t, err)
	client, err := container.NewClientWithSharedKeyCredential(uri, key, nil)
	must(t, err)
	_, err = client.Create(t.Context(), nil)
	must(t, err)
	return azurite{uri, client}
}

func (a azurite) put(t *testing.T, files map[string]string) {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(16)
	for name, text := range files {
		group.Go(func() error {
			_, err := a.client.NewBlockBlobClient(name).UploadBuffer(t.Context(), []byte(text), nil)
			return err
		})
	}
	must(t, group.Wait())
}

func TestAzurite(t *testing.T) {
	a := startAzurite(t)
	t.Run("names", func(t *testing.T) {
		want := texts(append([]string{"a//b", "cr\rlf"}, names...))
		prefixed := map[string]string{"p2/x": "another folder", "p": "a blob"}
		for name, text := range want {
			prefixed["p/"+name] = text
		}
		a.put(t, prefixed)
		if got := contents(t, open(t, a.uri+"/p/", Options{})); !maps.Equal(got, want) {
			t.Errorf("got %q\nwant %q", sortedNames(got), sortedNames(want))
		}
	})
	t.Run("pages", func(t *testing.T) { testAzuritePages(t, a) })
	t.Run("SAS", func(t *testing.T) { testAzuriteSAS(t, a) })
	t.Run("changes", func(t *testing.T) { testAzuriteChanges(t, a) })
	t.Run("encoding", func(t *testing.T) {
		gzip := "gzip"
		_, err := a.client.NewBlockBlobClient("e/x").UploadBuffer(t.Context(), []byte("not really packed"),
			&blockblob.UploadBufferOptions{HTTPHeaders: &blob.HTTPHeaders{BlobContentEncoding: &gzip}})
		must(t, err)
		if got := contents(t, open(t, a.uri+"/e/", Options{})); got["x"] != "not really packed" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("keep", func(t *testing.T) {
		testKeeper(t, a.uri+"/keep/", Options{})
		k, err := OpenKeeper(t.Context(), a.uri+"/keep", Options{SharedKey: func(string) string { return "d3Jvbmc=" }})
		must(t, err)
		err = k.Put(t.Context(), "x", provenance.SumSHA256(nil), text(""))
		wantUndecided(t, err, "access denied (403", "Storage Blob Data Contributor")
	})
	t.Run("wrong key", func(t *testing.T) {
		o := Options{SharedKey: func(string) string { return "d3Jvbmc=" }}
		err := open(t, a.uri+"/p/", o).List(t.Context(), func(Object) error { return nil })
		wantUndecided(t, err, "access denied (403", "is the key that was given one of storage account")
	})
	t.Run("protection", func(t *testing.T) {
		p := protection(t, open(t, a.uri+"/p/", Options{}))
		if known(p) != "nn??" || !strings.Contains(p.Why, "did not tell") || time.Since(p.AskedAt).Abs() > time.Hour {
			t.Errorf("got %s, %+v", known(p), p)
		}
	})
	t.Run("no container", func(t *testing.T) {
		err := open(t, strings.TrimSuffix(a.uri, "data")+"nosuch/", Options{}).List(t.Context(), func(Object) error { return nil })
		wantRefused(t, err, "data.missing", "has no container nosuch")
	})
}

// testAzuritePages lists more blobs than one answer holds.
func testAzuritePages(t *testing.T, a azurite) {
	const blobs = 5_003
	files := map[string]string{}
	for i := range blobs {
		files[fmt.Sprintf("many/%05d", i)] = "x"
	}
	a.put(t, files)
	if got := list(t, open(t, a.uri+"/many/", Options{})); len(got) != blobs {
		t.Errorf("listed %d blobs, want %d", len(got), blobs)
	}
}

// testAzuriteSAS reads with a SAS alone, and fails with an expired one.
func testAzuriteSAS(t *testing.T, a azurite) {
	a.put(t, map[string]string{"s/a": "1"})
	sign := func(expiry time.Time) string {
		start := expiry.Add(-2 * time.Hour)
		signed, err := a.client.GetSASURL(sas.ContainerPermissions{Read: true, List: true}, expiry, &container.GetSASURLOptions{StartTime: &start})
		must(t, err)
		_, query, _ := strings.Cut(signed, "?")
		return query
	}
	query := sign(time.Now().Add(time.Hour))
	for _, uri := range []string{a.uri + "/s/?" + query, a.uri + "/s?" + query} {
		f := open(t, uri, Options{})
		if got := contents(t, f); got["a"] != "1" || f.URI() != a.uri+"/s/" {
			t.Errorf("got %q as %s", got, f.URI())
		}
	}
	expired := sign(time.Now().Add(-time.Hour))
	_, err := Open(t.Context(), a.uri+"/s?"+expired, Options{})
	wantUndecided(t, err, "access denied (403", "must not have expired")
	wantNoSecret(t, err)
}

// testAzuriteChanges replaces and removes what was listed.
func testAzuriteChanges(t *testing.T, a azurite) {
	a.put(t, map[string]string{"c/replaced": "before", "c/removed": "before"})
	f := open(t, a.uri+"/c/", Options{})
	objects := list(t, f)
	a.put(t, map[string]string{"c/replaced": "after."})
	_, err := a.client.NewBlobClient("c/removed").Delete(t.Context(), nil)
	must(t, err)
	_, err = read(t.Context(), f, objects["replaced"])
	wantRefused(t, err, "data.changed", "the file replaced was replaced")
	_, err = read(t.Context(), f, objects["removed"])
	wantRefused(t, err, "data.changed", "the file removed was replaced or removed")
	if now := list(t, f)["replaced"]; azcore.ETag(now.ETag) == azcore.ETag(objects["replaced"].ETag) {
		t.Error("the ETag did not change")
	}
}
