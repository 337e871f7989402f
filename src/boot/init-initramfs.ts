// What an initramfs that init did not build can do: whether it has a module that mounts a slot, and in plain words what
// becomes of the stages if not. Its names are searched, not unpacked; where the packer's program is missing, it is unknown.

import { closeSync, openSync, readSync } from 'node:fs';
import { run } from '../system/process.ts';
import type { Root } from '../system/root.ts';

/** `cos`: the one of cOS-toolkit and Elemental, which reads the same arguments and runs the same stages. */
export type InitramfsModule = 'holdfast' | 'cos' | 'none' | 'unknown' | 'missing';

const PACKERS: readonly (readonly [magic: string, program: string])[] = [
  ['28b52ffd', 'zstd'],
  ['1f8b', 'gzip'],
  ['fd377a585a00', 'xz'],
  ['02214c18', 'lz4'],
  ['04224d18', 'lz4'],
  ['425a68', 'bzip2'],
];

/** File names that only these modules bring (dracut 30cos-immutable-rootfs, elemental-toolkit 2's, ours). */
const NAMES = 'sbin/holdfast-slot|cos-immutable-rootfs.service|elemental-rootfs.service';

/** Looks for a module in an initramfs. */
export async function findInitramfsModule(root: Root, path: string): Promise<InitramfsModule> {
  if (!root.stat(path)?.isFile()) return 'missing';
  const file = root.resolve(path);
  const start = payloadStart(file);
  const magic = readAt(file, start, 6).toString('hex');
  const packer = PACKERS.find(([bytes]) => magic.startsWith(bytes))?.[1];
  // Not packed: the names are there to read. Otherwise after what comes before it (microcode), as the kernel takes it.
  const unpack = packer ?? (magic.startsWith('303730373031') || magic === '' ? 'cat' : undefined);
  if (unpack === undefined) return 'unknown';
  const script = `command -v ${unpack} > /dev/null || exit 99
tail -c +"$2" "$1" | ${unpack === 'cat' ? 'cat' : `${unpack} -dc 2> /dev/null`} | grep -a -o -E '${NAMES}' | sort -u`;
  const result = await run(['sh', '-c', script, 'sh', file, String(magic === '' ? 1 : start + 1)]);
  if (result.status === 99) return 'unknown';
  if (result.stdout.includes('holdfast-slot')) return 'holdfast';
  return result.stdout.trim() === '' ? 'none' : 'cos';
}

/** Where the last archive of an initramfs begins: the kernel takes several, the first ones not packed. */
function payloadStart(file: string): number {
  let at = 0;
  let begin = 0;
  for (;;) {
    const head = readAt(file, at, 110);
    // "newc", with and without checksums.
    if (!/^07070[12]/.test(head.toString('latin1'))) return at === begin ? at : begin;
    const field = (index: number) => Number.parseInt(head.toString('latin1', 6 + index * 8, 14 + index * 8), 16);
    const [size, nameSize] = [field(6), field(11)];
    const name = readAt(file, at + 110, nameSize - 1).toString('utf8');
    at = align(at + 110 + nameSize) + align(size);
    if (name !== 'TRAILER!!!') continue;
    const padding = readAt(file, at, 4096);
    const next = padding.findIndex((byte) => byte !== 0);
    // The end of the file: what was read last is all there is.
    if (next < 0) return begin;
    at += next;
    begin = at;
  }
}

function align(offset: number): number {
  return (offset + 3) & ~3;
}

function readAt(file: string, offset: number, length: number): Buffer {
  const fd = openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(Math.max(0, length));
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, offset));
  } finally {
    closeSync(fd);
  }
}

/**
 * What to say of an image whose initramfs init leaves alone; undefined when there is nothing to say.
 * @param why half a sentence.
 */
export function describeInitramfs(module: InitramfsModule, path: string, why: string): string | undefined {
  const left = `${path} was left as it is, since ${why}`;
  const lost =
    'Without one the image does not boot from a slot: nothing mounts its image and its layout, and the stages pre-rootfs, ' +
    'rootfs and initramfs never run (so machine id, SSH host keys and host name are new at each boot). fs, boot, network ' +
    'and reconcile run once something else has brought up the root.';
  switch (module) {
    case 'holdfast':
      return undefined;
    case 'cos':
      return `${left}. It has the module of cOS or Elemental, which mounts the layout and runs rootfs and initramfs in its own way`;
    case 'none':
      return `${left}, and it has no module that mounts a slot. ${lost}`;
    case 'missing':
      return `there is no initramfs at ${path}, and none was built, since ${why}. It needs the dracut module holdfast. ${lost}`;
    case 'unknown':
      return `${left}; whether it has a module that mounts a slot is unknown. ${lost}`;
  }
}
