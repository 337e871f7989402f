// What an initramfs can do, as far as a network boot depends on it, read from the file itself: what an image's packages
// could have put into it says nothing. It is cpio archives one after the other, the last one mostly compressed.

import { createReadStream } from 'node:fs';
import { decompress, type StreamStage, throughProgram } from '../image/streamstage.ts';
import { HoldfastError } from '../system/errors.ts';
import { ByteSource } from './byte-source.ts';
import { type CpioEntry, readCpio } from './cpio.ts';

export interface Initramfs {
  /** dracut's own list of what it has put in; empty for an initramfs of another maker. */
  dracutModules: ReadonlySet<string>;
  /** Whether it compares the root of a live system with `rd.holdfast.rootdigest=`. */
  checksRoot: boolean;
  /** What it takes in memory, in bytes. */
  unpackedBytes: number;
}

const MODULES = /^(?:usr\/)?lib\/dracut\/modules\.txt$/;
const ROOT_CHECK = /^(?:usr\/)?sbin\/holdfast-rootdigest$/;
/** A list of a few dozen words. */
const MOST_LIST_BYTES = 1 << 16;
/** No initramfs that a machine could boot unpacks to more. */
const MOST_UNPACKED_BYTES = 8 * 2 ** 30;
const MAGIC_BYTES = 6;

const COMPRESSIONS: readonly { magic: string; unpack: StreamStage }[] = [
  { magic: '1f8b', unpack: decompress('gzip') },
  { magic: '28b52ffd', unpack: decompress('zstd') },
  { magic: 'fd377a585a00', unpack: throughProgram(['xz', '-q', '-dc']) },
  { magic: '02214c18', unpack: throughProgram(['lz4', '-q', '-dc']) },
  { magic: '425a68', unpack: throughProgram(['bzip2', '-q', '-dc']) },
  { magic: '5d0000', unpack: throughProgram(['xz', '-q', '-dc', '--format=lzma']) },
  { magic: '894c5a4f', unpack: throughProgram(['lzop', '-q', '-dc']) },
];

/**
 * Reads an initramfs to its end.
 * @throws HoldfastError HF-IMAGE for what is none, HF-TOOL-MISSING for a compression whose program isn't here, HF-COMMAND when
 *   it can't be unpacked.
 */
export async function readInitramfs(file: string, signal?: AbortSignal): Promise<Initramfs> {
  const found = { dracutModules: new Set<string>(), checksRoot: false, unpackedBytes: 0 };
  const source = new ByteSource(createReadStream(file, { highWaterMark: 1 << 18, ...(signal && { signal }) }));
  try {
    await readArchives(source, found, 'outside');
  } finally {
    await source.close();
  }
  return found;
}

type Found = { dracutModules: Set<string>; checksRoot: boolean; unpackedBytes: number };

async function readArchives(source: ByteSource, found: Found, where: 'outside' | 'unpacked'): Promise<void> {
  for (;;) {
    const magic = await source.peekBehindZeros(MAGIC_BYTES);
    if (magic.length === 0) return;
    if (magic.toString('latin1').startsWith('07070')) {
      await readCpio(source, (entry, read) => note(entry, read, found));
      continue;
    }
    const compression = COMPRESSIONS.find((each) => magic.toString('hex').startsWith(each.magic));
    // Something compressed twice is nothing that a kernel takes.
    if (compression === undefined || where === 'unpacked') {
      throw new HoldfastError('HF-IMAGE', 'the image’s initramfs is packed in a way that is not known');
    }
    const unpacked = new ByteSource(compression.unpack(source.remaining()));
    try {
      return await readArchives(unpacked, found, 'unpacked');
    } finally {
      await unpacked.close();
    }
  }
}

async function note({ path, sizeBytes }: CpioEntry, read: () => Promise<Buffer>, found: Found): Promise<void> {
  found.unpackedBytes += sizeBytes;
  if (found.unpackedBytes > MOST_UNPACKED_BYTES) {
    throw new HoldfastError('HF-IMAGE', 'the image’s initramfs unpacks to more than 8 GiB');
  }
  if (ROOT_CHECK.test(path)) found.checksRoot = true;
  if (!MODULES.test(path) || sizeBytes > MOST_LIST_BYTES) return;
  for (const name of (await read()).toString().split(/\s+/)) if (name !== '') found.dracutModules.add(name);
}
