// FAT12, FAT16 and FAT32 with long names (Microsoft's specification 1.03), read without the kernel for the same reasons
// as ISO 9660.

import { MAX_FILE_BYTES, MediumError, partsOf, type ReadBytes, type Volume } from './source.ts';

const ENTRY = 32;
const ATTRIBUTE = { label: 0x08, directory: 0x10, longName: 0x0f } as const;

interface Geometry {
  bits: 12 | 16 | 32;
  clusterBytes: number;
  /** Of the first table. */
  tableOffset: number;
  /** Of cluster 2. */
  dataOffset: number;
  clusters: number;
  /** The root's place: a fixed area, or a cluster where `bits` is 32. */
  root: { offset: number; size: number } | { cluster: number };
  /** From the boot sector; the root directory's own label counts more. */
  label: string;
}

interface Entry {
  name: string;
  shortName: string;
  attributes: number;
  cluster: number;
  size: number;
}

/** The volume, or undefined when this is no FAT. */
export function openFat(read: ReadBytes): Volume | undefined {
  const geometry = readGeometry(read);
  if (geometry === undefined) return undefined;
  const root = () =>
    parseDirectory(
      'offset' in geometry.root
        ? read(geometry.root.offset, geometry.root.size)
        : readChain(read, geometry, geometry.root.cluster, undefined),
    );
  const isLabel = ({ attributes }: Entry) => (attributes & (ATTRIBUTE.label | ATTRIBUTE.directory)) === ATTRIBUTE.label;
  return {
    get label() {
      return root().find(isLabel)?.shortName ?? geometry.label;
    },
    read(path) {
      const parts = partsOf(path);
      let entries = root();
      for (const [index, part] of parts.entries()) {
        const wanted = part.toLowerCase();
        const entry = entries.find(
          (candidate) =>
            !isLabel(candidate) && [candidate.name.toLowerCase(), candidate.shortName.toLowerCase()].includes(wanted),
        );
        const last = index === parts.length - 1;
        const isDirectory = entry !== undefined && (entry.attributes & ATTRIBUTE.directory) !== 0;
        if (entry === undefined || isDirectory === last) return undefined;
        if (last) return readChain(read, geometry, entry.cluster, entry.size);
        entries = parseDirectory(readChain(read, geometry, entry.cluster, undefined));
      }
      return undefined;
    },
  };
}

function readGeometry(read: ReadBytes): Geometry | undefined {
  let sector: Buffer;
  try {
    sector = read(0, 512);
  } catch (error) {
    if (error instanceof MediumError) return undefined;
    throw error;
  }
  const sectorBytes = sector.readUInt16LE(11);
  const perCluster = sector.readUInt8(13);
  const reserved = sector.readUInt16LE(14);
  const tables = sector.readUInt8(16);
  const rootEntries = sector.readUInt16LE(17);
  const plausible =
    sector.readUInt16LE(510) === 0xaa55 &&
    [512, 1024, 2048, 4096].includes(sectorBytes) &&
    perCluster > 0 &&
    (perCluster & (perCluster - 1)) === 0 &&
    reserved > 0 &&
    (tables === 1 || tables === 2) &&
    sector.readUInt8(21) >= 0xf0;
  if (!plausible) return undefined;
  const sectors = sector.readUInt16LE(19) || sector.readUInt32LE(32);
  const smallTable = sector.readUInt16LE(22);
  const tableSectors = smallTable || sector.readUInt32LE(36);
  const rootBytes = rootEntries * ENTRY;
  const dataSector = reserved + tables * tableSectors + Math.ceil(rootBytes / sectorBytes);
  const clusters = Math.floor((sectors - dataSector) / perCluster);
  if (tableSectors === 0 || clusters <= 0) return undefined;
  const bits = smallTable === 0 ? 32 : clusters < 4085 ? 12 : 16;
  const extended = bits === 32 ? 66 : 38;
  return {
    bits,
    clusterBytes: perCluster * sectorBytes,
    tableOffset: reserved * sectorBytes,
    dataOffset: dataSector * sectorBytes,
    clusters,
    root:
      bits === 32
        ? { cluster: sector.readUInt32LE(44) }
        : { offset: (reserved + tables * tableSectors) * sectorBytes, size: rootBytes },
    label: sector[extended] === 0x29 ? sector.toString('latin1', extended + 5, extended + 16).trimEnd() : '',
  };
}

