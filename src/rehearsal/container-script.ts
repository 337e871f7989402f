// The shell that puts a container together and becomes its first process. It runs in namespaces of its own, so that all it
// mounts goes when its last process has gone; what it is told comes as arguments, never as text of the script.

/**
 * What the processes of a rehearsed system may do. Not: load modules, make device nodes, set the clock, reboot, reach
 * hardware or the kernel's log.
 */
const CAPABILITIES = [
  ...['chown', 'dac_override', 'dac_read_search', 'fowner', 'fsetid', 'kill', 'setgid', 'setuid', 'setpcap'],
  ...['linux_immutable', 'net_bind_service', 'net_broadcast', 'net_admin', 'net_raw', 'ipc_owner', 'sys_chroot'],
  ...['sys_ptrace', 'sys_admin', 'sys_nice', 'sys_resource', 'sys_tty_config', 'lease', 'audit_write', 'setfcap'],
];

/** Where a rehearsed system has what belongs to the rehearsal. */
export const DESK = '/run/rehearsal';

/**
 * Units that wait for what a container has not: a network and devices. They would only be late. The list is told with
 * the result.
 */
export const SET_ASIDE: readonly { unit: string; why: string }[] = [
  { unit: 'systemd-networkd-wait-online.service', why: 'there is no network' },
  { unit: 'NetworkManager-wait-online.service', why: 'there is no network' },
  { unit: 'network-online.target', why: 'there is no network' },
  { unit: 'systemd-udev-settle.service', why: 'there are no devices' },
  { unit: 'kdump.service', why: 'the kernel is this machine’s' },
  { unit: 'holdfast-assess.service', why: 'the rehearsal asks itself' },
  { unit: 'holdfast-assess-deadline.service', why: 'the rehearsal asks itself' },
];

/**
 * Joins a control group and leaves the machine's namespaces. A group that is gone means that the rehearsal was ended before
 * it began: outside of it nothing would end what runs.
 * Arguments: the control group's directory, then the words of {@link SET_UP}.
 */
export const ENTER = `echo $$ >"$1/cgroup.procs" || exit 1
shift
exec setpriv --pdeathsig KILL unshare --mount --uts --ipc --net --pid --cgroup --fork --kill-child --propagation private "$@"
`;

/**
 * Arguments: the loop device of the slot file's copy, a work directory with \`slot\`, \`root\` and \`upper\`, the desk, the
 * program, and then three words for each place: kind, from, path.
 */
export const SET_UP = `set -eu
device=$1 slot=$2/slot root=$2/root upper=$2/upper desk=$3 program=$4
shift 4
note() { printf '%s\\n' "$1" >>"$desk/notes"; }

mount -t ext4 -o rw,nodev,noatime,nobarrier "$device" "$slot"
mount --bind "$slot" "$root"
mount -o remount,bind,ro,nodev "$root"
mount -t tmpfs -o mode=700,size=25% tmpfs "$upper"
number=0
# Sets layers to the options of a throw-away overlay over the directories in $1.
layers() {
    number=$((number + 1))
    mkdir -p "$upper/$number/upper" "$upper/$number/work"
    layers="lowerdir=$1,upperdir=$upper/$number/upper,workdir=$upper/$number/work"
}
while [ $# -ge 3 ]; do
    kind=$1 from=$2 path=$3
    shift 3
    if [ ! -d "$root$path" ]; then note "the new system has no directory $path"; continue; fi
    case $kind in
        writable) mount --bind "$slot$path" "$root$path" ;;
        copy)
            layers "$from"
            if ! mount -t overlay -o "$layers" overlay "$root$path" 2>/dev/null; then
                mount --bind "\${from##*:}" "$root$path"
                mount -o remount,bind,ro "$root$path"
                note "this kernel has no overlay file system: $path can only be read"
            fi
            ;;
        kept)
            if [ -d "$root$from" ]; then mount --bind "$root$from" "$root$path"; else note "$from is not there"; fi
            ;;
        kept-changes)
            layers "$root$from:$slot$path"
            [ -d "$root$from" ] || layers "$slot$path"
            mount -t overlay -o "$layers" overlay "$root$path" 2>/dev/null || mount --bind "$slot$path" "$root$path"
            ;;
    esac
done

mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
for path in sys sysrq-trigger irq bus fs acpi scsi; do
    [ -e "$root/proc/$path" ] || continue
    mount --bind "$root/proc/$path" "$root/proc/$path"
    mount -o remount,bind,ro "$root/proc/$path"
done
mount --bind "$desk/cmdline" "$root/proc/cmdline"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755,size=16m,nosuid tmpfs "$root/dev"
for name in null zero full random urandom tty; do
    : >"$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777,size=25%,nosuid,nodev tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
mount -t tmpfs -o mode=755,size=25%,nosuid,nodev tmpfs "$root/run"
mount -t tmpfs -o mode=1777,size=25%,nosuid,nodev tmpfs "$root/tmp"
mkdir -p "$root${DESK}" "$root/run/cos" "$root/run/holdfast"
mount --bind "$desk" "$root${DESK}"
if [ -n "$program" ]; then
    mount --bind "$program" "$root${DESK}/holdfast"
    mount -o remount,bind,ro "$root${DESK}/holdfast"
fi
printf 1 >"$root/run/cos/active_mode"
if [ ! -s "$root/etc/machine-id" ] && [ -s "$desk/machine-id" ] && [ -w "$root/etc" ]; then
    cp "$desk/machine-id" "$root/etc/machine-id"
fi
hostname rehearsal 2>/dev/null || true
cd /
exec setpriv --bounding-set="-all,${CAPABILITIES.map((name) => `+${name}`).join(',')}" --inh-caps=-all \\
    chroot "$root" /bin/sh ${DESK}/init
`;

/** The first process of the container, until it is the new system's own. */
export function initScript(): string {
  const aside = SET_ASIDE.map(({ unit }) => `ln -s /dev/null /run/systemd/system/${unit}`);
  return `# The stage that the initramfs runs in the new system, then its own first process.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
stages=/usr/bin/holdfast
[ -x "$stages" ] || stages=${DESK}/holdfast
"$stages" run-stage --boot initramfs >${DESK}/stages 2>&1 </dev/null || echo "stage initramfs: status $?" >>${DESK}/notes
mkdir -p /run/systemd/system/sysinit.target.wants
${aside.join('\n')}
cat >/run/systemd/system/holdfast-rehearsal.service <<'END'
${LOOK_UNIT}END
ln -s ../holdfast-rehearsal.service /run/systemd/system/sysinit.target.wants/
: >${DESK}/started
exec env -i container=holdfast "container_uuid=$(cat ${DESK}/machine-id)" PATH="$PATH" TERM=dumb LANG="\${LANG-}" /sbin/init
`;
}

/** Not oneshot: it waits until the boot has ended, and a boot ends when all such have. */
const LOOK_UNIT = `[Unit]
Description=Rehearsal: find out whether this system works
DefaultDependencies=no

[Service]
Type=exec
Environment=BUN_JSC_useJIT=0
ExecStart=${DESK}/look
StandardOutput=file:${DESK}/said
StandardError=file:${DESK}/said
`;

/** What the unit runs: this program where it can be taken along, else the new system's own. */
export const LOOK_SCRIPT = `#!/bin/sh
program=${DESK}/holdfast
[ -s "$program" ] || program=/usr/bin/holdfast
exec "$program" rehearsal-look --output ${DESK}/verdict
`;
