package policy

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

const schemaFile = "../../spec/policy-v1.schema.json"

// schema compiles the schema that editors use.
func schema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	compiled, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// plainYAML reads a file as editors do: a date is text.
func plainYAML(t testing.TB, text []byte) any {
	t.Helper()
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	return plainNode(t, root.Content[0])
}

func plainNode(t testing.TB, n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plainNode(t, n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			list = append(list, plainNode(t, c))
		}
		return list
	}
	switch n.ShortTag() {
	case "!!int", "!!float":
		return json.Number(n.Value)
	case "!!bool":
		b, _ := strconv.ParseBool(n.Value)
		return b
	case "!!null":
		return nil
	}
	return n.Value
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestSchemaTakesWhatTheReaderTakes: the example, and a policy with every key.
func TestSchemaTakesWhatTheReaderTakes(t *testing.T) {
	for _, name := range []string{"../../../examples/policy.yaml", "testdata/whole.yaml"} {
		if err := schema(t).Validate(plainYAML(t, readFile(t, name))); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWholePolicyHasEveryKey: of the schema, so that the page, the schema and the reader know the same keys.
func TestWholePolicyHasEveryKey(t *testing.T) {
	var root map[string]any
	if err := json.Unmarshal(readFile(t, schemaFile), &root); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	usedKeys(plainYAML(t, readFile(t, "testdata/whole.yaml")), used)
	page := string(readFile(t, "../../spec/policy-v1.md"))
	known := 0
	for _, key := range schemaKeys(root) {
		known++
		if !used[key] {
			t.Errorf("testdata/whole.yaml does not use the key %s", key)
		}
		if !strings.Contains(page, key) {
			t.Errorf("the page does not explain the key %s", key)
		}
	}
	if known < 60 {
		t.Errorf("only %d keys were found", known)
	}
	for key := range (&reader{policy: &Policy{}}).fields() {
		if root["properties"].(map[string]any)[key] == nil {
			t.Errorf("the schema does not know the key %s", key)
		}
	}
}

func usedKeys(v any, used map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			used[key] = true
			usedKeys(value, used)
		}
	case []any:
		for _, item := range v {
			usedKeys(item, used)
		}
	}
}

// schemaKeys are the names of all properties, each once.
func schemaKeys(v any) (keys []string) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			if properties, ok := value.(map[string]any); ok && key == "properties" {
				for name := range properties {
					keys = append(keys, name)
				}
			}
			keys = append(keys, schemaKeys(value)...)
		}
	case []any:
		for _, item := range v {
			keys = append(keys, schemaKeys(item)...)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// TestSchemaRefusesMistakes that an editor can show while they are made.
func TestSchemaRefusesMistakes(t *testing.T) {
	compiled := schema(t)
	for _, text := range []string{"a: 1", "version: 2", "version: 1\nSource: {clean: true}", "version: 1\nsource: {branch: x}", "version: 1\nsource: {clean: 'true'}", "version: 1\nsource: {basis: declared}",
		"version: 1\nsource: []", "version: 1\nbuilders: [{id: x}]", "version: 1\nbuilders: [{keys: [a]}]", "version: 1\ndata: {immutability: [unknown]}", "version: 1\ndata: {protectedUntil: 2033}",
		"version: 1\ndata: {protectedFor: 90d}", "version: 1\nmetrics: {values: {auc: '=> 0.8'}}", "version: 1\nmetrics: {values: {auc: '0.8'}}", "version: 1\nchecks: {modelInImage: allowed}",
		"version: 1\nchecks: {basis: declared}", "version: 1\napprovals: {review: 0}", "version: 1\napprovals: {distinct: [author]}", "version: 1\nattestations: [{name: a b, type: 'https://x', keys: [a]}]",
		"version: 1\nrules: [{name: a, expression: b}]", "version: 1\ndeny: {commits: [e670024]}", "version: 1\nrecheck: all", "version: 1\nserial: 0",
		"version: 1\nbuilders: [{id: x, identities: [{issuer: y}]}]", "version: 1\nbuilders: [{id: x, identities: [{san: a, sanPattern: b}]}]"} {
		if err := compiled.Validate(plainYAML(t, []byte(text))); err == nil {
			t.Errorf("the schema takes %q", text)
		}
		if _, err := Parse("p.yaml", []byte(text), func(string) ([]byte, error) { return nil, fmt.Errorf("no such file") }); err == nil {
			t.Errorf("the reader takes %q", text)
		}
	}
}

// TestWholePolicyIsRead: the policy with every key is one, and each of its lists has what it says.
func TestWholePolicyIsRead(t *testing.T) {
	p, err := Parse("testdata/whole.yaml", readFile(t, "testdata/whole.yaml"), func(name string) ([]byte, error) {
		if strings.HasSuffix(name, ".json") {
			return []byte(`{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1"}`), nil
		}
		return []byte(newKey(t)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(p.Serial, p.Expires.Year(), p.TrustedRoot != nil, len(p.Builders[0].Who), len(p.Signature), p.MaxAge, len(p.Source), len(p.Data), len(p.Databricks), len(p.Metrics[0].Values),
		len(p.Model), len(p.Checks[0].Of), p.Approvals[0].Distinct, len(p.Attestations), len(p.Rules), len(p.Deny), string(p.Recheck) == "listing", p.AllowDisagreement)
	if want := "7 2030 true 4 1 720h0m0s 1 1 1 2 1 13 [author approver deployer] 2 1 5 true false"; got != want {
		t.Errorf("read %s, want %s", got, want)
	}
	first, third := p.Builders[0].Who[0], p.Builders[0].Who[2]
	if !first.Windowed() || first.Covers(first.Until) || !first.Covers(first.From) || first.IsIdentity() || !third.IsIdentity() || !third.Windowed() || p.Builders[0].Who[3].Windowed() {
		t.Errorf("who: %+v", p.Builders[0].Who)
	}
}
