// Package shellcomp writes scripts that complete a command line in bash, zsh and fish. They
// know all words by themselves, and never run the program.
package shellcomp

import (
	"fmt"
	"strings"
)

// A Command is a subcommand of labnet.
type Command struct {
	Name, Usage string
	Flags       []Flag
	Arguments   Values
}

// A Flag is one of a command.
type Flag struct {
	Long, Short string // with their hyphens; there may be no short one
	Usage       string
	Value       string // what stands for its value, or "" if it has none
	Values      Values
}

// Values are what can be completed in some place: one of these words, or else files or
// folders, or else nothing.
type Values struct {
	Words   []string
	Files   bool
	Folders bool
}

// spellings returns the ways to write a flag.
func (f Flag) spellings() []string {
	if f.Short == "" {
		return []string{f.Long}
	}
	return []string{f.Short, f.Long}
}

// madeBy is the first comment of a script.
func madeBy(shell string) string {
	return "# Completes labnet in " + shell + ". Made by: labnet completion " + shell + "\n"
}

// Bash leaves names of files to bash itself, which alone knows how they are
// quoted. Bash breaks --flag=value into three words.
func Bash(commands []Command) string {
	var b strings.Builder
	b.WriteString(madeBy("bash"))
	b.WriteString(`_labnet() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} flags='' words='' files='' i
    COMPREPLY=()
    if [[ $prev == = ]]; then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    elif [[ $cur == = ]]; then
        cur=''
    fi
    for ((i = 2; i < COMP_CWORD; i++)); do
        if [[ ${COMP_WORDS[i]} == -- ]]; then
            prev=--
        fi
    done
    case $((COMP_CWORD > 1)),${COMP_WORDS[1]},$prev in
`)
	var names []string
	for _, cmd := range commands {
		names = append(names, cmd.Name)
		for _, f := range cmd.Flags {
			if f.Value == "" {
				continue
			}
			var patterns []string
			for _, s := range f.spellings() {
				patterns = append(patterns, "1,"+cmd.Name+","+s)
			}
			fmt.Fprintf(&b, "    %s) %s ;;\n", strings.Join(patterns, " | "), bashSets(f.Values))
		}
		var flags []string
		for _, f := range cmd.Flags {
			flags = append(flags, f.Long)
		}
		fmt.Fprintf(&b, "    1,%s,*) flags='%s' %s ;;\n", cmd.Name, strings.Join(flags, " "), bashSets(cmd.Arguments))
	}
	fmt.Fprintf(&b, "    0,*) flags='--help --version' words='%s' ;;\n", strings.Join(names, " "))
	b.WriteString(`    esac
    if [[ $cur == -* && $prev != -- ]]; then
        words=$flags files=''
    fi
    if [[ $files ]]; then
        compopt -o "$files" 2>/dev/null
    else
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
    fi
}
if type compopt >/dev/null 2>&1; then
    complete -F _labnet labnet
else # bash 3
    complete -o default -F _labnet labnet
fi
`)
	return b.String()
}

// bashSets sets the variables of the script for what can be completed.
func bashSets(c Values) string {
	switch {
	case c.Files:
		return "files=default"
	case c.Folders:
		return "files=dirnames"
	}
	return "words='" + strings.Join(c.Words, " ") + "'"
}

