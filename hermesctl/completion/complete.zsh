#compdef hermesctl -value-,HERMESCTL_PROFILE,-default- -p [a-z0-9]*
# Completion of hermesctl and the commands of profiles for zsh. Written by `hermesctl completion zsh`.

# The answer is "words" or "files", then a candidate a line, with a tab before what it is. The command line goes
# through a pipe, not into an argument, where others could read it.
_hermesctl() {
    local line
    local -a typed lines candidates
    if [[ $service == -value-* ]]; then
        typed=(hermesctl -p) # the value of HERMESCTL_PROFILE
    elif [[ $service == hermesctl ]] || _hermesctl_is_alias ${words[1]:t}; then
        typed=(${words[1]:t} "${(@Q)words[2,CURRENT-1]}")
    else
        return 1
    fi
    _compskip=all # whatever else zsh knows of a command of that name
    lines=(${(f)"$(print -rN -- "${typed[@]}" "${(Q)PREFIX}" |
        @PROGRAM@ @OPTIONS@__complete zsh 2>/dev/null)"})
    if [[ ${lines[1]-} == files ]]; then
        _files
        return
    fi
    for line in $lines[2,-1]; do
        candidates+=(${line/$'\t'/:})
    done
    _describe -V -t hermesctl hermesctl candidates
}

_hermesctl_is_alias() {
    local line file=$HOME/.local/bin/$1
    [[ -f $file && -r $file ]] || return 1
    {
        IFS= read -r line && [[ $line == '#!'* ]] || return 1
        while IFS= read -r line; do
            [[ $line == '@MARK@'* ]] && return 0
            [[ $line == '#'* ]] || return 1
        done
    } <$file
    return 1
}

if [[ $funcstack[1] == _hermesctl ]]; then
    _hermesctl "$@"
elif (($+functions[compdef])); then
    # The commands of profiles are recognised when they are typed, so those made later are completed too.
    compdef _hermesctl hermesctl -value-,HERMESCTL_PROFILE,-default- -p '[a-z0-9]*'
fi
