#!/bin/sh
# Comes before the emergency shell: says in one line what failed and what happens next. Where another slot is left, that is
# noted for GRUB and the machine restarts; else the shell stays. active → passive → recovery → shell, and never back, since
# GRUB says which entry it was asked for (holdfast.selected=).

set -f
. "${HOLDFAST_LIBRARY:-/usr/lib/holdfast}/arguments.sh"

image='' selected=unknown shell='' disabled=''
argument() {
    case $1 in
        cos-img/filename) image=$2 ;;
        holdfast.selected) selected=$2 ;;
        rd.cos.disable) if is_on "$2"; then disabled=1; else disabled=''; fi ;;
        rd.shell | rd.cos.debug | rd.debug) if is_on "$2"; then shell=1; else shell=''; fi ;;
        rd.break | rd.systemd.unit | emergency | rescue | rd.emergency_shell) shell=1 ;;
    esac
}
each_argument
[ -z "$disabled" ] || exit 0
note=${HOLDFAST_NOTE:-/usr/lib/holdfast/boot-note}

is_failed() {
    systemctl --quiet is-failed "$1"
}

what_failed() {
    if [ -s /run/holdfast/failure ]; then
        head -n 1 /run/holdfast/failure
    elif is_failed 'run-initramfs-cos\x2dstate.mount'; then
        echo "the partition with the system images can not be mounted"
    elif is_failed sysroot.mount; then
        echo "the image /${image#/} can not be mounted"
    elif is_failed cos-immutable-rootfs.service; then
        case $(systemctl show --property=Result --property=ExecMainStatus --value cos-immutable-rootfs.service | tr '\n' ' ') in
            *203*) echo "the image's holdfast can not be run" ;;
            *timeout*) echo "holdfast mount did not end in time" ;;
            *) echo "the layout could not be mounted (holdfast mount)" ;;
        esac
    else
        failed=$(systemctl list-units --state=failed --no-legend --plain | while read -r unit _; do printf '%s ' "$unit"; done)
        echo "the initramfs did not get to the root (failed units, ${failed:-none})"
    fi
}

tell() {
    # At debug level it goes to the journal alone.
    echo "<7>holdfast: $1" > /dev/kmsg
    while read -r console _; do
        printf '\r\n\r\nholdfast: %s\r\n\r\n' "$1" > "/dev/$console"
    done < /proc/consoles
}

slot=
for mode in active passive recovery; do
    [ ! -e "/run/cos/${mode}_mode" ] || slot=$mode
done
if [ -z "$slot" ]; then
    case ${image##*/} in
        *recovery*) slot=recovery ;;
        *active*) slot=active ;;
        *passive*) slot=passive ;;
    esac
fi
# No failure of ours, but a shell that was asked for.
if [ -n "$shell" ] && [ ! -s /run/holdfast/failure ] && [ -z "$(systemctl list-units --state=failed --no-legend --plain)" ]; then
    exit 0
fi
reason=$(what_failed)

if [ -z "$slot" ]; then
    tell "The system can't boot: $reason. A shell follows; \`journalctl\` says more, \`reboot\` tries again."
    exit 0
fi
next='' next_name=''
case $slot:$selected in
    *:unknown | recovery:* | *:recovery) ;;
    active:fallback)
        # GRUB was asked for passive, and this is active: it came back since it couldn't load the other.
        [ -n "$shell" ] || "$note" failed passive "GRUB could not load it" recovery || :
        next=recovery next_name="the recovery system"
        ;;
    active:*) next=fallback next_name="the passive slot" ;;
    passive:*) next=recovery next_name="the recovery system" ;;
esac

if [ -n "$shell" ]; then
    tell "The $slot slot can't boot: $reason. You asked for a shell; \`journalctl\` says more, \`reboot\` tries again."
elif [ -z "$next" ]; then
    tell "The $slot slot can't boot: $reason. There is nothing else to try, so a shell follows; \`journalctl\` says more, \`reboot\` tries again."
elif "$note" failed "$slot" "$reason" "$next"; then
    tell "The $slot slot can't boot: $reason. Restarting with $next_name; rd.shell on the kernel command line gives a shell here."
    sync
    sleep 5
    systemctl --force reboot
    # Whatever hangs there doesn't keep the machine.
    sleep 45
    systemctl --force --force reboot
    sleep 15
else
    tell "The $slot slot can't boot: $reason. GRUB can't be told to try $next_name next, so a shell follows: choose it in the boot menu after \`reboot\`."
fi
exit 0
