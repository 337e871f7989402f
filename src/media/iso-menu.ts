// The boot menu of an ISO, and the few lines that lead GRUB from wherever firmware started it to that menu. Pure.

import { CONSOLES } from './live-arguments.ts';

/** On the medium. */
export const ISO_KERNEL = '/boot/kernel.xz';
export const ISO_INITRD = '/boot/rootfs.xz';
export const ISO_GRUB_DIRECTORY = '/boot/grub2';
export const ISO_FONT = `${ISO_GRUB_DIRECTORY}/fonts/unicode.pf2`;

/** The file that GRUB knows the medium by: labels are the same on many. */
export function mediumMark(uuid: string): string {
  return `/.disk/${uuid}.uuid`;
}

/**
 * What GRUB runs first, beside its EFI program and inside its program for BIOS, where only plain commands are understood.
 */
export function findMenu(mark: string, options: { run: boolean }): string {
  return `search --no-floppy --file --set=root ${mark}
set prefix=($root)${ISO_GRUB_DIRECTORY}
${options.run ? `configfile ($root)${ISO_GRUB_DIRECTORY}/grub.cfg\n` : ''}`;
}

export interface IsoMenu {
  /** What the system calls itself. */
  title: string;
  /** Without consoles: `liveArguments`. */
  liveArguments: readonly string[];
}

/** The menu. The system starts by itself: what is on the machine's disks is touched only by who asks for that. */
export function isoMenu({ title, liveArguments }: IsoMenu): string {
  const name =
    title
      .replaceAll(/[^ -~]/g, '')
      .replaceAll("'", '')
      .trim() || 'Live system';
  const entry = (id: string, words: string, more: readonly string[]) => `
menuentry '${name}${words}' --id ${id} {
  linux ($root)${ISO_KERNEL} ${[...liveArguments, ...more].map(grubWord).join(' ')}
  initrd ($root)${ISO_INITRD}
}
`;
  return `# Boot menu of a live medium. $root is the medium when this starts.

set medium="$root"
set timeout=10
set default=live

# A graphical console where there is a font, the serial port where there is one. Secure Boot forbids fonts from disks. A
# BIOS keeps its text console: without a video BIOS the attempt alone hangs the machine (GRUB 2.06).
insmod all_video
set gfxmode=auto
set gfxpayload=keep
set screen=console
if [ "$grub_platform" = efi -a "$lockdown" != y -a -s "($medium)${ISO_FONT}" ]; then
  if loadfont "($medium)${ISO_FONT}"; then
    if terminal_output gfxterm; then
      set screen=gfxterm
    fi
  fi
fi
if serial --unit=0 --speed=115200; then
  terminal_input console serial
  terminal_output $screen serial
fi
${entry('live', '', CONSOLES)}${entry('install', ': install on a disk', [...CONSOLES, 'holdfast.install'])}${entry(
  'text',
  ' without graphics',
  [...CONSOLES, 'nomodeset', 'systemd.unit=multi-user.target', 'systemd.show_status=1'],
)}
menuentry 'Boot from the disk of this machine' --id disk {
  if [ "$grub_platform" = efi ]; then
    exit
  fi
  regexp --set=1:own_disk '^([^,]+)' "$medium"
  for disk in hd0 hd1; do
    if [ "$disk" != "$own_disk" ]; then
      set root="$disk"
      chainloader +1
      boot
    fi
  done
}
`;
}

/** One word, as GRUB's script language takes it unchanged. */
function grubWord(word: string): string {
  return /^[\w.,:=@%+/-]+$/.test(word) ? word : `'${word}'`;
}
