# Completion of hermesctl and the commands of profiles for fish. Written by `hermesctl completion fish`.

# The answer is "words" or "files", then a candidate a line, with a tab before what it is. The command line goes
# through a pipe, not into an argument, where others could read it.
function __hermesctl_complete
    command -q @PROGRAM@; or return
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l plain (string unescape -- "$current"; or string replace -ra '["\'\\\\]' '' -- "$current")
    set -l lines (string join0 -- (string replace -r '.*/' '' -- $words[1]) $words[2..-1] "$plain" |
        @PROGRAM@ @OPTIONS@__complete fish 2>/dev/null)
    if test "$lines[1]" = files
        __fish_complete_path "$current"
    else
        printf '%s\n' $lines[2..-1]
    end
end

function __hermesctl_is_alias
    set -l words (commandline -opc)
    set -l file $HOME/.local/bin/(string replace -r '.*/' '' -- $words[1])
    test -f "$file"; and test -r "$file"; or return 1
    while read --local line
        string match -q '@MARK@*' -- "$line"; and return 0
        string match -q '#*' -- "$line"; or return 1
    end <"$file"
    return 1
end

complete -c hermesctl -f -k -a '(__hermesctl_complete)'
# The commands of profiles are recognised when they are typed, so those made later are completed too.
complete -p $HOME'/.local/bin/*' -n __hermesctl_is_alias -f -k -a '(__hermesctl_complete)'
