# The chosen Hermes profile in the prompt of fish. At the end of ~/.config/fish/config.fish:
#     hermesctl profile prompt fish | source
# It stands in front; for another place, write $__hermesctl_prompt in a fish_prompt of your own.
# It asks no program: it looks where hermesctl looks, in the same order. The profile "default" shows nothing.

# Nothing but a profile's name ever reaches the prompt.
function __hermesctl_legal
    string match -qr '\A[a-z0-9][a-z0-9_-]{0,63}\z' -- "$argv"
end

function __hermesctl_by_home --argument-names root home
    string match -q '/*' -- "$home"; and test -d "$home"; or return 1
    set -l real (builtin realpath -- "$home")
    if test "$real" = (builtin realpath -- "$root" 2>/dev/null; or echo)
        echo default
        return 0
    end
    set -l last (string replace -r '/+\z' '' -- "$home" | string replace -r '.*/' '')
    for directory in $root/profiles/$last $root/profiles/*
        set -l name (string replace -r '.*/' '' -- $directory)
        if test "$name" != default; and test -d $directory; and __hermesctl_legal $name
            if test "$real" = (builtin realpath -- $directory)
                echo $name
                return 0
            end
        end
    end
    return 1
end

function __hermesctl_choose
    set -l root $HOME/.hermes
    if test -n "$HERMESD_ROOT"
        set root $HERMESD_ROOT
    end
    set -l text (string trim -c \t\n\v\f\r' ' -- "$HERMESCTL_PROFILE" | string collect)
    if test -z "$text"
        __hermesctl_by_home "$root" "$HERMES_HOME"; and return
        if test -f "$root/active_profile"; and test -r "$root/active_profile"
            read --null text <"$root/active_profile"
            set text (string trim -c \t\n\v\f\r' ' -- "$text" | string collect)
        end
    end
    string lower -- "$text" | string collect
end

function __hermesctl_before_prompt --on-event fish_prompt
    set -l locale (string match -v '' -- $LC_ALL $LC_CTYPE $LANG)
    set -l sign '>'
    string match -qri 'utf-?8' -- "$locale[1]"; and set sign \u276f
    set -l name (__hermesctl_choose | string collect)
    set -g __hermesctl_prompt ''
    if __hermesctl_legal "$name"; and test "$name" != default
        set -g __hermesctl_prompt "$name $sign "
    end
end

if not functions -q __hermesctl_fish_prompt; and functions -q fish_prompt
    functions -c fish_prompt __hermesctl_fish_prompt
    function fish_prompt
        set -l shown (__hermesctl_fish_prompt) # first of all: it may show $status and $pipestatus
        printf %s "$__hermesctl_prompt" (string join \n -- $shown | string collect)
    end
end
