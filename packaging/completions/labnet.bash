# Completes labnet in bash. Made by: labnet completion bash
_labnet() {
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
    1,serve,-l | 1,serve,--listen) words='' ;;
    1,serve,--proxy-from) words='' ;;
    1,serve,--store) files=dirnames ;;
    1,serve,--on-conflict) words='rename replace refuse' ;;
    1,serve,--names) words='native portable' ;;
    1,serve,--partial-ttl) words='' ;;
    1,serve,--max-partials) words='' ;;
    1,serve,--max-partial-size) words='' ;;
    1,serve,--keep-free) words='' ;;
    1,serve,--file-mode) words='' ;;
    1,serve,--group) words='' ;;
    1,serve,--store-memory) words='' ;;
    1,serve,--reply) words='' ;;
    1,serve,--lab) words='1 2 3 4 5 6 extra' ;;
    1,serve,--size-bytes) words='types 1 2 4 8' ;;
    1,serve,--name-bytes) words='' ;;
    1,serve,--drain) words='' ;;
    1,serve,--addr-file) files=default ;;
    1,serve,--log-level) words='debug info warn error' ;;
    1,serve,--max-conns) words='' ;;
    1,serve,--max-conns-per-ip) words='' ;;
    1,serve,--max-conns-per-user) words='' ;;
    1,serve,--max-unauthenticated) words='' ;;
    1,serve,--max-uploads) words='' ;;
    1,serve,--max-message) words='' ;;
    1,serve,--max-size) words='' ;;
    1,serve,--min-rate) words='' ;;
    1,serve,--auth-timeout) words='' ;;
    1,serve,--header-timeout) words='' ;;
    1,serve,--idle-timeout) words='' ;;
    1,serve,--progress-timeout) words='' ;;
    1,serve,--identity) files=default ;;
    1,serve,--cert) files=default ;;
    1,serve,--key) files=default ;;
    1,serve,--tokens) files=default ;;
    1,serve,--exec) words='' ;;
    1,serve,--exec-on) words='' ;;
    1,serve,--exec-jobs) words='' ;;
    1,serve,--exec-timeout) words='' ;;
    1,serve,--http-host) words='' ;;
    1,serve,--status) words='' ;;
    1,serve,*) flags='--listen --proxy-from --store --on-conflict --names --partial-ttl --max-partials --max-partial-size --keep-free --file-mode --group --store-memory --reply --lab --size-bytes --big-endian --name-bytes --explain --drain --addr-file --log-level --json --max-conns --max-conns-per-ip --max-conns-per-user --max-unauthenticated --max-uploads --max-message --max-size --min-rate --auth-timeout --header-timeout --idle-timeout --progress-timeout --tls --identity --cert --key --tokens --insecure --exec --exec-on --exec-jobs --exec-timeout --no-http --http-host --status --no-sandbox --help' words='' ;;
    1,ping,-c | 1,ping,--count) words='' ;;
    1,ping,-i | 1,ping,--interval) words='' ;;
    1,ping,--pin) words='' ;;
    1,ping,--token-file) files=default ;;
    1,ping,-a | 1,ping,--addr) words='' ;;
    1,ping,--timeout) words='' ;;
    1,ping,--lab) words='1 2 3 4 5 6 extra' ;;
    1,ping,*) flags='--count --interval --tls --pin --token-file --addr --timeout --lab --quiet --json --help' words='' ;;
    1,say,--retry-for) words='' ;;
    1,say,--retries) words='' ;;
    1,say,--pin) words='' ;;
    1,say,--token-file) files=default ;;
    1,say,-a | 1,say,--addr) words='' ;;
    1,say,--timeout) words='' ;;
    1,say,--lab) words='1 2 3 4 5 6 extra' ;;
    1,say,*) flags='--retry-for --retries --tls --pin --token-file --addr --timeout --lab --quiet --json --help' words='' ;;
    1,blob,--retry-for) words='' ;;
    1,blob,--retries) words='' ;;
    1,blob,--limit-rate) words='' ;;
    1,blob,--size-bytes) words='types 1 2 4 8' ;;
    1,blob,-s | 1,blob,--size) words='' ;;
    1,blob,-n | 1,blob,--count) words='' ;;
    1,blob,--pin) words='' ;;
    1,blob,--token-file) files=default ;;
    1,blob,-a | 1,blob,--addr) words='' ;;
    1,blob,--timeout) words='' ;;
    1,blob,--lab) words='1 2 3 4 5 6 extra' ;;
    1,blob,*) flags='--retry-for --retries --limit-rate --size-bytes --big-endian --size --count --tls --pin --token-file --addr --timeout --lab --quiet --json --help' words='' ;;
    1,upload,--retry-for) words='' ;;
    1,upload,--retries) words='' ;;
    1,upload,--limit-rate) words='' ;;
    1,upload,--size-bytes) words='types 1 2 4 8' ;;
    1,upload,--name-bytes) words='' ;;
    1,upload,--name) words='' ;;
    1,upload,--into) words='' ;;
    1,upload,--exclude) words='' ;;
    1,upload,--exclude-from) files=default ;;
    1,upload,--digest) words='crc64nvme sha256 blake3' ;;
    1,upload,--pin) words='' ;;
    1,upload,--token-file) files=default ;;
    1,upload,-a | 1,upload,--addr) words='' ;;
    1,upload,--timeout) words='' ;;
    1,upload,--lab) words='1 2 3 4 5 6 extra' ;;
    1,upload,*) flags='--retry-for --retries --limit-rate --size-bytes --big-endian --name-bytes --name --into --exclude --exclude-from --from-command --digest --follow --quick --check --no-times --no-perms --verbose --tls --pin --token-file --addr --timeout --lab --quiet --json --help' files=default ;;
    1,verify,--limit-rate) words='' ;;
    1,verify,*) flags='--limit-rate --json --quiet --verbose --help' files=dirnames ;;
    1,check,--lab) words='1 2 3 4 5 6 extra' ;;
    1,check,--dir) files=dirnames ;;
    1,check,-l | 1,check,--listen) words='' ;;
    1,check,--type) files=default ;;
    1,check,--only) words='' ;;
    1,check,--timeout) words='' ;;
    1,check,--junit) files=default ;;
    1,check,--size-bytes) words='types 1 2 4 8' ;;
    1,check,--name-bytes) words='' ;;
    1,check,*) flags='--lab --dir --client --listen --type --only --list --strict --timeout --keep --json --tap --junit --size-bytes --big-endian --name-bytes --help' words='serve ping say blob upload verify check invite revoke users join servers leave completion help version' ;;
    1,invite,--at) words='' ;;
    1,invite,--rights) words='' ;;
    1,invite,--dir) files=dirnames ;;
    1,invite,--max-bytes) words='' ;;
    1,invite,--max-files) words='' ;;
    1,invite,--expires) words='' ;;
    1,invite,--identity) files=default ;;
    1,invite,--store) files=dirnames ;;
    1,invite,--tokens) files=default ;;
    1,invite,*) flags='--at --rights --dir --max-bytes --max-files --expires --renew --identity --tls --store --tokens --help' words='' ;;
    1,revoke,--store) files=dirnames ;;
    1,revoke,--tokens) files=default ;;
    1,revoke,*) flags='--store --tokens --help' words='' ;;
    1,users,--store) files=dirnames ;;
    1,users,--tokens) files=default ;;
    1,users,*) flags='--store --tokens --json --help' words='' ;;
    1,join,--name) words='' ;;
    1,join,--timeout) words='' ;;
    1,join,*) flags='--name --timeout --help' words='' ;;
    1,servers,--default) words='' ;;
    1,servers,*) flags='--default --json --help' words='' ;;
    1,leave,*) flags='--help' words='' ;;
    1,completion,*) flags='--help' words='bash zsh fish' ;;
    1,help,*) flags='--help' words='serve ping say blob upload verify check invite revoke users join servers leave completion help version' ;;
    1,version,*) flags='--json --help' words='' ;;
    0,*) flags='--help --version' words='serve ping say blob upload verify check invite revoke users join servers leave completion help version' ;;
    esac
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
