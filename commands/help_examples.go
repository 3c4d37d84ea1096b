package commands

// An example is a command line, and what it does if that needs words.
type example struct{ line, says string }

// examples are shown in the help of labnet ("") and of its commands.
var examples = map[string][]example{
	"": {
		{"labnet serve", "receive, and store files in ./received"},
		{"labnet upload report.pdf photos/", "send files and folders"},
		{"labnet upload --name shop.sql --from-command -- pg_dump shop", ""},
		{"labnet say hello", "send a message, print the answer"},
		{"labnet ping -c 3 -a 192.0.2.7:9000", "ask whether a server answers"},
	},
	"serve": {
		{"labnet serve", "127.0.0.1:9000, into ./received"},
		{"labnet serve -l :9000", "from other machines, after 'labnet invite'"},
		{"labnet serve --on-conflict replace", "a second report.pdf replaces the first"},
		{"labnet serve --json | jq -r .op", "receipts for programs"},
	},
	"ping": {
		{"labnet ping -c 3", "three pings, one per second"},
		{"labnet ping -c 100 -i 10ms", "with a histogram"},
		{"labnet ping", "one ping per Enter, until Ctrl-D"},
	},
	"say": {
		{"labnet say hello", "print the server's answer"},
		{"uptime | labnet say", "standard input is the message"},
		{"tail -f log | labnet say -", "each line is a message"},
		{"labnet say", "prompts for messages, until Ctrl-D"},
	},
	"blob": {
		{"labnet blob -s 10MiB -n 5", "five times 10 MiB"},
		{"labnet blob", "prompts for what to send, until Ctrl-D"},
	},
	"upload": {
		{"labnet upload report.pdf photos/", "a folder keeps its structure"},
		{"labnet upload --name january.pdf report.pdf", ""},
		{"labnet upload --into inbox *.pdf", "into a folder at the server"},
		{"labnet upload --exclude '*.o' --exclude /build/ src", ""},
		{"labnet upload -- -x.txt", "a file whose name begins with -"},
		{"labnet upload --name shop.sql --from-command -- pg_dump shop", ""},
		{"tail -n 1000 app.log | labnet upload --name tail.log -", ""},
		{"labnet upload", "prompts for files (Tab completes), until Ctrl-D"},
	},
	"verify": {
		{"labnet verify", "the store in ./received"},
		{"labnet verify --limit-rate 50M /srv/labnet", "so that others can use the disk, too"},
		{"labnet verify --json | jq -r 'select(.error).path'", "what is not as it was received"},
	},
	"check": {
		{"labnet check --lab 5 -- python3 server.py", "start a server of the course and try it"},
		{"labnet check --lab 5 --dir received", "one that runs at 127.0.0.1:9000"},
		{"labnet check --lab 5 --only 5.pieces -- python3 server.py", ""},
		{"labnet check --client --lab 6 -- python3 client.py", "a client, for which labnet types the files' names"},
		{"labnet check --lab 6 --list", "the cases of task 6"},
	},
	"invite": {
		{"labnet invite alice --at lab.example.org", "prints the invitation"},
		{"labnet invite bob --dir from/bob --max-bytes 20GiB", "into a folder of his own"},
		{"labnet invite carol --rights upload --expires 7d", "files only, for a week"},
		{"labnet invite alice --renew", "a new invitation; the old one ends"},
	},
	"revoke": {
		{"labnet revoke alice", "she is disconnected within a second"},
	},
	"users": {
		{"labnet users", "who may send, how much is there, last seen"},
		{"labnet users --json | jq -r 'select(.expired).user'", ""},
	},
	"join": {
		{"labnet join", "asks for the invitation"},
		{"labnet join <invitation.txt", "or reads it"},
		{"labnet join --name work", "for 'labnet upload -a work'"},
	},
	"servers": {
		{"labnet servers", "those that you have joined"},
		{"labnet servers --default work", "use it without -a"},
	},
	"leave": {
		{"labnet leave work", ""},
	},
	"completion": {
		{"source <(labnet completion bash)", "in ~/.bashrc"},
		{"source <(labnet completion zsh)", "in ~/.zshrc, after compinit"},
		{"labnet completion fish >~/.config/fish/completions/labnet.fish", ""},
	},
	"help": {
		{"labnet help upload", ""},
	},
	"version": {
		{"labnet version --json", "also commit, system and Go's version"},
	},
}
