// ISO 9660, with the long names of Rock Ridge or Joliet (ECMA-119, IEEE P1282). Read here rather than mounted: an initrd
// seldom has the module, nothing is left to unmount, and no kernel parses a stranger's disk.

import { MAX_FILE_BYTES, MediumError, partsOf, type ReadBytes, type Volume } from './source.ts';

const SECTOR = 2048;
const FIRST_DESCRIPTOR = 16;
const MAX_DESCRIPTORS = 64;
const MAX_CONTINUATIONS = 16;

interface Extent {
  block: number;
  size: number;
}

interface Entry extends Extent {
  name: string;
  isDirectory: boolean;
  /** A file in several extents, which only those over 4 GiB are. */
  continues: boolean;
}

interface Tree {
  root: Extent;
  blockSize: number;
  nameOf: (record: Buffer) => string;
}

/** An ISO 9660, whose files each lie in one piece. */
export interface IsoVolume extends Volume {
  /** Where the content of a file lies, in bytes; undefined when there is no such file. */
  place: (path: string) => { offsetBytes: number; sizeBytes: number } | undefined;
}

/** The volume, or undefined when this is no ISO 9660. */
export function openIso9660(read: ReadBytes): IsoVolume | undefined {
  const descriptors = readDescriptors(read);
  const primary = descriptors.find((sector) => sector[0] === 1);
  if (primary === undefined) return undefined;
  const label = primary.toString('latin1', 40, 72).trimEnd();
  const joliet = descriptors.find((sector) => sector[0] === 2 && /^%\/[@CE]/.test(sector.toString('latin1', 88, 91)));
  let tree: Tree | undefined;
  const find = (path: string): { file: Extent; blockSize: number } | undefined => {
    tree ??= chooseTree(read, primary, joliet);
    let at: Extent = tree.root;
    const parts = partsOf(path);
    if (parts.length === 0) return undefined;
    for (const [index, part] of parts.entries()) {
      const wanted = tree;
      const entry = entriesOf(read, at, wanted).find(({ name }) => name === part);
      const last = index === parts.length - 1;
      if (entry === undefined || entry.isDirectory === last) return undefined;
      if (entry.continues) throw new MediumError(`${path} is in several parts`);
      at = entry;
    }
    return { file: at, blockSize: tree.blockSize };
  };
  return {
    label,
    read(path) {
      const found = find(path);
      return found && readExtent(read, found.file, found.blockSize);
    },
    place(path) {
      const found = find(path);
      return found && { offsetBytes: found.file.block * found.blockSize, sizeBytes: found.file.size };
    },
  };
}

function readDescriptors(read: ReadBytes): Buffer[] {
  const result: Buffer[] = [];
  for (let index = 0; index < MAX_DESCRIPTORS; index++) {
    let sector: Buffer;
    try {
      sector = read((FIRST_DESCRIPTOR + index) * SECTOR, SECTOR);
    } catch (error) {
      // A device that is too small for one isn't wrong, only none.
      if (error instanceof MediumError) return result;
      throw error;
    }
    if (sector.toString('latin1', 1, 6) !== 'CD001' || sector[0] === 255) return result;
    result.push(sector);
  }
  return result;
}

/** As Linux: Rock Ridge's names if there are any, else Joliet's, else the plain ones in lower case. */
function chooseTree(read: ReadBytes, primary: Buffer, joliet: Buffer | undefined): Tree {
  const plain = treeOf(primary, plainName);
  const [self] = recordsOf(readExtent(read, plain.root, plain.blockSize));
  const skip = self === undefined ? undefined : sharingSkip(systemUse(self));
  if (skip !== undefined) {
    return { ...plain, nameOf: (record) => rockRidgeName(read, record, skip, plain.blockSize) ?? plainName(record) };
  }
  return joliet === undefined ? plain : treeOf(joliet, jolietName);
}

function treeOf(descriptor: Buffer, nameOf: Tree['nameOf']): Tree {
  const blockSize = descriptor.readUInt16LE(128);
  if (![512, 1024, 2048].includes(blockSize)) throw new MediumError(`its blocks can't have ${blockSize} bytes`);
  return { root: extentOf(descriptor.subarray(156, 190)), blockSize, nameOf };
}

