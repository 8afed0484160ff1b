# The chosen Hermes profile in the prompt of zsh. At the end of ~/.zshrc:
#     eval "$(hermesctl profile prompt zsh)"
# It stands in front; for another place, put %40v into PROMPT yourself.
# It asks no program: it looks where hermesctl looks, in the same order. The profile "default" shows nothing.

__hermesctl_by_home() {
    REPLY=
    local root=$1 home=$2 directory
    [[ $home == /* && -d $home ]] || return 1
    if [[ $home -ef $root ]]; then
        REPLY=default
        return 0
    fi
    for directory in "$root/profiles/${home:t}" "$root"/profiles/*(N); do
        REPLY=${directory:t}
        [[ $REPLY != default && $home -ef $directory ]] && __hermesctl_legal && return 0
    done
    REPLY=
    return 1
}

# The letters are spelled out: what a range holds depends on the locale. Nothing else ever reaches the prompt.
__hermesctl_legal() {
    [[ -n $REPLY && ${#REPLY} -le 64 && $REPLY != [_-]* && $REPLY != *[^abcdefghijklmnopqrstuvwxyz0123456789_-]* ]]
}

__hermesctl_choose() {
    local root=${HERMESD_ROOT:-${HOME-}/.hermes} text=
    REPLY=${${${(L)${HERMESCTL_PROFILE-}}##[[:space:]]##}%%[[:space:]]##}
    [[ -z $REPLY ]] || return 0
    ! __hermesctl_by_home $root ${HERMES_HOME-} || return 0
    if [[ -f $root/active_profile && -r $root/active_profile ]]; then
        IFS= read -r -d '' text <$root/active_profile
    fi
    REPLY=${${${(L)text}##[[:space:]]##}%%[[:space:]]##}
}

__hermesctl_before_prompt() {
    emulate -L zsh -o extended_glob
    local REPLY sign='>' locale=${LC_ALL:-${LC_CTYPE:-${LANG-}}}
    __hermesctl_choose
    [[ ${(L)locale} == *utf(-|)8* ]] && sign=$'\342\235\257'
    # psvar is what a prompt shows without expanding it. 40 is far above what themes use.
    psvar[40]=
    if __hermesctl_legal && [[ $REPLY != default ]]; then
        psvar[40]="$REPLY $sign "
    fi
    [[ ${PROMPT-} == *%40v* ]] || PROMPT="%40v${PROMPT-}"
}

autoload -Uz add-zsh-hook
add-zsh-hook precmd __hermesctl_before_prompt
