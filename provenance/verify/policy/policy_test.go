package policy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-3480f271/provenance/provenance"
)

// noFiles is a world without key files.
func noFiles(path string) ([]byte, error) { return nil, fmt.Errorf("open %s: no such file", path) }

// TestRulesAreBounded: each may cost something.
func TestRulesAreBounded(t *testing.T) {
	text := "version: 1\nrules:\n"
	for i := range maxRules + 1 {
		text += fmt.Sprintf("- {name: r%d, expression: 'true', message: m}\n", i)
	}
	_, err := Parse("p.yaml", []byte(text), noFiles)
	if want := fmt.Sprintf("p.yaml:%d:3: there are more than 200 rules", maxRules+3); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestPolicyErrors(t *testing.T) {
	sameKey := newKey(t)
	for text, want := range map[string]string{
		"":                                      "p.yaml is empty",
		"# nothing\n":                           "p.yaml is empty",
		"---\n":                                 "p.yaml:2:1: the policy is empty",
		"[]":                                    "p.yaml:1:1: the policy is empty",
		"a":                                     `p.yaml:1:1: the policy is "a"`,
		"{}":                                    "p.yaml:1:1: the policy is empty",
		"version: 1":                            "p.yaml:1:1: the policy asks for nothing",
		"version: 1\nrecheck: none":             "p.yaml:1:1: the policy asks for nothing",
		"recheck: listing":                      "p.yaml:1:1: the policy does not say its version",
		"version: 2":                            `p.yaml:1:10: version is "2"`,
		"version: '1.0'":                        `p.yaml:1:10: version is "1.0"`,
		"version: [1]":                          "p.yaml:1:10: version is a list",
		"version: 1\nversion: 1":                `p.yaml:2:1: the policy has the key "version" twice`,
		"version: 1\nSource: {clean: true}":     `p.yaml:2:1: the policy has no key "Source"`,
		"version: 1\n? [a]\n: b":                `p.yaml:2:3: the policy has no key ""`,
		"version: 1\n<<: {clean: true}":         `p.yaml:2:1: the policy has no key "<<"`,
		"version: 1\nsource:\n  branch: x":      `p.yaml:3:3: source has no key "branch"`,
		"version: 1\nsource:":                   "p.yaml:2:8: source is empty",
		"version: 1\nsource: {}":                "p.yaml:2:9: source is empty",
		"version: 1\nsource: []":                "p.yaml:2:9: source is empty",
		"version: 1\nsource: main":              `p.yaml:2:9: source is "main"`,
		"version: 1\nsource: {clean: yes}":      `p.yaml:2:17: clean is "yes"; it has to be true or false`,
		"version: 1\nsource: {clean: 'true'}":   `p.yaml:2:17: clean is "true"; it has to be true or false`,
		"version: 1\nsource: {clean: false}":    "p.yaml:2:9: source asks for nothing",
		"version: 1\nsource: {basis: declared}": "p.yaml:2:9: source asks for nothing",
		"version: 1\nsource: {repository: 7}":   `p.yaml:2:22: repository is "7"; it has to be text`,
		"version: 1\nsource: {repository: ' '}": "p.yaml:2:22: repository is empty",
		"version: 1\nsource: {repository: ~}":   "p.yaml:2:22: repository is empty",
		"version: 1\nsource: {branches: main}":  `p.yaml:2:20: branches is "main"; it has to be a list`,
		"version: 1\nsource: {branches: []}":    "p.yaml:2:20: branches is empty",
		"version: 1\nsource: {branches: [1.0]}": `p.yaml:2:21: a branch is "1.0"`,
		"version: 1\nsource: {branches: ['[']}": `p.yaml:2:21: the branch pattern "[" is wrong`,
		"version: 1\nsource: {clean: true, basis: inferred}":                           `p.yaml:2:30: basis is "inferred"; it has to be one of observed, signed, reported, declared`,
		"version: 1\ndata: {roots: []}":                                                "p.yaml:2:15: roots is empty",
		"version: 1\ndata: {roots: [lake]}":                                            `p.yaml:2:16: the root "lake" is neither`,
		"version: 1\ndata: {roots: ['/lake/../etc']}":                                  `p.yaml:2:16: the root "/lake/../etc" has a segment`,
		"version: 1\ndata: {roots: ['https://h/%2e%2e/']}":                             "has a segment",
		"version: 1\ndata: {roots: ['https://h/?sv=1']}":                               "has a query",
		"version: 1\ndata: {}":                                                         "p.yaml:2:7: data is empty",
		"version: 1\ndata: {digestsNoOlderThan: 1h}":                                   `p.yaml:2:8: data has no key "digestsNoOlderThan"`,
		"version: 1\ndata: {immutability: locked}":                                     `p.yaml:2:22: immutability is "locked"; it has to be a list`,
		"version: 1\ndata: {immutability: []}":                                         "p.yaml:2:22: immutability is empty",
		"version: 1\ndata: {immutability: [locked, Locked]}":                           `p.yaml:2:31: "Locked" is no grade of immutability that could be accepted; it has to be one of locked, locked-append, unlocked, legal-hold, version-worm, none`,
		"version: 1\ndata: {immutability: [unknown]}":                                  `p.yaml:2:23: "unknown" is no grade of immutability that could be accepted`,
		"version: 1\ndata: {immutability: [true]}":                                     `p.yaml:2:23: a grade is "true"; it has to be text`,
		"version: 1\ndata: {protectedUntil: 2033}":                                     `p.yaml:2:24: protectedUntil is "2033"; it has to be a date such as 2033-01-01`,
		"version: 1\ndata: {protectedUntil: 2033-02-30}":                               `p.yaml:2:24: protectedUntil is "2033-02-30"`,
		"version: 1\ndata: {protectedUntil: 2033-01-01T00:00:00Z}":                     `p.yaml:2:24: protectedUntil is "2033-01-01T00:00:00Z"`,
		"version: 1\ndata: {protectedUntil: [2033-01-01]}":                             "p.yaml:2:24: protectedUntil is a list",
		"version: 1\ndata:\n  protectedUntil:":                                         "p.yaml:3:18: protectedUntil is empty",
		"version: 1\ndata: {protectedFor: 90}":                                         `p.yaml:2:22: protectedFor is "90"; it has to be a time such as 2160h`,
		"version: 1\ndata: {protectedFor: 90d}":                                        `p.yaml:2:22: protectedFor is "90d"`,
		"version: 1\ndata: {protectedFor: 0}":                                          `p.yaml:2:22: protectedFor is "0"`,
		"version: 1\ndata: {protectedFor: -1h}":                                        `p.yaml:2:22: protectedFor is "-1h"`,
		"version: 1\ndata: {protectedFor: {a: b}}":                                     "p.yaml:2:22: protectedFor is a mapping",
		"version: 1\ndata: {maxDigestAge: never}":                                      `p.yaml:2:22: maxDigestAge is "never"`,
		"version: 1\ndata: {trainedOn: inferred}":                                      `p.yaml:2:19: trainedOn is "inferred"; it has to be one of observed, signed, reported, declared`,
		"version: 1\ndata: {sharedFiles: no}":                                          `p.yaml:2:21: sharedFiles is "no"; it has to be true or false`,
		"version: 1\ndatabricks: {result: ''}":                                         "p.yaml:2:22: result is empty",
		"version: 1\nmodel: {path: /app/m}":                                            "p.yaml:2:8: model asks for a path, but not",
		"version: 1\nmodel: {inImage: true, path: app/m}":                              `the model's path "app/m" is not a clean absolute path`,
		"version: 1\nmodel: {inImage: true, path: /app/../m}":                          `the model's path "/app/../m" is not`,
		"version: 1\nrecheck: all":                                                     `p.yaml:2:10: recheck is "all"; it has to be one of none, listing, content`,
		"version: 1\nallowDisagreement: 1":                                             `p.yaml:2:20: allowDisagreement is "1"`,
		"version: 1\nbuilders: {id: x}":                                                "p.yaml:2:11: builders is a mapping; it has to be a list",
		"version: 1\nbuilders: [{id: x}]":                                              "p.yaml:2:12: a builder lacks its id or its keys",
		"version: 1\nbuilders: [{keys: [k.pub]}]":                                      "p.yaml:2:20: read k.pub: open",
		"version: 1\nbuilders: [{id: x, keys: [bad.pub]}]":                             "p.yaml:2:27: bad.pub is not a public key",
		"version: 1\nbuilders: [{id: x, keys: [good.pub]}, {id: x, keys: [good.pub]}]": `p.yaml:2:39: the builder "x" is listed twice`,
		"version: 1\nbuilders: [{id: x, keys: ['-----BEGIN X-----']}]":                 "p.yaml:2 is not a public key",
		"version: 1\nserial: 0":                                                        `p.yaml:2:9: serial is "0"; it has to be a whole number from 1`,
		"version: 1\nserial: 1.5":                                                      `p.yaml:2:9: serial is "1.5"`,
		"version: 1\nserial: [1]":                                                      "p.yaml:2:9: serial is a list",
		"version: 1\nexpires: soon":                                                    `p.yaml:2:10: expires is "soon"; it has to be a date`,
		"version: 1\nserial: 4\nexpires: 2030-01-01":                                   "p.yaml:1:1: the policy asks for nothing",
		"version: 1\ntrustedRoot: r.json":                                              "p.yaml:2:14: read r.json: open r.json: no such file",
		"version: 1\nmaxAge: 0h":                                                       `p.yaml:2:9: maxAge is "0h"; it has to be a time`,
		"version: 1\nmaxAge: {a: 1h}":                                                  "p.yaml:2:9: maxAge is a mapping",
		"version: 1\nsignature: {timestamp: false}":                                    "p.yaml:2:12: signature asks for nothing",
		"version: 1\nsignature: {tlog: true}":                                          `p.yaml:2:13: signature has no key "tlog"`,
		"version: 1\nsource: {clean: true, from: x}":                                   `p.yaml:2:29: from is "x"; it has to be a date such as 2033-01-01`,
		"version: 1\nsource: {clean: true, warn: maybe}":                               `p.yaml:2:29: warn is "maybe"; it has to be true or false`,
		"version: 1\nsource: {clean: true, from: 2027-01-02, until: 2027-01-02}":       "p.yaml:2:9: source is never in force",
		"version: 1\nsource:\n- {clean: true}\n- {branch: x}":                          `p.yaml:4:4: source has no key "branch"`,
		"version: 1\nsource:\n- clean":                                                 `p.yaml:3:3: source is "clean"`,
		"version: 1\nsource: {signed: valid}":                                          `p.yaml:2:18: signed is "valid"`,
		"version: 1\ndata: {roles: [training]}":                                        `p.yaml:2:16: "training" is no role; it has to be one of train, validation, test, other`,
		"version: 1\ndata: {roles: [train, train]}":                                    `p.yaml:2:23: the role "train" is listed twice`,
		"version: 1\ndata: {newestWithin: 3}":                                          `p.yaml:2:22: newestWithin is "3"; it has to be a time`,
		"version: 1\ndatabricks: {notebooks: any}":                                     `p.yaml:2:25: notebooks is "any"; it has to be commit`,
		"version: 1\nmetrics: {basis: reported}":                                       "p.yaml:2:10: metrics asks for nothing",
		"version: 1\nmetrics: {values: [auc]}":                                         "p.yaml:2:19: values is a list; it has to be a mapping of metrics to bounds",
		"version: 1\nmetrics: {values: {}}":                                            "p.yaml:2:19: values is empty",
		"version: 1\nmetrics: {values: {auc: 0.8}}":                                    `p.yaml:2:25: the bound of auc is "0.8"; it has to be text`,
		"version: 1\nmetrics: {values: {auc: '0.8'}}":                                  `p.yaml:2:25: the bound of auc is "0.8"`,
		"version: 1\nmetrics: {values: {auc: '=> 0.8'}}":                               `p.yaml:2:25: the bound of auc is "=> 0.8"`,
		"version: 1\nmetrics: {values: {auc: '>= NaN'}}":                               `p.yaml:2:25: the bound of auc is ">= NaN"`,
		"version: 1\nmetrics: {values: {auc: '>= 1e999'}}":                             `p.yaml:2:25: the bound of auc is ">= 1e999"`,
		"version: 1\nmetrics: {values: {auc: '>= 0.8,'}}":                              `p.yaml:2:25: the bound of auc is ">= 0.8,"`,
		"version: 1\nmetrics: {values: {auc: '> 1', auc: '> 2'}}":                      `p.yaml:2:32: values has the key "auc" twice`,
		"version: 1\nmetrics: {values: {'': '> 1'}}":                                   "p.yaml:2:20: a metric has no name",
		"version: 1\nchecks: {basis: observed}":                                        "p.yaml:2:9: checks asks for nothing",
		"version: 1\nchecks: {trainedBeforeImage: allowed}":                            "p.yaml:1:1: the policy asks for nothing",
		"version: 1\nchecks: {modelInImage: allowed}":                                  "p.yaml:2:24: the check modelInImage is never false in a record",
		"version: 1\nchecks: {modelInImage: true}":                                     `p.yaml:2:24: modelInImage is "true"; it has to be one of required, allowed`,
		"version: 1\nchecks: {modelInImage: yes}":                                      `p.yaml:2:24: modelInImage is "yes"; it has to be one of required, allowed`,
		"version: 1\nchecks: {other: required}":                                        `p.yaml:2:10: checks has no key "other"`,
		"version: 1\napprovals: {basis: reported}":                                     "p.yaml:2:12: approvals asks for nothing",
		"version: 1\napprovals: {review: 0}":                                           `p.yaml:2:21: review is "0"; it has to be a whole number from 1 to 100`,
		"version: 1\napprovals: {deployment: many}":                                    `p.yaml:2:25: deployment is "many"`,
		"version: 1\napprovals: {distinct: [author]}":                                  "p.yaml:2:12: distinct compares at least two parts",
		"version: 1\napprovals: {distinct: [author, tester]}":                          `p.yaml:2:32: "tester" is no part; it has to be one of author, approver, deployer`,
		"version: 1\nattestations: {name: x}":                                          "p.yaml:2:15: attestations is a mapping; it has to be a list",
		"version: 1\nattestations: [{name: x, type: 'https://t/v1'}]":                  "p.yaml:2:16: an attestation lacks its name, its type or its keys",
		"version: 1\nattestations: [{name: x y, type: t}]":                             `p.yaml:2:23: "x y" is no name for an attestation`,
		"version: 1\nattestations: [{name: x, type: spdx, keys: [good.pub]}]":          `p.yaml:2:16: the type "spdx" is no URI`,
		"version: 1\nattestations: [{name: x, type: 'https://spdx.dev/Document', keys: [good.pub], vsa: {verifier: v}}]":                                 "p.yaml:2:16: the attestation x is no verification summary",
		"version: 1\nattestations: [{name: x, type: 'https://spdx.dev/Document', keys: [good.pub], result: PASSED}]":                                     "p.yaml:2:16: the attestation x is no test result",
		"version: 1\nattestations: [{name: x, type: 'https://a/b', keys: [good.pub]}, {name: x, type: 'https://a/b', keys: [good.pub]}]":                 `the attestation "x" is listed twice`,
		"version: 1\nattestations: [{name: x, type: 'https://slsa.dev/verification_summary/v0.2', keys: [good.pub]}]":                                    "p.yaml:2:16: the type \"https://slsa.dev/verification_summary/v0.2\" is another version of verification summaries",
		"version: 1\nattestations: [{name: x, type: 'https://SLSA.dev/verification_summary/v1', keys: [good.pub]}]":                                      "is another version of verification summaries",
		"version: 1\nattestations: [{name: x, type: 'https://slsa.dev/verification_summary/v1', keys: [good.pub], vsa: {repositories: []}}]":             "repositories is empty",
		"version: 1\nattestations: [{name: x, type: 'https://slsa.dev/verification_summary/v1', keys: [good.pub], vsa: {}}]":                             "vsa is empty",
		"version: 1\nattestations: [{name: x, type: 'https://slsa.dev/verification_summary/v1', keys: [good.pub], vsa: {policies: [sha1:aa]}}]":          `"sha1:aa" is no sha256 digest`,
		"version: 1\nattestations: [{name: x, type: 'https://slsa.dev/verification_summary/v1', keys: [good.pub], vsa: {levels: [SLSA_BUILD_LEVEL_9]}}]": `"SLSA_BUILD_LEVEL_9" is no level of SLSA`,
		"version: 1\nattestations: [{name: x, type: 'https://a/b', keys: [good.pub], from: 2027-02-01, until: 2027-01-01}]":                              "the attestation x is never in force",
		"version: 1\nrules: [{name: a, expression: 'true'}]":                                                                                             "p.yaml:2:9: a rule lacks its name, its expression or its message",
		"version: 1\nrules: [{name: 1a, expression: 'true'}]":                                                                                            `p.yaml:2:16: "1a" is no name for a rule`,
		"version: 1\nrules: [{name: a, expression: 'true', message: m}, {name: a, expression: 'true', message: m}]":                                      `the rule "a" is there twice`,
		"version: 1\nrules: [{name: a, expression: 'true', message: m, from: 2027-01-01, until: 2026-01-01}]":                                            "the rule a is never in force",
		"version: 1\nrules:\n- name: a\n  expression: record.commit.reff == \"x\"\n  message: m":                                                         "p.yaml:4:28: the expression is wrong: undefined field 'reff'",
		"version: 1\nrules:\n- name: a\n  expression: 'record.commit.ref == 7'\n  message: m":                                                            "p.yaml:4:34: the expression is wrong: found no matching overload",
		"version: 1\nrules:\n- name: a\n  expression: |\n    record.commit.dirty\n    || record.comit.dirty\n  message: m":                               "p.yaml:6:14: the expression is wrong: undefined field 'comit'",
		"version: 1\nrules:\n- name: a\n  expression: >\n    record.commit.dirty\n    || record.comit.dirty\n  message: m":                               "p.yaml:4:15: the expression is wrong: undefined field 'comit'",
		"version: 1\nrules: [{name: a, expression: '1 + 1', message: m}]":                                                                                "p.yaml:2:34: the expression is wrong: a rule is true or false",
		"version: 1\nrules: [{name: a, expression: 'record.commit.dirty &&', message: m}]":                                                               "the expression is wrong: Syntax error",
		"version: 1\nrules: [{name: a, expression: 'attestations.tests.predicate.x == 1', message: m}]":                                                  "p.yaml:2:31: the rule mentions the attestation \"tests\", which the policy does not ask for",
		"version: 1\ndeny: [x]":              "p.yaml:2:7: deny is a list",
		"version: 1\ndeny: {digest: [x]}":    `p.yaml:2:8: deny has no key "digest"`,
		"version: 1\ndeny: {digests: [abc]}": `p.yaml:2:18: "abc" is no digest that could be denied`,
		"version: 1\ndeny: {digests: ['gitCommit:" + strings.Repeat("5", 40) + "']}":                    "is no digest that could be denied",
		"version: 1\ndeny: {digests: [{because: x}]}":                                                   `"" is no digest that could be denied`,
		"version: 1\ndeny: {digests: [{value: x, why: y}]}":                                             `what is denied has no key "why"`,
		"version: 1\ndeny: {commits: [5555]}":                                                           `what is denied is "5555"; it has to be text`,
		"version: 1\ndeny: {commits: [e670024]}":                                                        `"e670024" is no commit that could be denied`,
		"version: 1\ndeny: {folders: [lake]}":                                                           `"lake" is no folder that could be denied`,
		"version: 1\ndeny: {keys: [SHA256:00]}":                                                         `"SHA256:00" is no key that could be denied`,
		"version: 1\ndeny: {invocations: []}":                                                           "p.yaml:2:21: invocations is empty",
		"version: 1\nbuilders: [{id: x, keys: [{from: 2026-01-01}]}]":                                   "p.yaml:2:27: a key lacks the key itself",
		"version: 1\nbuilders: [{id: x, keys: [{key: good.pub, until: 2026-01-01, from: 2026-01-01}]}]": "the key good.pub is never in force",
		"version: 1\nbuilders: [{id: x, keys: [{key: good.pub, since: 2026-01-01}]}]":                   `a key has no key "since"`,
		"version: 1\nbuilders: [{id: x, keys: [same.pub, {key: same.pub, until: 2027-01-01}]}]":         "p.yaml:2:37: same.pub is the same key as same.pub",
		"version: 1\nbuilders: [{id: x, identities: [{subject: y}]}]":                                   `an identity has no key "subject"`,
		"version: 1\n---\nversion: 1":                                                                   "there is a second document",
		"version: 1\n---\n- [":                                                                          "p.yaml:",
		"version: &a 1":                                                                                 "p.yaml:1:10: anchors and aliases are not allowed",
		"version: 1\nsource: &s {clean: true}\nmodel: *s":                                               "p.yaml:2:9: anchors and aliases are not allowed",
		"version: !!str 1":                     "p.yaml:1:10: tags such as !!str are not allowed",
		"version: 1\nsource: !x {clean: true}": "p.yaml:2:9: tags such as !x are not allowed",
		"version: 1\nsource: " + strings.Repeat("[", 40) + strings.Repeat("]", 40): "nested more than 16 levels deep",
		"version: 1\n\tsource: x":             "p.yaml:2:1: found a tab character",
		"version: 1\nsource: {":               "p.yaml:",
		strings.Repeat("#", maxPolicyBytes+1): "more than the limit",
		"version: \xff":                       "p.yaml: ",
	} {
		read := func(path string) ([]byte, error) {
			if path == "bad.pub" {
				return []byte("hello"), nil
			} else if path == "same.pub" {
				return []byte(sameKey), nil
			} else if path == "good.pub" {
				return []byte(newKey(t)), nil
			}
			return noFiles(path)
		}
		_, err := Parse("p.yaml", []byte(text), read)
		var misused *provenance.Misused
		if !errors.As(err, &misused) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

// TestDataRuleIsRead: as it is written; a date may be in quotes.
func TestDataRuleIsRead(t *testing.T) {
	p := parse(t, "version: 1\ndata: {protectedUntil: '2033-01-01', protectedFor: 90m, sharedFiles: true, trainedOn: declared, immutability: [none, locked-append]}")
	want := Data{ProtectedUntil: time.Date(2033, 1, 1, 0, 0, 0, 0, time.UTC), ProtectedFor: 90 * time.Minute, SharedFiles: true,
		TrainedOn: provenance.Declared, Immutability: []string{"none", "locked-append"}}
	if len(p.Data) != 1 || !reflect.DeepEqual(p.Data[0], want) {
		t.Errorf("read %+v, want %+v", p.Data, want)
	}
}

// TestPolicyKeys: a key's path is relative to the policy; inline it needs no file.
func TestPolicyKeys(t *testing.T) {
	key := newKey(t)
	var asked []string
	read := func(path string) ([]byte, error) {
		asked = append(asked, path)
		return []byte(newKey(t)), nil
	}
	inline := "\n    - |\n      " + strings.ReplaceAll(strings.TrimSpace(key), "\n", "\n      ")
	p, err := Parse("gate/release.yaml", []byte("version: 1\nbuilders:\n- id: x\n  keys:\n    - keys/a.pub\n    - ../b.pub\n    - /etc/c.pub"+inline), read)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Join("gate", "keys", "a.pub"), "b.pub", "/etc/c.pub"}
	if !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
	var names []string
	for _, k := range p.Builders[0].Who {
		names = append(names, k.Name)
	}
	if want := []string{"keys/a.pub", "../b.pub", "/etc/c.pub", "gate/release.yaml:8"}; !slices.Equal(names, want) {
		t.Errorf("names %q, want %q", names, want)
	}
}

// FuzzParsePolicy: whatever is read asks for something, and whatever is not is the caller's mistake, in one line.
func FuzzParse(f *testing.F) {
	example, err := os.ReadFile("../../../examples/policy.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(example), "version: 1\nbuilders: [{id: x, keys: [k]}]\nsource: {clean: true}\nmetrics: {values: {auc: \">= 1\"}}", "version: 1\nsource: &a {clean: *a}", "a: [[[[", "\xfe\xff\x00v", "? ? ?"} {
		f.Add([]byte(seed))
	}
	if p, err := Parse("p.yaml", example, noFiles); err != nil || p.Empty() {
		f.Fatalf("the seed is no policy: %v", err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("p.yaml", data, noFiles)
		var misused *provenance.Misused
		switch {
		case err == nil && p.Empty():
			t.Error("an empty policy")
		case err != nil && (!errors.As(err, &misused) || !strings.HasPrefix(err.Error(), "p.yaml")):
			t.Errorf("not the caller's mistake: %v", err)
		}
	})
}

// newKey is the PEM of a new public key.
func newKey(t testing.TB) string {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// parse reads a policy that is sound; any file that it names holds a new key.
func parse(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := Parse("policy.yaml", []byte(text), func(string) ([]byte, error) { return []byte(newKey(t)), nil })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestNothingHides: what a reviewer takes for the rest of a comment is none of the policy, and what is not seen is refused where it is.
func TestNothingHides(t *testing.T) {
	const text = "version: 1\nsource:\n  clean: true\n  # why:%s  warn: true\n"
	for name, c := range map[string]struct{ hidden, want string }{
		"line separator":      {"\u2028", "p.yaml:4:9: the character U+2028"},
		"paragraph separator": {"\u2029", "p.yaml:4:9: the character U+2029"},
		"next line":           {"\u0085", "p.yaml:4:9: the character U+0085"},
		"carriage return":     {"\r", "p.yaml:4:9: the character U+000D"},
		"right to left":       {"\u202e", "p.yaml:4:9: the character U+202E"},
		"zero width":          {"\u200b", "p.yaml:4:9: the character U+200B"},
		"escape":              {"\x1b[2K", "p.yaml:4:9: the character U+001B"},
		"no UTF-8":            {"\xff", "p.yaml: the text is not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("p.yaml", fmt.Appendf(nil, text, c.hidden), nil)
			var misused *provenance.Misused
			if !errors.As(err, &misused) || !strings.HasPrefix(misused.Detail, c.want) || misused.Hint == "" {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	for name, sound := range map[string]string{"Windows": "version: 1\r\nsource:\r\n  clean: true # why\r\n", "letters": "version: 1\nsource: {repository: \"https://contoso.com/größe\"} # \u00a0ok\n",
		"written out": "version: 1\nsource: {repository: \"a\\u2028b\"}\n"} {
		if _, err := Parse("p.yaml", []byte(sound), nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Parse("p.yaml", []byte("\xef\xbb\xbfversion: 1\nmaxAge: 1h\n"), nil); err != nil {
		t.Errorf("the byte order mark of Windows' editors: %v", err)
	}
}