/** The content of a chain of clusters. @param size of a file; a directory ends where its chain does. */
function readChain(read: ReadBytes, geometry: Geometry, first: number, size: number | undefined): Buffer {
  const { clusterBytes, dataOffset, clusters } = geometry;
  const wanted = size ?? MAX_FILE_BYTES;
  if (wanted > MAX_FILE_BYTES) throw new MediumError(`a file of ${size} bytes is too large`);
  const pieces: Buffer[] = [];
  let cluster = first;
  for (let done = 0; done < wanted; done += clusterBytes) {
    if (size === undefined && endsChain(cluster, geometry)) break;
    if (cluster < 2 || cluster > clusters + 1) throw new MediumError('a chain of clusters is broken');
    pieces.push(read(dataOffset + (cluster - 2) * clusterBytes, clusterBytes));
    cluster = nextCluster(read, geometry, cluster);
  }
  return Buffer.concat(pieces).subarray(0, wanted);
}

function nextCluster(read: ReadBytes, { bits, tableOffset }: Geometry, cluster: number): number {
  if (bits === 16) return read(tableOffset + cluster * 2, 2).readUInt16LE(0);
  if (bits === 32) return read(tableOffset + cluster * 4, 4).readUInt32LE(0) & 0x0fffffff;
  const pair = read(tableOffset + Math.floor((cluster * 3) / 2), 2).readUInt16LE(0);
  return cluster % 2 === 0 ? pair & 0xfff : pair >> 4;
}

function endsChain(cluster: number, { bits }: Geometry): boolean {
  return cluster >= { 12: 0xff8, 16: 0xfff8, 32: 0x0ffffff8 }[bits];
}

function parseDirectory(bytes: Buffer): Entry[] {
  const entries: Entry[] = [];
  /** Pieces of a long name, which stand before the entry that they belong to, last piece first. */
  let long: { checksum: number; pieces: string[] } | undefined;
  for (let at = 0; at + ENTRY <= bytes.length; at += ENTRY) {
    const entry = bytes.subarray(at, at + ENTRY);
    if (entry[0] === 0) break;
    if (entry[0] === 0xe5) {
      long = undefined;
      continue;
    }
    const attributes = entry.readUInt8(11);
    if ((attributes & 0x3f) === ATTRIBUTE.longName) {
      const checksum = entry.readUInt8(13);
      if (long === undefined || (entry.readUInt8(0) & 0x40) !== 0 || long.checksum !== checksum) {
        long = { checksum, pieces: [] };
      }
      long.pieces.unshift(longNamePiece(entry));
      continue;
    }
    const shortName = (attributes & ATTRIBUTE.label) !== 0 ? labelOf(entry) : shortNameOf(entry);
    const name = long?.checksum === checksumOf(entry) ? long.pieces.join('') : shortName;
    long = undefined;
    const cluster = entry.readUInt16LE(26) + entry.readUInt16LE(20) * 0x10000;
    entries.push({ name, shortName, attributes, cluster, size: entry.readUInt32LE(28) });
  }
  return entries;
}

function longNamePiece(entry: Buffer): string {
  const text = Buffer.concat([entry.subarray(1, 11), entry.subarray(14, 26), entry.subarray(28, 32)]);
  return (text.toString('utf16le').split('\0')[0] ?? '').replace(/\uffff+$/, '');
}

function shortNameOf(entry: Buffer): string {
  const base = entry.toString('latin1', 0, 8).trimEnd();
  const extension = entry.toString('latin1', 8, 11).trimEnd();
  return extension === '' ? base : `${base}.${extension}`;
}

function labelOf(entry: Buffer): string {
  return entry.toString('latin1', 0, 11).trimEnd();
}

/** Of a short name, by which its long name's pieces know it. */
function checksumOf(entry: Buffer): number {
  return entry.subarray(0, 11).reduce((sum, byte) => (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff, 0);
}
