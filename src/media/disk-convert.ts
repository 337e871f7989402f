// A raw disk in the form that a platform wants. qemu-img writes the formats that it knows; what it puts into them from the
// clock and by lot is set to the disk's own time and numbers afterwards.

import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { HoldfastError } from '../system/errors.ts';
import type { ApplyContext } from '../system/plan.ts';
import { runChecked } from '../system/process.ts';
import { type DiskFormat, FORMAT_FACTS } from './disk-formats.ts';
import { machineName, ovfDescriptor, ovfManifest, settleVmdkDescriptor, vmdkDescriptorPlace } from './disk-ova.ts';
import { settleVhdFooter, VHD_FOOTER_BYTES } from './disk-vhd.ts';
import { sha256Of } from './publish.ts';
import { reproducibleEnvironment } from './source-time.ts';

/** ustar(5): eleven octal digits. */
const LARGEST_TAR_MEMBER = 8 ** 11 - 1;

export interface ConvertDiskOptions {
  /** A raw disk whose size is a multiple of the format's step. */
  raw: string;
  format: Exclude<DiskFormat, 'raw'>;
  /** The new file; must not exist. */
  to: string;
  /** The name that it will have, for what names itself inside. */
  finalName: string;
  /** An empty directory on the file system of `raw`; it may be used up. */
  workPlace: string;
  timeSeconds: number;
  uuid: string;
}

type Context = Pick<ApplyContext, 'signal'>;

/**
 * @throws HoldfastError HF-COMMAND with the tools' words, HF-UNSUPPORTED for a disk that is too large for an OVA.
 */
export async function convertDisk(context: Context, options: ConvertDiskOptions): Promise<void> {
  const { raw, format, to } = options;
  const { size } = statSync(raw);
  const step = FORMAT_FACTS[format].stepBytes;
  if (size % step !== 0) throw new HoldfastError('HF-TARGET', `${raw} has ${size} bytes, no multiple of ${step}`);
  switch (format) {
    case 'qcow2':
      return qemuImg(context, ['-O', 'qcow2', raw, to]);
    case 'azure':
      // Without force_size the disk would get a size that old BIOSes can count.
      await qemuImg(context, ['-O', 'vpc', '-o', 'subformat=fixed,force_size=on', raw, to]);
      return settleVhd(options);
    case 'gce':
      return packForGoogle(context, options);
    case 'ova':
      return packOva(context, options);
  }
}

async function qemuImg({ signal }: Context, args: readonly string[]): Promise<void> {
  await runChecked(['qemu-img', 'convert', '-f', 'raw', ...args], { signal, maxOutputBytes: 1 << 16 });
}

function settleVhd({ to, timeSeconds, uuid }: ConvertDiskOptions): void {
  const at = statSync(to).size - VHD_FOOTER_BYTES;
  rewrite(to, at, VHD_FOOTER_BYTES, (footer) => settleVhdFooter(footer, { timeSeconds, uuid }));
}

/** Changes a few bytes of a file in place. */
function rewrite(file: string, at: number, length: number, change: (old: Buffer) => Uint8Array): void {
  const fd = openSync(file, 'r+');
  try {
    const old = Buffer.alloc(length);
    if (readSync(fd, old, 0, length, at) !== length) throw new HoldfastError('HF-IMAGE', `${file} is cut short`);
    const fresh = change(old);
    writeSync(fd, fresh, 0, fresh.length, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** What tar takes so that neither names of users nor clocks get in. */
function tarArguments(format: 'oldgnu' | 'ustar', timeSeconds: number): string[] {
  return [
    `--format=${format}`,
    ...['--owner=0', '--group=0', '--numeric-owner', '--mode=0644', `--mtime=@${timeSeconds}`],
  ];
}

async function packForGoogle({ signal }: Context, { raw, to, timeSeconds }: ConvertDiskOptions) {
  await runChecked(
    [
      'tar',
      ...tarArguments('oldgnu', timeSeconds),
      // By content: which blocks of a file are holes is the file system's business.
      ...['--sparse', '--hole-detection=raw', '--use-compress-program=gzip -n'],
      // The one name that Google Cloud takes.
      '--transform=s,.*,disk.raw,',
      ...['-C', dirname(raw), '-cf', to, `./${basename(raw)}`],
    ],
    { signal, env: reproducibleEnvironment(timeSeconds) },
  );
}

async function packOva(context: Context, options: ConvertDiskOptions): Promise<void> {
  const { raw, to, workPlace, finalName, timeSeconds, uuid } = options;
  const name = machineName(basename(finalName));
  const disk = join(workPlace, `${name}-disk1.vmdk`);
  await qemuImg(context, ['-O', 'vmdk', '-o', 'subformat=streamOptimized,adapter_type=lsilogic', raw, disk]);
  const { startBytes, sizeBytes } = vmdkDescriptorPlace(readStart(disk));
  rewrite(disk, startBytes, sizeBytes, (old) => settleVmdkDescriptor(old, uuid.replaceAll('-', '').slice(0, 8)));
  const { size: fileBytes } = statSync(disk);
  if (fileBytes > LARGEST_TAR_MEMBER) {
    throw new HoldfastError('HF-UNSUPPORTED', 'the compressed disk has more than 8 GiB, which an OVA can’t hold', {
      hint: 'make the image smaller, or use another --type',
    });
  }
  const descriptor = `${name}.ovf`;
  const text = ovfDescriptor({ name, diskBytes: statSync(raw).size, fileBytes, bootBy: 'efi' });
  writeFileSync(join(workPlace, descriptor), text);
  const files = [descriptor, basename(disk)];
  const digests: { name: string; sha256: string }[] = [];
  for (const file of files) {
    digests.push({ name: file, sha256: await sha256Of(join(workPlace, file), context.signal) });
  }
  const manifest = `${name}.mf`;
  writeFileSync(join(workPlace, manifest), ovfManifest(digests));
  // The description first, so that it can be read from a stream.
  const members = [descriptor, manifest, basename(disk)];
  await runChecked(['tar', ...tarArguments('ustar', timeSeconds), '-C', workPlace, '-cf', to, ...members], {
    signal: context.signal,
    env: reproducibleEnvironment(timeSeconds),
  });
  rmSync(disk);
}

function readStart(file: string): Buffer {
  const fd = openSync(file, 'r');
  try {
    const start = Buffer.alloc(512);
    return start.subarray(0, readSync(fd, start, 0, start.length, 0));
  } finally {
    closeSync(fd);
  }
}

/** A copy of a raw disk with a size that a format takes; holes stay holes. The end of its table moves with the end. */
export async function padDisk({ signal }: Context, raw: string, to: string, format: DiskFormat): Promise<void> {
  mkdirSync(dirname(to), { recursive: true });
  await runChecked(['cp', '--sparse=always', '--reflink=auto', '--', raw, to], { signal });
  const { size } = statSync(to);
  const step = FORMAT_FACTS[format].stepBytes;
  const padded = Math.ceil(size / step) * step;
  if (padded === size) return;
  truncateSync(to, padded);
  await runChecked(['sfdisk', '--no-reread', '--no-tell-kernel', '--relocate', 'gpt-bak-std', to], { signal });
}
