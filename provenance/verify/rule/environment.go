package rule

import (
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/env"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// view are the types that expressions can name, shared by all.
var view = sync.OnceValue(newClasses)

// Types of the variables that are objects.
const (
	recordType      = "Record"
	signerType      = "Signer"
	attestationType = "Attestation"
)

// variableTypes are the variables of an expression.
func variableTypes() map[string]*types.Type {
	return map[string]*types.Type{
		"record":       types.NewObjectType(recordType),
		"signer":       types.NewObjectType(signerType),
		"attestations": types.NewMapType(types.StringType, types.NewObjectType(attestationType)),
		"image":        types.StringType,
		"repository":   types.StringType,
		"signedAt":     types.TimestampType,
		"now":          types.TimestampType,
	}
}

// environment is the language of rules: the standard one without dyn(), which would switch the check of types off.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	options := []cel.EnvOption{
		cel.CustomTypeProvider(provider{registry}), cel.CustomTypeAdapter(adapter{}),
		cel.StdLib(cel.StdLibSubset(env.NewLibrarySubset().AddExcludedFunctions(env.NewFunction("dyn")))),
		cel.CrossTypeNumericComparisons(true), cel.ParserRecursionLimit(maxNesting), cel.ParserExpressionSizeLimit(MaxSize),
	}
	for name, t := range variableTypes() {
		options = append(options, cel.Variable(name, t))
	}
	return cel.NewCustomEnv(append(options, functions()...)...)
})

// programOptions bound an evaluation.
var programOptions = sync.OnceValue(func() []cel.ProgramOption {
	return []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize), cel.CostLimit(MaxCost), cel.CostTrackerOptions(costs()...),
		cel.InterruptCheckFrequency(interruptAt)}
})

// provider knows the types of the view, and the names of CEL's own.
type provider struct{ types.Provider }

// FindStructType finds a class by its name.
func (p provider) FindStructType(name string) (*types.Type, bool) {
	if view().named(name) == nil {
		return nil, false
	}
	return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
}

// FindStructFieldNames lists the fields of a class.
func (p provider) FindStructFieldNames(name string) ([]string, bool) {
	c := view().named(name)
	if c == nil {
		return nil, false
	}
	return c.names(), true
}

// FindStructFieldType finds a field of a class.
func (p provider) FindStructFieldType(name, fieldName string) (*types.FieldType, bool) {
	c := view().named(name)
	if c == nil {
		return nil, false
	}
	f, ok := c.fields[fieldName]
	if !ok {
		return nil, false
	}
	return f.access, true
}

// NewValue refuses: expressions read things and make none.
func (p provider) NewValue(name string, _ map[string]ref.Val) ref.Val {
	return types.NewErr("an expression cannot make a %s", name)
}
