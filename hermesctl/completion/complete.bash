# Completion of hermesctl and the commands of profiles for bash. Written by `hermesctl completion bash`.

# The answer is "words" or "files", then a candidate a line, with a tab before what it is. The command line goes
# through a pipe, not into an argument, where others could read it.
_hermesctl() {
    local IFS=$'\n' lines line
    COMPREPLY=()
    mapfile -t lines < <(
        printf '%s\0' "$1" "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" | @PROGRAM@ @OPTIONS@__complete bash 2>/dev/null
    )
    if [[ ${lines[0]-} == files ]]; then
        compopt -o default
        return 0
    fi
    for line in "${lines[@]:1}"; do
        # 63 is `?`: candidates are listed and none is put into the line
        if [[ $COMP_TYPE == 63 && ${#lines[@]} -gt 2 && $line == *$'\t'* ]]; then
            COMPREPLY+=("${line/$'\t'/  (})")
        else
            COMPREPLY+=("${line%%$'\t'*}")
        fi
    done
}

_hermesctl_is_alias() {
    local line file=${HOME-}/.local/bin/${1##*/}
    [[ -f $file && -r $file ]] || return 1
    {
        IFS= read -r -n 200 line && [[ $line == '#!'* ]] || return 1
        while IFS= read -r -n 200 line; do
            [[ $line != '@MARK@'* ]] || return 0
            [[ $line != [!#]* ]] || return 1
        done
    } <"$file"
    return 1
}

# Asked for commands that nothing completes yet: those of profiles made since. All others go on as before.
_hermesctl_load() {
    if _hermesctl_is_alias "$1"; then
        complete -F _hermesctl -- "$1"
        return 124
    fi
    [[ -z $_hermesctl_next ]] || "$_hermesctl_next" "$@"
}

_hermesctl_chain() {
    local before
    before=$(complete -p -D 2>/dev/null)
    if [[ -z $before ]]; then
        _hermesctl_next=
        complete -o bashdefault -o default -F _hermesctl_load -D
    elif [[ $before =~ ^complete\ (.*\ )?-F\ ([^\ ]+)\ (.*) && ${BASH_REMATCH[2]} != _hermesctl_load ]]; then
        _hermesctl_next=${BASH_REMATCH[2]}
        eval "complete ${BASH_REMATCH[1]}-F _hermesctl_load ${BASH_REMATCH[3]}"
    fi
}

_hermesctl_register() {
    local file failglob
    complete -F _hermesctl hermesctl
    shopt -q failglob && failglob=1 && shopt -u failglob
    for file in "${HOME-}"/.local/bin/*; do
        ! _hermesctl_is_alias "$file" || complete -F _hermesctl -- "${file##*/}"
    done
    [[ -z ${failglob-} ]] || shopt -s failglob
}

if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)); then
    _hermesctl_register
    _hermesctl_chain
fi
