// What a setting's value may be. Files of variables, YAML and the environment all give a `Raw`; a reader turns it into a
// typed value or says what is wrong with which part of it, so that a message can point at the very word.

import type { ExtraPartition, PartitionFilesystem } from '../slots/partitions.ts';

/** A value as it was written, before its type is known. `place` says where, for whoever wrote it. */
export type Raw<P = unknown> =
  | { kind: 'text'; text: string; place: P }
  | { kind: 'list'; items: readonly Raw<P>[]; place: P }
  | { kind: 'map'; entries: readonly { key: string; value: Raw<P>; place: P }[]; place: P };

/** A value that is not what its setting wants. The message is the second half of a sentence: "must be …". */
export class WrongValue extends Error {
  readonly raw: Raw;
  readonly hint: string | undefined;

  constructor(raw: Raw, message: string, hint?: string) {
    super(message);
    this.raw = raw;
    this.hint = hint;
  }
}

/** @throws WrongValue */
export type Reader<T> = (raw: Raw) => T;

/** More than any path, address or reference has. */
const LONGEST_TEXT = 4096;
const LONGEST_LIST = 256;
/** 16 TiB: what ext4 holds with blocks of 4 KiB. */
const LARGEST_MIB = 1 << 24;

export const text: Reader<string> = (raw) => {
  if (raw.kind !== 'text') throw new WrongValue(raw, `must be a text, not a ${named(raw)}`);
  if (raw.text.length > LONGEST_TEXT) throw new WrongValue(raw, `is longer than ${LONGEST_TEXT} characters`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\x00-\x1f\x7f]/.test(raw.text)) throw new WrongValue(raw, 'contains a control character');
  return raw.text;
};

/** Everything that YAML 1.1 and Go's strconv.ParseBool take for a truth value. */
export const boolean: Reader<boolean> = (raw) => {
  const word = raw.kind === 'text' ? raw.text.trim().toLowerCase() : '';
  if (['true', 't', 'yes', 'y', 'on', '1'].includes(word)) return true;
  if (['false', 'f', 'no', 'n', 'off', '0'].includes(word)) return false;
  throw new WrongValue(raw, `must be true or false, not ${shown(raw)}`);
};

/** A size in MiB, as a whole number; 0 is what the setting says it is. */
export const mebibytes: Reader<number> = (raw) => {
  const digits = raw.kind === 'text' ? raw.text.trim() : '';
  const size = /^\d{1,9}$/.test(digits) ? Number(digits) : Number.NaN;
  if (size <= LARGEST_MIB) return size;
  throw new WrongValue(raw, `must be a size in MiB, not ${shown(raw)}`, 'write the number alone: 4096 is 4 GiB');
};

export function oneOf<T extends string>(...words: readonly T[]): Reader<T> {
  return (raw) => {
    const word = raw.kind === 'text' ? raw.text.trim().toLowerCase() : undefined;
    const found = words.find((candidate) => candidate === word);
    if (found !== undefined) return found;
    throw new WrongValue(raw, `must be ${orList(words)}, not ${shown(raw)}`);
  };
}

/** A list of texts. One text alone is split at spaces and commas, as the variables of cOS and of Go's flags are. */
export const words: Reader<readonly string[]> = (raw) => {
  if (raw.kind === 'map') throw new WrongValue(raw, 'must be a list of texts, not a mapping');
  const all = raw.kind === 'list' ? raw.items.map(text) : text(raw).split(/[\s,]+/);
  const list = all.filter((item) => item !== '');
  if (list.length > LONGEST_LIST) throw new WrongValue(raw, `has more than ${LONGEST_LIST} entries`);
  return list;
};

/** A list of texts, or one text as it is: file names and addresses may hold commas. */
export const texts: Reader<readonly string[]> = (raw) => (raw.kind === 'text' ? [text(raw)] : words(raw));

/** What ext4, XFS and FAT take as a label, whichever of them it becomes. */
export const label: Reader<string> = (raw) => {
  const word = text(raw);
  if (/^[A-Za-z0-9_.-]{1,16}$/.test(word)) return word;
  throw new WrongValue(raw, `must be a label, not ${shown(raw)}`, 'up to 16 letters, digits, and _ . -');
};

/** Filesystems that a partition can be given, by the words that Elemental has for them. */
export const filesystem: Reader<PartitionFilesystem> = (raw) => {
  const word = oneOf('ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'vfat', 'fat', 'fat32')(raw);
  return word === 'fat' || word === 'fat32' ? 'vfat' : word;
};

export const extraPartitions: Reader<readonly ExtraPartition[]> = (raw) => {
  if (raw.kind !== 'list') throw new WrongValue(raw, `must be a list of partitions, not ${shown(raw)}`);
  if (raw.items.length > 100) throw new WrongValue(raw, 'has more partitions than a disk can hold');
  return raw.items.map(extraPartition);
};

const EXTRA_KEYS = ['name', 'size', 'fs', 'label', 'flags'];

function extraPartition(raw: Raw, index: number): ExtraPartition {
  if (raw.kind !== 'map') throw new WrongValue(raw, `must be a list of mappings, not ${shown(raw)}`);
  const given = new Map(raw.entries.map(({ key, value }) => [key.toLowerCase(), value]));
  for (const [key, value] of given) {
    if (!EXTRA_KEYS.includes(key)) {
      throw new WrongValue(
        value,
        `has the unknown key ${JSON.stringify(key)}`,
        `a partition has ${EXTRA_KEYS.join(', ')}`,
      );
    }
  }
  const optional = <T>(key: string, read: Reader<T>) => {
    const value = given.get(key);
    return value === undefined || (value.kind === 'text' && value.text === '') ? undefined : read(value);
  };
  const fs = optional('fs', filesystem);
  const partitionLabel = optional('label', label);
  const name = optional('name', partitionName) ?? partitionLabel ?? `extra${index + 1}`;
  return {
    name,
    sizeMib: optional('size', mebibytes) ?? 0,
    ...(partitionLabel !== undefined && { label: partitionLabel }),
    ...(fs !== undefined && { filesystem: fs }),
  };
}

/** The GPT has room for 36 characters; quotes would have to be told to sfdisk(8). */
const partitionName: Reader<string> = (raw) => {
  const word = text(raw);
  if (/^[A-Za-z0-9_. -]{1,36}$/.test(word)) return word;
  throw new WrongValue(
    raw,
    `has the name ${shown(raw)}, which a partition can't have`,
    'up to 36 letters, digits, and _ . -',
  );
};

function shown(raw: Raw): string {
  if (raw.kind !== 'text') return `a ${named(raw)}`;
  return JSON.stringify(raw.text.length > 60 ? `${raw.text.slice(0, 60)}…` : raw.text);
}

function named(raw: Raw): string {
  return raw.kind === 'list' ? 'list' : raw.kind === 'map' ? 'mapping' : 'text';
}

function orList(list: readonly string[]): string {
  return list.length < 2 ? list.join('') : `${list.slice(0, -1).join(', ')} or ${list.at(-1)}`;
}
