package main

import (
	"slices"
	"strings"

	"github.com/seed-3480f271/provenance/provenance"
	"github.com/urfave/cli/v2"
)

// flagsFirst moves a command's flags in front of its positional arguments. urfave/cli v2 stops at the first positional and
// would silently ignore `--policy` in `verify IMAGE --policy p`. What stands behind "--" stays positional. A flag that takes
// one value and is given twice is a mistake: one of the two would silently be ignored.
func flagsFirst(args []string, commands []*cli.Command) ([]string, error) {
	command, depth := commandOf(args, commands)
	if command == nil || command.Subcommands != nil {
		return args, nil
	}
	known := flagsByName(append(command.Flags, commonFlags()...))
	flags, positional, complete := split(args[depth:], known)
	if name := twice(flags, known); name != "" {
		return nil, provenance.Misuse("leave one of them out", "--%s is given twice", name)
	}
	out := append(slices.Clone(args[:depth]), flags...)
	if complete && len(positional) > 0 { // else the value of the last flag is missing, and nothing may be taken for it
		out = append(append(out, "--"), positional...)
	}
	return out, nil
}

// commandOf is the command that args name, or nil, and how many of args that takes: `policy test` is one of two words.
func commandOf(args []string, commands []*cli.Command) (command *cli.Command, depth int) {
	for depth = 1; depth < len(args); depth++ {
		i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(args[depth]) })
		if i < 0 {
			break
		}
		command, commands = commands[i], commands[i].Subcommands
	}
	return command, depth
}

// split tells flags, with their values, from positional arguments. It is not complete if the last flag lacks its value.
func split(args []string, known map[string]cli.Flag) (flags, positional []string, complete bool) {
	for rest := args; len(rest) > 0; rest = rest[1:] {
		arg := rest[0]
		switch {
		case arg == "--":
			return flags, append(positional, rest[1:]...), true
		case arg == "-" || !strings.HasPrefix(arg, "-"):
			positional = append(positional, arg)
			continue
		}
		flags = append(flags, arg)
		if !takesValue(known[strings.TrimLeft(arg, "-")]) {
			continue
		}
		if len(rest) == 1 {
			return flags, positional, false
		}
		rest = rest[1:]
		flags = append(flags, rest[0])
	}
	return flags, positional, true
}

// twice is the name of a flag with one value that is given twice, or empty.
func twice(flags []string, known map[string]cli.Flag) string {
	seen := map[string]bool{}
	for i := 0; i < len(flags); i++ {
		name, _, joined := strings.Cut(strings.TrimLeft(flags[i], "-"), "=")
		f := known[name]
		if _, isList := f.(*cli.StringSliceFlag); f != nil && seen[name] && !isList && takesValue(f) {
			return name
		}
		seen[name] = true
		if !joined && takesValue(f) {
			i++
		}
	}
	return ""
}

// takesValue tells whether a flag is followed by a value.
func takesValue(f cli.Flag) bool {
	_, isBool := f.(*cli.BoolFlag)
	return f != nil && !isBool
}

func flagsByName(flags []cli.Flag) map[string]cli.Flag {
	known := map[string]cli.Flag{}
	for _, f := range flags {
		for _, name := range f.Names() {
			known[name] = f
		}
	}
	return known
}

// checkFlags refuses a flag whose text is empty, as an unset variable leaves it: it could silently switch a check off.
func checkFlags(c *cli.Context) error {
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		_, isText := f.(*cli.StringFlag)
		_, isList := f.(*cli.StringSliceFlag)
		if isText && c.IsSet(name) && c.String(name) == "" || isList && slices.Contains(c.StringSlice(name), "") {
			return provenance.Misuse("is a variable unset? leave the flag out if it is not wanted", "--%s is empty", name)
		}
	}
	return nil
}
