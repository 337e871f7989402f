// What the owner of a machine does to its root in the stories about overlays, as scripts for the guest's shell, and the list
// of what is there: one line for each file with everything that has to survive.

/** Where objects of every kind are. */
export const MINE = '/usr/share/mine';

/** Made once: each kind of object that a file system has, with every attribute. */
export const MAKE_OBJECTS = `set -e
mkdir -m 0751 ${MINE} && cd ${MINE}
echo added > added && chmod 0604 added && chown 12:34 added
setfattr -n user.mine -v value added && touch -d @1600000000.123456789 added
cp /bin/true capable && setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 capable
ln -s added link && ln -s /nowhere dangling && chown -h 7:8 link
echo pair > pair-a && ln pair-a pair-b
mknod -m 0640 device c 1 7 && mkfifo -m 0600 fifo
truncate -s 1M sparse && echo end >> sparse
echo odd > "$(printf 'odd \\377\\n name')"
mkdir -m 1777 sticky && install -m 6755 /bin/true set-id
dd if=/dev/urandom of=written-by-dd bs=1M count=2 status=none
`;

/** Changes to what the image brought. */
export const CHANGE_FILES = `set -e
echo '10.1.2.3 mine' >> /etc/hosts
echo 'Mine.' > /etc/motd
useradd --create-home --uid 1234 alice && echo alice > /home/alice/file
chmod 0750 /usr/bin/dmesg
chown daemon:daemon /usr/bin/free
setfattr -n user.note -v kept /usr/bin/lsblk
rm /etc/issue.net
rm -r /etc/update-motd.d
echo edited >> /usr/share/holdfast-demo/only-in-version-1
echo other > /usr/share/holdfast-demo/new-in-version-2
`;

/** With the disk as it is, not the network: the package in, another out. */
export const CHANGE_PACKAGES = `set -e
export DEBIAN_FRONTEND=noninteractive
echo 'deb [trusted=yes] http://10.0.2.100/ ./' > /etc/apt/sources.list.d/lab.list
lab='-o Dir::Etc::SourceList=/etc/apt/sources.list.d/lab.list -o Dir::Etc::SourceParts=/dev/null'
apt-get $lab update -q
apt-get $lab install -q -y --no-install-recommends xxd
dpkg --purge less
`;

/** What changes at any time by itself, and is nobody's edit. */
const VOLATILE = [
  '/var/log',
  '/var/lib/systemd',
  '/var/lib/apt',
  '/var/cache',
  '/var/tmp',
  '/tmp',
  '/etc/resolv.conf',
  '/etc/fstab',
  '/etc/mtab',
  '/etc/machine-id',
  '/boot',
  '/lost+found',
  // Of the shells that these stories run.
  '/root/.bash_history',
];

/**
 * Writes a list of all of the root's own files to a file: type, mode, owner, size, time, target, digest or device numbers,
 * and attributes; sorted by name. Directories come without their times and sizes.
 */
export function listRoot(to: string): string {
  const prune = VOLATILE.map((path) => `-path ${path}`).join(' -o ');
  const find = `find / -xdev \\( ${prune} \\) -prune -o`;
  return `set -e
export LC_ALL=C
{
  ${find} -type d -printf '%p d %m %U:%G\\n'
  ${find} ! -type d ! -type s -printf '%p %y %m %U:%G %s %T@ %l %n\\n'
  ${find} \\( -type c -o -type b \\) -exec stat -c '%n device %t,%T' {} +
  find /etc /usr/share /home /var/lib/dpkg -xdev -type f -print0 2>/dev/null | xargs -0 sha256sum
  find ${MINE} /usr/bin -xdev -print0 | xargs -0 getfattr -h -d -m - --absolute-names 2>/dev/null | paste -s -d ' ' | sed 's/  /\\n/g'
} | sort > ${to}
`;
}

/** What differs between two such lists, without what the first shutdown and start change: at most 40 lines. */
export function compareLists(before: string, after: string): string {
  return `diff ${before} ${after} | head -n 40`;
}