// Zsh can be sourced, and can be a file _labnet in fpath.
func Zsh(commands []Command) string {
	var b strings.Builder
	b.WriteString("#compdef labnet\n")
	b.WriteString(madeBy("zsh"))
	b.WriteString(`_labnet() {
    local curcontext=$curcontext state line
    local -a commands
    commands=(
`)
	for _, cmd := range commands {
		fmt.Fprintf(&b, "        %s\n", Quote(cmd.Name+":"+zshEscape(cmd.Usage)))
	}
	b.WriteString(`    )
    _arguments -C '(- *)--help[show what labnet can do]' '(- *)--version[show the version]' \
        '1: :->command' '*:: :->arguments' && return
    case $state,$words[1] in
    command,*) _describe command commands ;;
`)
	for _, cmd := range commands {
		fmt.Fprintf(&b, "    arguments,%s)\n        _arguments -S", cmd.Name)
		for _, f := range cmd.Flags {
			spec := "[" + zshEscape(f.Usage) + "]"
			if f.Value != "" {
				spec += ":" + zshEscape(f.Value) + ":" + zshAction(f.Values)
			}
			for _, s := range f.spellings() {
				word := s
				if f.Value != "" && s == f.Long {
					word += "=" // or the next word
				}
				exclusive := "(" + strings.Join(f.spellings(), " ") + ")"
				fmt.Fprintf(&b, " \\\n            %s", Quote(exclusive+word+spec))
			}
		}
		arguments := cmd.Arguments
		switch {
		case cmd.Name == "help":
			b.WriteString(" \\\n            '1: :{_describe command commands}'")
		case len(arguments.Words) > 0:
			fmt.Fprintf(&b, " \\\n            %s", Quote("1: :"+zshAction(arguments)))
		case arguments.Files:
			fmt.Fprintf(&b, " \\\n            %s", Quote("*:file:"+zshAction(arguments)))
		}
		b.WriteString(" ;;\n")
	}
	b.WriteString(`    esac
}
if [[ $funcstack[1] == _labnet ]]; then
    _labnet "$@"
else
    compdef _labnet labnet
fi
`)
	return b.String()
}

func zshAction(c Values) string {
	switch {
	case c.Files:
		return "_files"
	case c.Folders:
		return "_files -/"
	case len(c.Words) > 0:
		return "(" + strings.Join(c.Words, " ") + ")"
	}
	return " "
}

// zshEscape escapes what means something in the words of _arguments.
func zshEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `:`, `\:`, `[`, `\[`, `]`, `\]`).Replace(s)
}

// Fish needs a file labnet.fish among the completions.
func Fish(commands []Command) string {
	var b strings.Builder
	b.WriteString(madeBy("fish"))
	b.WriteString(`function __labnet_is
    set -l words (commandline -opc)
    test (count $words) -gt 1; and test $words[2] = $argv[1]
end
function __labnet_nothing
    test (count (commandline -opc)) -eq 1
end
complete -c labnet -f
complete -c labnet -n __labnet_nothing -l help -d 'show what labnet can do'
complete -c labnet -n __labnet_nothing -l version -d 'show the version'
`)
	for _, cmd := range commands {
		fmt.Fprintf(&b, "complete -c labnet -n __labnet_nothing -a %s -d %s\n", cmd.Name, Quote(cmd.Usage))
	}
	for _, cmd := range commands {
		on := "complete -c labnet -n '__labnet_is " + cmd.Name + "'"
		for _, f := range cmd.Flags {
			b.WriteString(on)
			if f.Short != "" {
				fmt.Fprintf(&b, " -s %s", f.Short[1:])
			}
			fmt.Fprintf(&b, " -l %s", f.Long[2:])
			if value := f.Values; f.Value != "" {
				b.WriteString(fishValue(value))
			}
			fmt.Fprintf(&b, " -d %s\n", Quote(f.Usage))
		}
		switch arguments := cmd.Arguments; {
		case arguments.Files:
			b.WriteString(on + " -F\n")
		case len(arguments.Words) > 0:
			fmt.Fprintf(&b, "%s -a %s\n", on, Quote(strings.Join(arguments.Words, " ")))
		}
	}
	return b.String()
}

func fishValue(c Values) string {
	switch {
	case c.Files:
		return " -r -F"
	case c.Folders:
		return " -x -a '(__fish_complete_directories)'"
	}
	if len(c.Words) == 0 {
		return " -x"
	}
	return " -x -a " + Quote(strings.Join(c.Words, " "))
}

// Quote quotes for a shell. For fish, s must not have backslashes.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
