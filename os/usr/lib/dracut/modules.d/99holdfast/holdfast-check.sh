#!/bin/sh
# Looks at the mounted image before it becomes the root: whoever can't start there must not get the machine. systemd in the
# initramfs would switch to a root without an init, and end in a shell or in nothing.

. "${HOLDFAST_LIBRARY:-/usr/lib/holdfast}/arguments.sh"

sysroot=${HOLDFAST_SYSROOT:-/sysroot}
init=
argument() {
    case $1 in init) init=$2 ;; esac
}
each_argument

# Prints where a path of the new root really is, following links as the new root will see them.
in_root() {
    _done='' _todo=${1#/} _links=0
    while [ -n "$_todo" ]; do
        _name=${_todo%%/*}
        case $_todo in */*) _todo=${_todo#*/} ;; *) _todo='' ;; esac
        case $_name in
            '' | .) continue ;;
            ..) _done=${_done%/*}; continue ;;
        esac
        if [ -L "$sysroot$_done/$_name" ]; then
            _links=$((_links + 1))
            [ "$_links" -le 40 ] || return 1
            _target=$(readlink "$sysroot$_done/$_name") || return 1
            case $_target in /*) _done='' ;; esac
            _todo=${_target#/}${_todo:+/$_todo}
        else
            _done=$_done/$_name
        fi
    done
    [ -f "$sysroot$_done" ] && [ -x "$sysroot$_done" ] && [ -s "$sysroot$_done" ] && echo "$sysroot$_done"
}

[ -d "$sysroot/proc" ] || fail "the image holds no system (there is no /proc)"
in_root /usr/bin/holdfast > /dev/null || fail "the image has no /usr/bin/holdfast that can be run"

found=
for candidate in "$init" /usr/lib/systemd/systemd /lib/systemd/systemd /sbin/init /etc/init /bin/init; do
    [ -n "$candidate" ] || continue
    if in_root "$candidate" > /dev/null; then
        found=$candidate
        break
    fi
done
[ -n "$found" ] || fail "the image has no init that can be run"

# systemd says its version when it isn't the first process: it, its libraries and its loader are whole.
case $found in
    */systemd)
        chroot "$sysroot" "$found" --version > /dev/null || fail "the image's $found does not run"
        ;;
esac
mkdir -p /run/holdfast
exec "${HOLDFAST_NOTE:-/usr/lib/holdfast/boot-note}" read
