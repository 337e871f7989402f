#!/bin/sh
# dracut's cmdline hook: root= is taken care of by the generator's units, so dracut waits for nothing and knows that it is
# right. Sourced by dracut, thus nothing of dracut's may be changed but root and rootok.

# Our own mount of the partition; sysroot.mount is there for live media as well.
if [ -e "${HOLDFAST_EARLY:-/run/systemd/generator.early}"/run-initramfs-cos\\x2dstate.mount ]; then
    root=holdfast
    rootok=1
    _hooks=${hookdir:-/lib/dracut/hooks}
    # Without these the services that run them don't start: what dracut's own generator has made of root=, and what is for
    # live media. A second and more of a boot.
    for _hook in initqueue/finished/devexists- emergency/80- pre-udev/30-dmsquash-live pre-udev/30-block-genrules \
        mount/01-mount-overlayfs mount/99-mount-root pre-pivot/20-apply-live-updates initqueue/timeout/99-rootfallback; do
        rm -f "$_hooks/$_hook"*.sh
    done
    # Not when somebody's own module needs device-mapper early, or the queue.
    if ! command -v lvm > /dev/null && [ ! -e "$_hooks/cmdline/30-parse-crypt.sh" ]; then
        rm -f "$_hooks"/pre-udev/30-dm-pre-udev.sh
    fi
    _queued=''
    for _hook in "$_hooks"/initqueue/*.sh "$_hooks"/initqueue/*/*.sh; do
        if [ -e "$_hook" ]; then _queued=1; fi
    done
    if [ -z "$_queued" ]; then rm -f "${_hooks%/hooks}/need-initqueue"; fi
    unset _hook _hooks _queued
fi
