package summary

import (
	"slices"
	"testing"

	"github.com/seed-3480f271/provenance/provenance"
)

// TestCheck: everything that is asked for has to be said, and each thing that is not has its own code.
func TestCheck(t *testing.T) {
	good := func() Want {
		s := example(t)
		return Want{Image: digest(t, "3f1c9a"), PolicyDigests: []provenance.Digest{digest(t, "77"), digest(t, "9ab04e")}, VerifierID: s.Verifier.ID,
			Levels: []string{BuildLevel1}, ResourceURI: s.ResourceURI}
	}
	for name, c := range map[string]struct {
		want  func(*Want)
		edit  func(*Summary)
		codes []string
	}{
		"all of it":             {},
		"only the image":        {want: func(w *Want) { *w = Want{Image: w.Image} }},
		"a platform":            {want: func(w *Want) { w.Image = digest(t, "4d") }},
		"another image":         {want: func(w *Want) { w.Image = digest(t, "77") }, codes: []string{CodeImage}},
		"no image to ask for":   {want: func(w *Want) { w.Image = provenance.Digest{} }, codes: []string{CodeImage}},
		"a subject without one": {want: func(w *Want) { w.Image = provenance.Digest{} }, edit: func(s *Summary) { s.Subjects[0].Digest = nil }, codes: []string{CodeImage}},
		"failed":                {edit: func(s *Summary) { s.Result, s.Levels = Failed, []string{LevelFailed} }, codes: []string{CodeFailed, CodeLevel}},
		"another policy":        {want: func(w *Want) { w.PolicyDigests = w.PolicyDigests[:1] }, codes: []string{CodePolicy}},
		"a policy of no digest": {edit: func(s *Summary) { s.Policy.Digest = nil }, codes: []string{CodePolicy}},
		"a zero policy digest":  {want: func(w *Want) { w.PolicyDigests = []provenance.Digest{{}} }, edit: func(s *Summary) { s.Policy.Digest = nil }, codes: []string{CodePolicy}},
		"another verifier":      {want: func(w *Want) { w.VerifierID += "/" }, codes: []string{CodeVerifier}},
		"another place":         {want: func(w *Want) { w.ResourceURI = ResourceURI("elsewhere.azurecr.io/mortgage", w.Image) }, codes: []string{CodeResource}},
		"its repository": {want: func(w *Want) {
			w.ResourceURI, w.Repositories = "", []string{"elsewhere.azurecr.io/mortgage", "contoso.azurecr.io/mortgage"}
		}},
		"another repository":      {want: func(w *Want) { w.Repositories = []string{"contoso.azurecr.io/mortgage-dev", "contoso.azurecr.io"} }, codes: []string{CodeResource}},
		"no repository":           {want: func(w *Want) { w.ResourceURI, w.Repositories = "", []string{"contoso.azurecr.io/mortgage"} }, edit: func(s *Summary) { s.ResourceURI = "pkg:contoso.azurecr.io/mortgage@1" }, codes: []string{CodeResource}},
		"a repository of no name": {want: func(w *Want) { w.ResourceURI, w.Repositories = "", []string{""} }, edit: func(s *Summary) { s.ResourceURI = "https://contoso.com" }, codes: []string{CodeResource}},
		"a higher level":          {want: func(w *Want) { w.Levels = []string{"SLSA_BUILD_LEVEL_2"} }, codes: []string{CodeLevel}},
		"a lower level":           {want: func(w *Want) { w.Levels = []string{"SLSA_BUILD_LEVEL_0"} }},
		"another track":           {want: func(w *Want) { w.Levels = []string{"SLSA_SOURCE_LEVEL_1"} }, codes: []string{CodeLevel}},
		"two levels, one not":     {want: func(w *Want) { w.Levels = append(w.Levels, "CONTOSO_REVIEWED", "CONTOSO_TESTED") }, edit: func(s *Summary) { s.Levels = append(s.Levels, "CONTOSO_TESTED") }, codes: []string{CodeLevel}},
		"not evaluated":           {edit: func(s *Summary) { s.Levels = []string{BuildUnevaluated} }, codes: []string{CodeLevel}},
		"not evaluated, asked":    {want: func(w *Want) { w.Levels = []string{BuildUnevaluated} }, edit: func(s *Summary) { s.Levels = []string{BuildUnevaluated} }},
		"evaluated is not that":   {want: func(w *Want) { w.Levels = []string{BuildUnevaluated} }, codes: []string{CodeLevel}},
		"the summary of nothing":  {edit: func(s *Summary) { *s = Summary{} }, codes: []string{CodeImage, CodeFailed, CodePolicy, CodeVerifier, CodeResource, CodeLevel}},
	} {
		want, s := good(), example(t)
		if c.want != nil {
			c.want(&want)
		}
		if c.edit != nil {
			c.edit(&s)
		}
		var codes []string
		for _, p := range s.Check(want) {
			codes = append(codes, p.Code)
			if p.Detail == "" || p.Expected == "" || p.Found == "" {
				t.Errorf("%s: %s does not say enough: %+v", name, p.Code, p)
			}
		}
		if !slices.Equal(codes, c.codes) {
			t.Errorf("%s: %v, want %v", name, codes, c.codes)
		}
	}
}
