package redact

import (
	"strings"
	"testing"
)

// TestPairsTakeWholeValues: also those with brackets, prefixes and schemes, and those behind names whose secret word is not the last.
func TestPairsTakeWholeValues(t *testing.T) {
	for in, want := range map[string]string{
		`{"passwords": ["Hunter2"], "n": 1}`:           `{"passwords": "[removed]", "n": 1}`,
		`{"passwords": ["a]", "Hunter2"], "n": NaN}`:   `{"passwords": "[removed]", "n": NaN}`,
		`{"password": {"value":"Hunter2"},"n":NaN}`:    `{"password": "[removed]","n":NaN}`,
		`{'secret': ['don\'t', {'x': 'Hunter2'}]} end`: `{'secret': '[removed]'} end`,
		`{\"password\": [\"a]\", \"Hunter2\"]} end`:    `{\"password\": \"[removed]\"} end`,
		`{\"password\": \"a\\\"Hunter2\"} end`:         `{\"password\": \"[removed]\"} end`,
		`{\"cmd\": \"password=Hunter2\"} end`:          `{\"cmd\": \"password=[removed]\"} end`,
		`password: ["Hunter2`:                          `password: [removed]`,
		`secrets: [don't, Hunter2] end`:                `secrets: [removed] end`,
		`{"a":{"password":{"a":"Hunter2"}}}</b>`:       `{"a":{"password":"[removed]"}}</b>`,
		`Pwd={a}}Hunter2};n=1`:                         `Pwd=[removed]};n=1`,
		`Pwd={a;Hunter2};n=1`:                          `Pwd=[removed];n=1`,
		`DB_PASSWORD_PROD=Hunter2 n`:                   `DB_PASSWORD_PROD=[removed] n`,
		`client_secret_value: Hunter2`:                 `client_secret_value: [removed]`,
		`password_old: Hunter2`:                        `password_old: [removed]`,
		`password1=Hunter2`:                            `password1=[removed]`,
		`password: swordfish user: bob`:                `password: [removed] user: bob`,
		`my password: swordfish user: bob`:             `my password: [removed] user: bob`,
		`Keep secrets: of notes`:                       `Keep secrets: of notes`,
		`Authorization: Token Hunter2`:                 `Authorization: [removed]`,
		`-H "Authorization: Token Hunter2" x`:          `-H "Authorization: [removed]" x`,
		`Authorization: Digest a="b", c="Hunter2"`:     `Authorization: [removed]`,
		"Cookie: a=b; session=Hunter2\nn: 1":           "Cookie: [removed]\nn: 1",
		`password => Hunter2`:                          `password => [removed]`,
		`password: b'Hunter2'`:                         `password: [removed]`,
		`{'password': b'Hunter2'}`:                     `{'password': '[removed]'}`,
		`password: str('Hunter2') x`:                   `password: [removed] x`,
		`password='it''s Hunter2' x`:                   `password='[removed]' x`,
		`password="""Hunter2""" x`:                     `password="""[removed]""" x`,
		`password={{secrets/a/b}}Hunter2`:              `password=[removed]`,
		`password={{Hunter2`:                           `password=[removed]`,
		`password=[removedHunter2 x`:                   `password=[removed]`,
		`password=[removed] x=[removed]`:               `password=[removed] x=[removed]`,
		`pin: 1234 password: 1234 secret=1234`:         `pin: [removed] password: [removed] secret=[removed]`,
	} {
		got := Pairs(in)
		if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", in, got, want)
		}
		if again := Pairs(got); again != got {
			t.Errorf("%s\nonce  %s\ntwice %s", in, got, again)
		}
	}
}

