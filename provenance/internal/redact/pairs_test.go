package redact

import (
	"strings"
	"testing"
	"time"
)

func TestPairs(t *testing.T) {
	for in, want := range map[string]string{
		`password: Hunter2`:                       `password: [removed]`,
		`DB_PASSWORD=Hunter2 x=1`:                 `DB_PASSWORD=[removed] x=1`,
		`{"db_password":"Hunter2","x":NaN}`:       `{"db_password":"[removed]","x":NaN}`,
		`{'password': 'Hunter2', 'n': 1}`:         `{'password': '[removed]', 'n': 1}`,
		`['--password','Hunter2']`:                `['--password','[removed]']`,
		`{"a":"{\"password\":\"Hunter2\"}"}`:      `{"a":"{\"password\":\"[removed]\"}"}`,
		`Server=x;Password=a b;`:                  `Server=x;Password=[removed] b;`,
		`Server=x;Password=Hun<&2;n=1`:            `Server=x;Password=[removed];n=1`,
		`password="Hunter2`:                       `password=[removed]`,
		`Authorization: Bearer Hunter2`:           `Authorization: [removed]`,
		`env: {"v": "API_KEY=Hunter2"}`:           `env: {"v": "API_KEY=[removed]"}`,
		`Fix password: handling of it`:            `Fix password: handling of it`,
		`azureml:token_data:3 r/token-service:1`:  `azureml:token_data:3 r/token-service:1`,
		`token={{secrets/a/b}} password=`:         `token={{secrets/a/b}} password=`,
		`primary_key=loan_id password_policy=yes`: `primary_key=loan_id password_policy=yes`,
		`max_tokens: 5, tokenizer: bert`:          `max_tokens: 5, tokenizer: bert`,
		`password=[removed], n=1`:                 `password=[removed], n=1`,
	} {
		if got := Pairs(in); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", in, got, want)
		}
	}
}

func TestPairsOfLongTexts(t *testing.T) {
	begin := time.Now()
	for _, part := range []string{`a=`, `a="a='`, `password=`, `password:"`, `-x','`} {
		Pairs(strings.Repeat(part, 1<<20/len(part)))
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestNames(t *testing.T) {
	for _, name := range strings.Fields("db_pass storagekey sharedkey pass pw PGPASS dbpasswd storageSharedKey") {
		if !IsSecretName(name) {
			t.Errorf("%s is not taken for a secret", name)
		}
	}
	for _, name := range strings.Fields("primary_key foreign_key sort_key partition_key password_policy compass bypass") {
		if IsSecretName(name) {
			t.Errorf("%s is taken for a secret", name)
		}
	}
}

func TestWhere(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":[{"b":1},{"conn":"Password=Hunter2;"}]}`: "a[1].conn",
		`{"a b":{"c":"the known-value"}}`:              "[…].c",
		`{"known-value":1}`:                            "[…]",
		`{"a":"fine"}`:                                 "",
		`no JSON known-value`:                          "",
	} {
		if got := Where([]byte(in), "known-value"); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestKnown(t *testing.T) {
	if got := Known("abc is known-value", "abc", "", "known-value"); got != "abc is [removed]" {
		t.Errorf("got %q", got)
	}
}