function extentOf(record: Buffer): Extent {
  return { block: record.readUInt32LE(2) + record.readUInt8(1), size: record.readUInt32LE(10) };
}

function readExtent(read: ReadBytes, { block, size }: Extent, blockSize: number): Buffer {
  if (size > MAX_FILE_BYTES) throw new MediumError(`a file or directory of ${size} bytes is too large`);
  return read(block * blockSize, size);
}

function entriesOf(read: ReadBytes, directory: Extent, { blockSize, nameOf }: Tree): Entry[] {
  // The first two are the directory itself and its parent.
  return recordsOf(readExtent(read, directory, blockSize))
    .slice(2)
    .map((record) => {
      const flags = record.readUInt8(25);
      return {
        ...extentOf(record),
        name: nameOf(record),
        isDirectory: (flags & 2) !== 0,
        continues: (flags & 0x80) !== 0,
      };
    });
}

/** Records of a directory; none goes over the end of a sector. */
function recordsOf(bytes: Buffer): Buffer[] {
  const result: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at] ?? 0;
    if (length === 0) {
      at = (Math.floor(at / SECTOR) + 1) * SECTOR;
      continue;
    }
    const record = bytes.subarray(at, at + length);
    if (record.length < 34 || record.length < 33 + (record[32] ?? 0)) throw new MediumError('a directory is broken');
    result.push(record);
    at += length;
  }
  return result;
}

function rawName(record: Buffer): Buffer {
  return record.subarray(33, 33 + record.readUInt8(32));
}

/** Linux's `map=normal`: lower case, without version and trailing dot. */
function plainName(record: Buffer): string {
  return rawName(record).toString('latin1').toLowerCase().replace(/;\d*$/, '').replace(/\.$/, '');
}

function jolietName(record: Buffer): string {
  const name = Buffer.from(rawName(record));
  if (name.length % 2 !== 0) return '';
  return name.swap16().toString('utf16le').replace(/;\d*$/, '');
}

/** The part of a record that extensions use (SUSP). */
function systemUse(record: Buffer): Buffer {
  const nameLength = record.readUInt8(32);
  return record.subarray(33 + nameLength + (nameLength % 2 === 0 ? 1 : 0));
}

/** How many bytes each area begins with that aren't ours; undefined without the extension. */
function sharingSkip(area: Buffer): number | undefined {
  // It stands first, behind 15 bytes in images for CD-ROM XA.
  for (const at of [0, 15]) {
    const entry = area.subarray(at, at + 7);
    if (entry.toString('latin1', 0, 2) === 'SP' && entry[4] === 0xbe && entry[5] === 0xef) return entry[6];
  }
  return undefined;
}

/** The name in the entries `NM`, which may go on in a continuation area; undefined without any. */
function rockRidgeName(read: ReadBytes, record: Buffer, skip: number, blockSize: number): string | undefined {
  const pieces: Buffer[] = [];
  let area: Buffer | undefined = systemUse(record).subarray(skip);
  for (let jumps = 0; area !== undefined; jumps++) {
    if (jumps > MAX_CONTINUATIONS) throw new MediumError('a name has no end');
    let next: Buffer | undefined;
    for (let at = 0; at + 4 <= area.length; ) {
      const length = area.readUInt8(at + 2);
      if (length < 4 || at + length > area.length) break;
      const entry = area.subarray(at, at + length);
      const kind = entry.toString('latin1', 0, 2);
      if (kind === 'ST') break;
      if (kind === 'NM' && length >= 5 && (entry.readUInt8(4) & 6) === 0) pieces.push(entry.subarray(5));
      if (kind === 'CE' && length >= 28) {
        next = read(entry.readUInt32LE(4) * blockSize + entry.readUInt32LE(12), entry.readUInt32LE(20));
      }
      at += length;
    }
    area = next;
  }
  return pieces.length === 0 ? undefined : Buffer.concat(pieces).toString('utf8');
}