// TestMeasuresStay: what counts tokens and passes is no secret, nor is the folder in which a shell works.
func TestMeasuresStay(t *testing.T) {
	for _, text := range []string{
		`loss_per_token: 2.3`, `tests pass: 14`, `pass: 12/12, fail: 0`, `token_accuracy=0.91, n=1`, `token_f1: [0.1, 0.2] x`, `sig=-5e-05`, `token_loss: NaN`,
		`PWD=/azp/_work/1/s`, "x\nOLDPWD=/azp/_work\nPWD=/azp/a_work\n", `{"PWD": "/azp/_work"}`, `PWD=C:\a\b`, `eos_token: </s>`, `pad_token_id: 0`, `cls_token=[CLS]`,
		`r/token-classifier:v3`, `access_key_id: x`, `token_type: word`, `secret_name: db`,
	} {
		if got := Text(Pairs(text)); got != text || Find([]byte(text)) != nil {
			t.Errorf("%s: %s, found %q", text, got, Find([]byte(text)))
		}
	}
	for _, text := range []string{`token: a12`, `token: 1234567890123`, `pass=12a4`, `sig: 0x1234`, `Uid=x;PWD=/hunter/two;n`, `PWD=hunter22`, `MYPWD=/hunter/two`, `MY-PWD=/hunter/two`, `pwd=/hunter/two`, `access_token: 123456`} {
		if got := Text(Pairs(text)); !strings.Contains(got, Removed) {
			t.Errorf("%s stays", text)
		}
	}
}

func TestIsSecret(t *testing.T) {
	for _, pair := range [][2]string{{"token_accuracy", "0.91"}, {"pass", "12"}, {"token", "0.91"}, {"sig", "0.05"}, {"eval_token_f1", "[0.1, 0.2]"}, {"eos_token", "</s>"}, {"tokenizer.pad_token_id", "x"}, {"PWD", "/a/b"}, {"pin_memory", "true"}} {
		if IsSecret(pair[0], pair[1]) {
			t.Errorf("%q is taken for a secret", pair)
		}
	}
	for _, pair := range [][2]string{{"password", "1234"}, {"token", "17"}, {"pin", "1234"}, {"client_secret", "0.91"}, {"pass", "abc"}, {"token", "1234567890123456"}, {"PWD", "/hunter"}, {"db_pass", "12"}, {"sas", ""}} {
		if !IsSecret(pair[0], pair[1]) {
			t.Errorf("%q is not taken for a secret", pair)
		}
	}
}

// TestPairsReadTextOnce: if each value was read as far as the text goes, go test would give up before the end.
func TestPairsReadTextOnce(t *testing.T) {
	for _, part := range []string{`password=[removed`, `password={{`, `password=[`, `password: (a `, `password=a( `, `token=1.`, `password="' `, `password=\"`, `password=\'` + "\n",
		`password=b'`, `password=''`, `password=[]`, `password={{}}`, `authorization: `, `authorization: =" `, `password=a\`, `password=true `, `my password: of `, `password: aaa bbb `, `my password: aaa bbb `, `token: a `, `PWD=/a/b `, `my password: `, `password=[removed],`} {
		Pairs(strings.Repeat(part, 1<<20/len(part)))
	}
}

// TestPrivateKeysGoWhole: to their end, or to that of the text.
func TestPrivateKeysGoWhole(t *testing.T) {
	for _, kind := range []string{"RSA PRIVATE" + " KEY", "PGP PRIVATE" + " KEY BLOCK", "ENCRYPTED PRIVATE" + " KEY", "PRIVATE" + " KEY"} {
		key := "-----BEGIN " + kind + "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,0A-0B\n\nHunter-2\n"
		whole := "a\n" + key + "-----END " + kind + "-----\nb"
		if got := Text(whole); got != "a\n[removed]\nb" || Find([]byte(whole)) == nil {
			t.Errorf("%s: %q", kind, got)
		}
		if got := Text("a\n" + key); got != "a\n[removed]" {
			t.Errorf("%s: %q", kind, got)
		}
	}
}

// FuzzPairs: no text makes it panic, and where nothing is masked, nothing changes.
func FuzzPairs(f *testing.F) {
	for _, seed := range []string{`password: ["a]", 'b'] token=1, x`, `{\"password\": \"a\\\"b\"}`, `my password: b'x''y' PWD=/a/b`, `Authorization: Digest a="b"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := Pairs(s); got != s && !strings.Contains(got, Removed) {
			t.Errorf("%q: %q", s, got)
		}
	})
}
