package storage

import "testing"

func TestSplitDelta(t *testing.T) {
	const azure = "https://acct.blob.core.windows.net/data/t/"
	for uri, want := range map[string]struct {
		clean   string
		version int64
		asked   bool
	}{
		"/lake/t":                       {"/lake/t", 0, false},
		"/lake/t?deltaVersion=3":        {"/lake/t", 3, true},
		"/lake/what?/t/?deltaVersion=0": {"/lake/what?/t/", 0, true},
		"/lake/t?other=3":               {"/lake/t?other=3", 0, false},
		azure:                           {azure, 0, false},
		azure + "?deltaVersion=9223372036854775807": {azure, 9223372036854775807, true},
		azure + "?DeltaVersion=12":                  {azure, 12, true},
		azure + "?" + testSAS:                       {azure + "?" + testSAS, 0, false},
		azure + "?deltaVersion=3&" + testSAS:        {azure + "?" + testSAS, 3, true},
		azure + "?" + testSAS + "&deltaVersion=3":   {azure + "?" + testSAS, 3, true},
		azure + "?deltaVersion=3#top":               {azure + "#top", 3, true},
		azure + "#?deltaVersion=3":                  {azure + "#?deltaVersion=3", 0, false},
	} {
		clean, version, asked, err := SplitDelta(uri)
		if err != nil || clean != want.clean || version != want.version || asked != want.asked {
			t.Errorf("%s: got %s, %d, %v, %v", uri, clean, version, asked, err)
		}
	}
}

func TestSplitDeltaRefuses(t *testing.T) {
	const azure = "abfss://data@acct.dfs.core.windows.net/t/"
	for uri, part := range map[string]string{
		"/lake/t?deltaVersion=":                             "is not a number",
		"/lake/t?deltaVersion=-1":                           "is not a number",
		"/lake/t?deltaVersion=+1":                           "is not a number",
		"/lake/t?deltaVersion=3&x=1":                        "is not a number",
		azure + "?deltaVersion=latest&" + testSAS:           "of " + azure + " is not a number",
		azure + "?deltaVersion":                             "is not a number",
		azure + "?deltaVersion=9223372036854775808":         "is not a number",
		azure + "?deltaVersion=3&deltaVersion=4&" + testSAS: "asks for two versions",
		azure + "?" + testSAS + "&deltaVersion=%33":         "is not a number",
	} {
		_, _, asked, err := SplitDelta(uri)
		if asked {
			t.Errorf("%s: asked for a version", uri)
		}
		wantMisused(t, err, part)
		wantNoSecret(t, err)
	}
}

// TestHiddenDeltaVersion spells the parameter so that SplitDelta does not see it: Open refuses it then.
func TestHiddenDeltaVersion(t *testing.T) {
	clean, _, asked, err := SplitDelta("https://acct.blob.core.windows.net/data/?delta%56ersion=3&" + testSAS)
	if asked || err != nil {
		t.Fatalf("asked %v, %v", asked, err)
	}
	_, err = Open(t.Context(), clean, fast)
	wantMisused(t, err, "deltaVersion")
}
