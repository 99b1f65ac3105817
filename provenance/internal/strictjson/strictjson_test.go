package strictjson

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

var cases = []struct{ name, in, wantErr string }{
	{"object", `{"a":{"b":[1,2,{"a":null}]},"c":"a"}`, ""},
	{"scalar", ` 17 `, ""},
	{"same key in siblings", `[{"a":1},{"a":2}]`, ""},
	{"string values equal to keys", `{"a":"a","b":"a"}`, ""},
	{"duplicate", `{"a":1,"a":2}`, `"a" stands twice`},
	{"duplicate after a nested value", `{"a":{"x":[]},"a":2}`, `"a" stands twice`},
	{"differs in case", `{"subject":1,"Subject":2}`, `"Subject" stands twice`},
	{"long s folds to s", "{\"subject\":1,\"\u017fubject\":2}", "stands twice"},
	{"kelvin folds to k", "{\"k\":1,\"\u212a\":2}", "stands twice"},
	{"escaped duplicate", `{"a":1,"\u0061":2}`, `"a" stands twice`},
	{"too deep", `[[[[1]]]]`, "deeper than 3"},
	{"two values", `{} {}`, "more than one"},
	{"trailing garbage", `{}x`, "more than one"},
	{"truncated", `{"a":`, "unexpected EOF"},
	{"empty", ``, "unexpected EOF"},
	{"not JSON", `{a:1}`, "not JSON"},
}

func TestCheck(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := Check([]byte(c.in), 3+strings.Count(c.name, "object"))
			if c.wantErr == "" && err != nil {
				t.Fatal(err)
			}
			if c.wantErr != "" && (err == nil || !strings.Contains(err.Error(), c.wantErr)) {
				t.Fatalf("error %v, want one with %q", err, c.wantErr)
			}
		})
	}
}

func TestCheckSmall(t *testing.T) {
	const nine = `{"a":[1,"b",{}]}`
	if err := CheckSmall([]byte(nine), 3, 9); err != nil {
		t.Error(err)
	}
	for text, small := range map[string]bool{nine: false, nine + "]": false, `{"a":[1,"b",}`: true, `{"a":1,"A":1}`: true} {
		if err := CheckSmall([]byte(text), 3, 8); err == nil || errors.Is(err, ErrTooMany) == small {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestUnmarshal(t *testing.T) {
	var v struct{ A string }
	if err := Unmarshal([]byte(`{"a":"x","unknown":1}`), 2, &v); err != nil || v.A != "x" {
		t.Fatalf("%+v, %v", v, err)
	}
	if err := Unmarshal([]byte(`{"a":"x","A":"y"}`), 2, &v); err == nil {
		t.Fatal("duplicate keys were read")
	}
}

// FuzzCheck: what passes is valid JSON for encoding/json too, and a depth of one bears no nesting.
func FuzzCheck(f *testing.F) {
	for _, c := range cases {
		f.Add(c.in)
	}
	if len(cases) < 10 {
		f.Fatal("no seeds")
	}
	f.Fuzz(func(t *testing.T, in string) {
		err := Check([]byte(in), 100)
		if err == nil && !json.Valid([]byte(in)) {
			t.Fatalf("%q passed and is not JSON", in)
		}
	})
}
