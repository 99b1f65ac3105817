package foreign

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/seed-3480f271/provenance/provenance/internal/pattern"
	"github.com/seed-3480f271/provenance/provenance/internal/redact"
	"github.com/seed-3480f271/provenance/provenance/internal/strictjson"
)

// Redactor takes secrets out of a decoded JSON answer and remembers where they were.
type Redactor struct {
	Known   []string // values that this process was given: the token
	IDsOnly bool     // names and addresses of people are taken out, too
	Removed []string // JSON paths
	Told    []string // names and addresses of people that were taken out
}

// Value is the redacted form of v, which stands at path.
func (r *Redactor) Value(path string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		return r.object(path, v)
	case []any:
		return r.array(path, v)
	case string:
		if inner, is := r.nested(path, v); is {
			return inner
		}
		return r.Note(path, v, r.Text(v))
	}
	return v
}

// nested redacts JSON that is written as text, as MLflow writes the sources of datasets, and Azure DevOps the parameters of builds.
// Text in which nothing is removed stays as it is. JSON that is too deep, or that has a key twice, is removed whole: readers would
// differ in what it says.
func (r *Redactor) nested(path, text string) (string, bool) {
	if begin := strings.TrimSpace(text); !strings.HasPrefix(begin, "{") && !strings.HasPrefix(begin, "[") || !json.Valid([]byte(text)) {
		return "", false
	}
	if strictjson.Check([]byte(text), maxNested) != nil {
		return r.Note(path, text, redact.Removed), true
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var decoded any
	if decoder.Decode(&decoded) != nil {
		return "", false
	}
	as, err := CanonicalJSON(decoded)
	if err != nil {
		return "", false
	}
	before := len(r.Removed)
	redacted, err := CanonicalJSON(r.Value(path, decoded))
	switch {
	case err != nil:
		return "", false
	case string(redacted) == string(as):
		return text, true
	case len(r.Removed) == before: // a key was a secret
		r.Removed = append(r.Removed, path)
	}
	return string(redacted), true
}

// maxNested bounds the depth of JSON in text.
const maxNested = 64

// object redacts the values of secret-looking names, also where name and value are written as {"name":…,"value":…}.
func (r *Redactor) object(path string, in map[string]any) map[string]any {
	out := make(map[string]any, len(in))
	person := isPerson(in)
	in = r.table(path, in)
	pair := IsPairOf(in, func(name string) bool { return PairHoldsSecret(name, in) }) || r.IDsOnly && IsPairOf(in, isPersonKey) && !isObjectID(in["value"])
	for _, key := range SortedKeys(in) {
		at := path + "." + JSONKey(r.Text(key))
		if name, isText := in[key].(string); isText && r.IDsOnly && (person || isPersonKey(key)) && !impersonal(key, name) {
			r.Told = append(r.Told, name)
			out[r.Text(key)] = r.drop(at, name)
			continue
		}
		if holdsSecret(key, in[key]) || pair && isPairValue(key) {
			if name, isText := in[key].(string); isText && r.IDsOnly && IsPairOf(in, isPersonKey) {
				r.Told = append(r.Told, name)
			}
			out[r.Text(key)] = r.drop(at, in[key])
			continue
		}
		out[r.Text(key)] = r.Value(at, in[key])
	}
	return out
}

// pairValues are the keys under which the Jobs API writes the value of a named parameter.
var pairValues = []string{"value", "default", "default_value"}

// isPerson tells whether an object is about one person only: an account of GitHub, or the author in a commit's header.
func isPerson(in map[string]any) bool {
	has := func(key string) bool { _, ok := in[key].(string); return ok }
	return has("login") && in["id"] != nil || has("name") && has("email") && !has("id") ||
		has("payload") && has("signature") // the bytes that were signed hold the header
}

// impersonal tells whether a text about a person is none that names them: an object id, a time, the kind of an account.
func impersonal(key, text string) bool {
	return ObjectID().MatchString(text) || key == "date" || key == "type" || key == "reason" || key == "verified_at"
}

// mailAddress is one of a person, in text that somebody wrote.
var mailAddress = pattern.New(`([A-Za-z0-9._%+#-]{1,64})(?:@|%40)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+`)

// personTrailer is a line at the end of a commit's message that names a person.
var personTrailer = pattern.New(`(?m)^([A-Za-z]+(?:-[A-Za-z]+)*-[Bb]y: *)[^\r\n]+`)

// noPerson stands before CONTAINER@ACCOUNT of Azure's storage, which looks like an address.
var noPerson = pattern.New(`(?i)(?:abfss?|wasbs?)(?:://|%3A%2F%2F)$`)

// urlEscape is a character as a URL's query has it.
var urlEscape = pattern.New(`%[0-9A-Fa-f]{2}`)

// Nobody takes people out of text that somebody wrote.
func Nobody(s string) string {
	s = personTrailer().ReplaceAllString(s, "${1}"+redact.Removed)
	var out strings.Builder
	last := 0
	for _, m := range mailAddress().FindAllStringSubmatchIndex(s, -1) {
		from, at, end := m[2], m[3], m[1]
		if escapes := urlEscape().FindAllStringIndex(s[from:at], -1); escapes != nil {
			from += escapes[len(escapes)-1][1]
		}
		if from == at || noPerson().MatchString(s[max(0, from-len("abfss%3A%2F%2F")):from]) || s[from:at] == "git" {
			continue
		}
		out.WriteString(s[last:from] + redact.Removed)
		last = end
	}
	return out.String() + s[last:]
}

// personKeys are the keys, in lower case, under which the services write names and addresses of people. An object id in such a
// place stays.
var personKeys = map[string]bool{"displayname": true, "uniquename": true, "mail": true, "email": true, "emailaddress": true, "mailaddress": true,
	"username": true, "user_name": true, "creator_user_name": true, "run_as_user_name": true, "user_id": true, "createdby": true, "created_by": true,
	"updated_by": true, "principalname": true, "subjectdescriptor": true, "upn": true, "login": true, "userprincipalname": true, "azureuser": true,
	"mlflow.user": true, "imageurl": true, "avatar_url": true, "lastmodifiedby": true, "signinaddress": true,
	"providerdisplayname": true, "customdisplayname": true, "directoryalias": true, "pr.sender.name": true, "pr.sender.avatarurl": true}

// isMeasured tells a metric of MLflow, which may well be called token_accuracy, from a parameter: it is a number at a time.
func isMeasured(in map[string]any) bool {
	if _, timed := in["timestamp"]; !timed {
		return false
	}
	switch value := in["value"].(type) {
	case json.Number:
		return true
	case string:
		_, err := LooseNumber(value).Decimal()
		return err == nil
	}
	return false
}

func isObjectID(v any) bool {
	text, is := v.(string)
	return is && ObjectID().MatchString(text)
}

func isPersonKey(key string) bool { return personKeys[strings.ToLower(key)] }

// IsPairOf tells whether an object is a name and a value, and the name is of a kind.
func IsPairOf(in map[string]any, kind func(string) bool) bool {
	if isMeasured(in) {
		return false
	}
	for key, v := range in {
		if name, ok := v.(string); ok && (strings.EqualFold(key, "name") || strings.EqualFold(key, "key")) && kind(name) {
			return true
		}
	}
	return false
}

// array redacts a list. In a list of program arguments the value of --password stands in the next element.
func (r *Redactor) array(path string, in []any) []any {
	out := make([]any, len(in))
	secretNext := false
	for i, v := range in {
		at := path + "[" + strconv.Itoa(i) + "]"
		text, isText := v.(string)
		switch {
		case isText && secretNext && redact.IsSecret(in[i-1].(string), text):
			out[i] = r.drop(at, v)
		case isText:
			if inner, ok := r.nested(at, text); ok {
				out[i] = inner
			} else {
				out[i] = r.Note(at, text, r.argument(text))
			}
		default:
			out[i] = r.Value(at, v)
		}
		secretNext = isText && !secretNext && isSecretFlag(text)
	}
	return out
}

// isSecretFlag tells whether an argument is a flag whose value, the next argument, is secret.
func isSecretFlag(s string) bool {
	return strings.HasPrefix(s, "-") && !strings.Contains(s, "=") && redact.IsSecretName(s)
}

// argument redacts NAME=VALUE and --NAME=VALUE.
func (r *Redactor) argument(s string) string {
	name, value, found := strings.Cut(s, "=")
	if found && redact.IsSecret(name, value) && len(name) < 200 && !isSecretReference(value) {
		return r.Text(name) + "=" + redact.Removed
	}
	return r.Text(s)
}

// drop removes a whole value. What is no secret by its type, or is only a reference to one, stays.
func (r *Redactor) drop(path string, v any) any {
	switch v := v.(type) {
	case nil, bool:
		return v
	case string:
		if v == "" || isSecretReference(v) {
			return v
		}
	}
	return r.Note(path, "", redact.Removed)
}

// Note remembers path if something was taken out of the text there.
func (r *Redactor) Note(path, before, after string) string {
	if before != after {
		r.Removed = append(r.Removed, path)
	}
	return after
}

// Text redacts one string: values that are known, URLs that carry credentials, and whatever looks like a secret.
func (r *Redactor) Text(s string) string {
	// A known token that is very short is not searched for: it would match by chance, in the run's id for one.
	s = CleanURIs(redact.Known(s, r.Known...))
	if r.IDsOnly {
		s = Nobody(s)
	}
	return redact.Text(redact.Pairs(CommandLine(s)))
}

// uriScheme begins a URI, alone or in other text.
var uriScheme = pattern.New(`[A-Za-z][A-Za-z0-9+.-]*://`)

// CleanURIs takes credentials out of every URI in a text. A URI ends where white space, a quote or the next one begins.
func CleanURIs(s string) string {
	begins := uriScheme().FindAllStringIndex(s, -1)
	if len(begins) == 1 && begins[0][0] == 0 {
		if _, err := url.Parse(s); err != nil && carriesCredentials(s) {
			return redact.URL(s) // its end cannot be told
		}
	}
	var out strings.Builder
	last := 0
	for i, begin := range begins {
		end := len(s)
		if i+1 < len(begins) {
			end = begins[i+1][0]
		}
		if n := strings.IndexAny(s[begin[0]:end], " \t\r\n\"'<>\\"); n >= 0 {
			end = begin[0] + n
		}
		uri := s[begin[0]:end]
		separator := uri[len(strings.TrimRight(uri, ",;|")):]
		if uri = strings.TrimSuffix(uri, separator); carriesCredentials(uri) {
			uri = redact.URL(uri)
		}
		out.WriteString(s[last:begin[0]] + uri + separator)
		last = end
	}
	return out.String() + s[last:]
}

// carriesCredentials tells whether s is a URL with a password or with a query parameter of a secret-looking name, such as
// the signature of a shared access signature.
func carriesCredentials(s string) bool {
	if !strings.Contains(s, "://") {
		return false
	}
	u, err := url.Parse(s)
	if err != nil {
		return strings.ContainsAny(s, "@?")
	}
	if _, has := u.User.Password(); has {
		return true
	}
	for name := range u.Query() {
		if redact.IsSecretName(name) {
			return true
		}
	}
	return u.User != nil && (u.Scheme == "https" || u.Scheme == "http")
}

// secretReference is how a Databricks configuration names a secret without holding it.
// Source: https://docs.databricks.com/security/secrets/secrets-spark-conf-variables.html
var secretReference = pattern.New(`^\{\{secrets/[A-Za-z0-9_.@ -]+/[A-Za-z0-9_.@ -]+\}\}$`)

func isSecretReference(s string) bool { return secretReference().MatchString(s) }

// plainKey needs no quotes in a JSON path.
var plainKey = pattern.New(`^[A-Za-z0-9_-]+$`)

// JSONKey writes a key as a step of a path.
func JSONKey(key string) string {
	if plainKey().MatchString(key) {
		return key
	}
	return fmt.Sprintf("%q", Plain(key))
}

func SortedKeys(in map[string]any) []string {
	keys := make([]string, 0, len(in))
	for key := range in {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// CanonicalJSON writes v with sorted keys, without white space, and with numbers as they came.
func CanonicalJSON(v any) ([]byte, error) {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(out.String(), "\n")), nil
}

// UnlessRemoved is foreign text fit for recording, or nothing where a person was taken out.
func UnlessRemoved(s string) string {
	if s == redact.Removed {
		return ""
	}
	return Plain(s)
}
