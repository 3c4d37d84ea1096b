package commands

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// bashScript leaves names of files to bash itself, which alone knows how they are
// quoted. Bash breaks --flag=value into three words.
func bashScript(app *cli.App) string {
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
	for _, cmd := range app.Commands {
		for _, f := range flagsOf(cmd) {
			if f.value == "" {
				continue
			}
			var patterns []string
			for _, s := range f.spellings() {
				patterns = append(patterns, "1,"+cmd.Name+","+s)
			}
			fmt.Fprintf(&b, "    %s) %s ;;\n", strings.Join(patterns, " | "), bashSets(valueOf(f)))
		}
		var flags []string
		for _, f := range flagsOf(cmd) {
			flags = append(flags, f.long)
		}
		fmt.Fprintf(&b, "    1,%s,*) flags='%s' %s ;;\n", cmd.Name, strings.Join(flags, " "), bashSets(argumentsOf(app, cmd)))
	}
	fmt.Fprintf(&b, "    0,*) flags='--help --version' words='%s' ;;\n", strings.Join(commandNames(app), " "))
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
func bashSets(c completing) string {
	switch {
	case c.files:
		return "files=default"
	case c.folders:
		return "files=dirnames"
	}
	return "words='" + strings.Join(c.words, " ") + "'"
}

func commandNames(app *cli.App) (names []string) {
	for _, cmd := range app.Commands {
		names = append(names, cmd.Name)
	}
	return names
}

// zshScript can be sourced, and can be a file _labnet in fpath.
func zshScript(app *cli.App) string {
	var b strings.Builder
	b.WriteString("#compdef labnet\n")
	b.WriteString(madeBy("zsh"))
	b.WriteString(`_labnet() {
    local curcontext=$curcontext state line
    local -a commands
    commands=(
`)
	for _, cmd := range app.Commands {
		fmt.Fprintf(&b, "        %s\n", quote(cmd.Name+":"+zshEscape(cmd.Usage)))
	}
	b.WriteString(`    )
    _arguments -C '(- *)--help[show what labnet can do]' '(- *)--version[show the version]' \
        '1: :->command' '*:: :->arguments' && return
    case $state,$words[1] in
    command,*) _describe command commands ;;
`)
	for _, cmd := range app.Commands {
		fmt.Fprintf(&b, "    arguments,%s)\n        _arguments -S", cmd.Name)
		for _, f := range flagsOf(cmd) {
			spec := "[" + zshEscape(f.says) + "]"
			if f.value != "" {
				spec += ":" + zshEscape(f.value) + ":" + zshAction(valueOf(f))
			}
			for _, s := range f.spellings() {
				word := s
				if f.value != "" && s == f.long {
					word += "=" // or the next word
				}
				exclusive := "(" + strings.Join(f.spellings(), " ") + ")"
				fmt.Fprintf(&b, " \\\n            %s", quote(exclusive+word+spec))
			}
		}
		arguments := argumentsOf(app, cmd)
		switch {
		case cmd.Name == "help":
			b.WriteString(" \\\n            '1: :{_describe command commands}'")
		case len(arguments.words) > 0:
			fmt.Fprintf(&b, " \\\n            %s", quote("1: :"+zshAction(arguments)))
		case arguments.files:
			fmt.Fprintf(&b, " \\\n            %s", quote("*:file:"+zshAction(arguments)))
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

func zshAction(c completing) string {
	switch {
	case c.files:
		return "_files"
	case c.folders:
		return "_files -/"
	case len(c.words) > 0:
		return "(" + strings.Join(c.words, " ") + ")"
	}
	return " "
}

// zshEscape escapes what means something in the words of _arguments.
func zshEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `:`, `\:`, `[`, `\[`, `]`, `\]`).Replace(s)
}

// fishScript needs a file labnet.fish among the completions.
func fishScript(app *cli.App) string {
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
	for _, cmd := range app.Commands {
		fmt.Fprintf(&b, "complete -c labnet -n __labnet_nothing -a %s -d %s\n", cmd.Name, quote(cmd.Usage))
	}
	for _, cmd := range app.Commands {
		on := "complete -c labnet -n '__labnet_is " + cmd.Name + "'"
		for _, f := range flagsOf(cmd) {
			b.WriteString(on)
			if f.short != "" {
				fmt.Fprintf(&b, " -s %s", f.short[1:])
			}
			fmt.Fprintf(&b, " -l %s", f.long[2:])
			if value := valueOf(f); f.value != "" {
				b.WriteString(fishValue(value))
			}
			fmt.Fprintf(&b, " -d %s\n", quote(f.says))
		}
		switch arguments := argumentsOf(app, cmd); {
		case arguments.files:
			b.WriteString(on + " -F\n")
		case len(arguments.words) > 0:
			fmt.Fprintf(&b, "%s -a %s\n", on, quote(strings.Join(arguments.words, " ")))
		}
	}
	return b.String()
}

func fishValue(c completing) string {
	switch {
	case c.files:
		return " -r -F"
	case c.folders:
		return " -x -a '(__fish_complete_directories)'"
	}
	if len(c.words) == 0 {
		return " -x"
	}
	return " -x -a " + quote(strings.Join(c.words, " "))
}

// quote quotes for a shell. For fish, s must not have backslashes.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
