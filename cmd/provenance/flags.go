package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// flagsFirst moves a command's flags in front of its positional arguments. urfave/cli v2 stops at the first positional and
// would silently ignore `--policy` in `verify IMAGE --policy p`. What stands behind "--" stays positional.
func flagsFirst(args []string, commands []*cli.Command) []string {
	if len(args) < 2 {
		return args
	}
	i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(args[1]) })
	if i < 0 {
		return args
	}
	takesValue := valueFlags(append(commands[i].Flags, commonFlags()...))
	var flags, positional []string
	for rest := args[2:]; len(rest) > 0; rest = rest[1:] {
		arg := rest[0]
		switch {
		case arg == "--":
			positional = append(positional, rest[1:]...)
			rest = rest[:1]
		case arg == "-" || !strings.HasPrefix(arg, "-"):
			positional = append(positional, arg)
		default:
			flags = append(flags, arg)
			if !takesValue[strings.TrimLeft(arg, "-")] {
				continue
			}
			if len(rest) == 1 { // the value is missing: nothing may follow, or it would be taken for it
				return append(slices.Clone(args[:2]), flags...)
			}
			rest = rest[1:]
			flags = append(flags, rest[0])
		}
	}
	out := append(slices.Clone(args[:2]), flags...)
	if len(positional) > 0 {
		out = append(append(out, "--"), positional...)
	}
	return out
}

// valueFlags are the names of the flags that are followed by a value.
func valueFlags(flags []cli.Flag) map[string]bool {
	names := map[string]bool{}
	for _, f := range flags {
		if _, isBool := f.(*cli.BoolFlag); isBool {
			continue
		}
		for _, name := range f.Names() {
			names[name] = true
		}
	}
	return names
}
