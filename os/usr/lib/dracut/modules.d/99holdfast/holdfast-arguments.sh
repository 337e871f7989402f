#!/bin/sh
# Sourced by the scripts beside it: the words of the kernel command line as the kernel splits them, and what more than one
# of the scripts needs. A script defines argument() and calls each_argument. Nothing here makes a value into code or a path.

# The tests' own command line and directory.
holdfast_cmdline=${HOLDFAST_CMDLINE:-/proc/cmdline}

# Calls `argument KEY VALUE` for each word, without quotes. A word without `=` has the value 1, as with dracut's switches.
# The spellings of immucore and Elemental become those of cOS.
each_argument() {
    _words='' _word='' _quoted=''
    read -r _words < "$holdfast_cmdline" || :
    while :; do
        _piece=${_words%%\"*}
        if [ -n "$_quoted" ]; then
            _word=$_word$_piece
        else
            while :; do
                case $_piece in
                    *[[:blank:]]*)
                        _emit "$_word${_piece%%[[:blank:]]*}"
                        _word='' _piece=${_piece#*[[:blank:]]}
                        ;;
                    *) break ;;
                esac
            done
            _word=$_word$_piece
        fi
        case $_words in
            *\"*) _words=${_words#*\"} ;;
            *) break ;;
        esac
        if [ -n "$_quoted" ]; then _quoted=''; else _quoted=1; fi
    done
    _emit "$_word"
}

_emit() {
    case $1 in
        '' | =*) return 0 ;;
        *=*) _key=${1%%=*} _value=${1#*=} ;;
        *) _key=$1 _value=1 ;;
    esac
    case $_key in
        rd.immucore.overlay | rd.immucore.mount | rd.immucore.oemlabel | rd.immucore.oemtimeout | rd.immucore.debugrw | \
            rd.immucore.disable | rd.immucore.debug | elemental.overlay | elemental.mount | elemental.oemlabel | \
            elemental.oemtimeout | elemental.debugrw | elemental.disable) _key=rd.cos.${_key##*.} ;;
        elemental.image) _key=cos-img/filename ;;
    esac
    argument "$_key" "$_value"
}

# dracut's rule for switches: there means on, unless it says otherwise.
is_on() {
    case $1 in '' | 0 | no | off | false) return 1 ;; esac
}

# A number of seconds between $2 and $3, else the default $4.
seconds() {
    case $1 in
        '' | *[!0-9]* | ??????*) echo "$4" ;;
        *) if [ "$1" -ge "$2" ] && [ "$1" -le "$3" ]; then echo "$1"; else echo "$4"; fi ;;
    esac
}

# Sets $now to the seconds since the kernel started.
look_at_clock() {
    read -r now _idle < /proc/uptime
    now=${now%%.*}
}

say() {
    echo "holdfast: $1" >&2
}

# Ends a script whose failure ends the boot; holdfast-emergency shows the reason again and passes it on.
fail() {
    say "$1"
    mkdir -p /run/holdfast
    [ -s /run/holdfast/failure ] || echo "$1" > /run/holdfast/failure
    exit 1
}
