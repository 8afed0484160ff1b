# The chosen Hermes profile in the prompt of bash. At the end of ~/.bashrc:
#     eval "$(hermesctl profile prompt bash)"
# It stands in front; for another place, put ${__hermesctl_prompt} into PS1 yourself, in single quotes.
# It asks no program: it looks where hermesctl looks, in the same order. The profile "default" shows nothing.

__hermesctl_trimmed() {
    __hermesctl_name=${1#"${1%%[![:space:]]*}"}
    __hermesctl_name=${__hermesctl_name%"${__hermesctl_name##*[![:space:]]}"}
    __hermesctl_name=${__hermesctl_name,,}
}

__hermesctl_by_home() {
    __hermesctl_name=
    local root=$1 home=$2 directory failglob
    [[ $home == /* && -d $home ]] || return 1
    if [[ $home -ef $root ]]; then
        __hermesctl_name=default
        return 0
    fi
    while [[ $home == */ ]]; do home=${home%/}; done
    shopt -q failglob && failglob=1 && shopt -u failglob
    for directory in "$root/profiles/${home##*/}" "$root"/profiles/*; do
        __hermesctl_name=${directory##*/}
        [[ $__hermesctl_name != default && $home -ef $directory ]] && __hermesctl_legal && break
        __hermesctl_name=
    done
    [[ -z ${failglob-} ]] || shopt -s failglob
    [[ -n $__hermesctl_name ]]
}

# The letters are spelled out: what a range holds depends on the locale. Nothing else ever reaches PS1.
__hermesctl_legal() {
    [[ -n $__hermesctl_name && ${#__hermesctl_name} -le 64 && $__hermesctl_name != [_-]* &&
        $__hermesctl_name != *[!abcdefghijklmnopqrstuvwxyz0123456789_-]* ]]
}

__hermesctl_choose() {
    local root=${HERMESD_ROOT:-${HOME-}/.hermes} text=
    __hermesctl_trimmed "${HERMESCTL_PROFILE-}"
    [[ -z $__hermesctl_name ]] || return 0
    ! __hermesctl_by_home "$root" "${HERMES_HOME-}" || return 0
    if [[ -f $root/active_profile && -r $root/active_profile ]]; then
        IFS= read -r -d '' -n 256 text <"$root/active_profile"
    fi
    __hermesctl_trimmed "$text"
}

__hermesctl_before_prompt() {
    local status=$? sign='>' locale=${LC_ALL:-${LC_CTYPE:-${LANG-}}} __hermesctl_name
    __hermesctl_choose
    case ${locale,,} in *utf-8* | *utf8*) sign=$'\342\235\257' ;; esac
    __hermesctl_prompt=
    if __hermesctl_legal && [[ $__hermesctl_name != default ]]; then
        __hermesctl_prompt="$__hermesctl_name $sign "
    fi
    # What a variable holds is shown as it is, never expanded again.
    if shopt -q promptvars && [[ ${PS1-} != *'${__hermesctl_prompt}'* ]]; then
        PS1='${__hermesctl_prompt}'${PS1-}
    fi
    return "$status"
}

if ((BASH_VERSINFO[0] >= 4)) && [[ "${PROMPT_COMMAND[*]-}" != *__hermesctl_before_prompt* ]]; then
    if ((${#PROMPT_COMMAND[@]} > 1)); then
        PROMPT_COMMAND+=(__hermesctl_before_prompt)
    else
        PROMPT_COMMAND="${PROMPT_COMMAND:+$PROMPT_COMMAND$'\n'}__hermesctl_before_prompt"
    fi
fi
