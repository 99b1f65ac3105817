package rule

import (
	"reflect"
	"slices"
	"testing"

	"github.com/google/cel-go/common/types"
)

// TestValuesOfTheLanguage: what the language can ask of a thing, and no rule that is compiled does.
func TestValuesOfTheLanguage(t *testing.T) {
	facts := night()
	in := &reading{}
	record := rootObject("record", &facts.Record, in)
	if _, err := record.ConvertToNative(reflect.TypeFor[string]()); err == nil {
		t.Error("a record became text")
	}
	for _, value := range []any{record.ConvertToType(types.StringType), record.Equal(record), provider{}.NewValue("Person", nil)} {
		if _, isError := value.(*types.Err); !isError {
			t.Errorf("%v is no error", value)
		}
	}
	params := textTable(reflect.ValueOf(facts.Record.MLflow.Params), record, record.class.fields["mlflow"])
	if got := params.Get(types.String("max_depth")); got != types.String("7") {
		t.Errorf("max_depth is %v", got)
	}
	if got := params.Get(types.String("nothing")); !types.IsError(got) {
		t.Errorf("a key that is not there is %v", got)
	}
	if len(in.inputs) != 2 || in.inputs[1].Value != absentText {
		t.Errorf("noted %q", in.inputs)
	}
	if got := params.Equal(types.String("text")); got != types.False {
		t.Errorf("a map equals text: %v", got)
	}
	if parent := facts.View().bind(in).Parent(); parent != nil {
		t.Errorf("variables have the parent %v", parent)
	}
}

func TestProvider(t *testing.T) {
	p := provider{}
	if names, ok := p.FindStructFieldNames("Person"); !ok || !slices.Equal(names, []string{"email", "id", "name"}) {
		t.Errorf("fields of a person: %q, %v", names, ok)
	}
	if _, ok := p.FindStructFieldNames("Nobody"); ok {
		t.Error("there is a type Nobody")
	}
	if _, ok := p.FindStructFieldType("Nobody", "name"); ok {
		t.Error("Nobody has a field")
	}
	if _, ok := p.FindStructType("Nobody"); ok {
		t.Error("there is a type Nobody")
	}
}
