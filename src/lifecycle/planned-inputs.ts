// What a plan was made from, so that it can be said when it no longer holds: the slots, and every file outside of the image
// that hooks may have read. Whatever differs is named; a plan is never applied to another machine than the one it was made on.

import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isUrl } from '../stages/sources.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import type { PlannedInputs, PlannedRecord } from './planned-record.ts';
import type { OwnerMounts } from './target.ts';

/** So many files are told apart by name; what is beyond counts together. */
const MOST_FILES = 2000;
/** Whoever keeps a tree like that in /oem doesn't keep stage files in it. */
const MOST_ENTRIES = 100_000;
/** A larger file is known by its size and time. */
const MAX_READ_BYTES = 64 << 20;

/**
 * On COS_OEM, what the boot and Holdfast itself write there, and pages, among them this plan's own. Locks of packages are
 * what hooks read, so they count.
 */
const NOT_READ_BY_HOOKS = /^(grubenv|grub_oem_env|lost\+found|holdfast\/(?!packages\.lock$).*|.*\.(tmp|html)|.*~)$/;

const CONFIGURATION = ['/etc/cos/config', '/etc/elemental', '/etc/holdfast'];

export interface InputPlaces {
  /** Where COS_OEM and COS_PERSISTENT are mounted. */
  owner: OwnerMounts;
  /** Stage files beyond the default places. */
  extraSources: readonly string[];
  /** UUIDs of what is there. */
  slots: Pick<PlannedInputs, 'running' | 'active' | 'passive'>;
}

/** Reads everything that counts; files that can't be read count with the reason. */
export function collectInputs({ owner, extraSources, slots }: InputPlaces): PlannedInputs {
  const files: Record<string, string> = {};
  const places: [name: string, at: string, isLeftOut?: RegExp][] = [
    ...(owner.oem === undefined ? [] : [['/oem', owner.oem, NOT_READ_BY_HOOKS] satisfies [string, string, RegExp]]),
    ...(owner.persistent === undefined
      ? []
      : [['/usr/local/cloud-config', join(owner.persistent, 'cloud-config')] satisfies [string, string]]),
    ...[...CONFIGURATION, ...extraSources.filter((source) => !isUrl(source))].map((path): [string, string] => [
      path,
      path,
    ]),
  ];
  const further = createHash('sha256');
  let beyond = 0;
  for (const [name, at, isLeftOut] of places) {
    for (const path of filesBelow(at)) {
      if (isLeftOut?.test(path)) continue;
      const key = path === '' ? name : `${name}/${textOf(path)}`;
      const value = digestOf(bytesOf(at, path));
      if (Object.keys(files).length < MOST_FILES && key.length <= 4096) files[key] = value;
      else {
        further.update(`${key}\0${value}\0`);
        beyond += 1;
      }
    }
  }
  if (beyond > 0) files[`(${beyond} further files)`] = further.digest('hex');
  return { ...slots, files };
}

/**
 * Names below a directory, in order, as latin1; `` for a file. Links are not followed. By hand, since Bun's recursive reading
 * follows them.
 */
function filesBelow(at: string): string[] {
  const found = statSync(at, { throwIfNoEntry: false });
  if (found === undefined) return [];
  if (!found.isDirectory()) return [''];
  const files: string[] = [];
  let entries = 0;
  const visit = (directory: string) => {
    for (const name of readdirSync(bytesOf(at, directory), { encoding: 'buffer' })) {
      entries += 1;
      if (entries > MOST_ENTRIES) {
        throw new HoldfastError(
          'HF-PLAN',
          `${at} has more than ${MOST_ENTRIES} files, too many to tell whether they change`,
          {
            hint: 'move what is no stage file elsewhere, or run holdfast upgrade without a plan',
          },
        );
      }
      const path = `${directory}${name.toString('latin1')}`;
      const stats = lstatSync(bytesOf(at, path), { throwIfNoEntry: false });
      if (stats?.isDirectory()) visit(`${path}/`);
      else if (stats !== undefined) files.push(path);
    }
  };
  visit('');
  return files.sort();
}

/** Where a path below a directory is; names are bytes. */
function bytesOf(at: string, path: string): Buffer {
  return Buffer.concat([Buffer.from(path === '' ? at : `${at}/`), Buffer.from(path, 'latin1')]);
}

/** As text; a name that is none gets its bytes, so that two of them are not one. */
function textOf(path: string): string {
  const bytes = Buffer.from(path, 'latin1');
  const text = bytes.toString('utf8');
  return Buffer.from(text).equals(bytes) ? text : `${text} (${bytes.toString('hex')})`;
}

function digestOf(file: Buffer): string {
  try {
    const stats = lstatSync(file);
    if (stats.isSymbolicLink()) return `link:${readlinkSync(file).slice(0, 1000)}`;
    // Reading a pipe or a device might never end.
    if (!stats.isFile()) return `special:${stats.mode}`;
    if (stats.size > MAX_READ_BYTES) return `large:${stats.size}:${stats.mtimeMs}`;
    return `${(stats.mode & 0o7777).toString(8)}:${sha256Of(file)}`;
  } catch (error) {
    return `unreadable:${messageOf(error).slice(0, 200)}`;
  }
}

/** SHA-256 of a regular file's content, read bit by bit. */
export function sha256Of(file: string | Buffer): string {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(1 << 20);
  const fd = openSync(file, 'r');
  try {
    for (let count = readSync(fd, buffer); count > 0; count = readSync(fd, buffer))
      hash.update(buffer.subarray(0, count));
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}

/**
 * Why a plan no longer holds, a sentence each; nothing when it does. Pure.
 * @param now what is there now.
 */
export function staleReasons(
  { inputs, created }: Pick<PlannedRecord, 'inputs' | 'created'>,
  now: PlannedInputs,
): string[] {
  const slots = [
    ['running', 'this machine runs another system than when the plan was made'],
    ['active', 'the active slot was replaced since the plan was made'],
    ['passive', 'the passive slot was replaced since the plan was made'],
  ] as const;
  const reasons: string[] = slots.filter(([slot]) => inputs[slot] !== now[slot]).map(([, text]) => text);
  const paths = [...new Set([...Object.keys(inputs.files), ...Object.keys(now.files)])].sort();
  const changed = paths.filter((path) => inputs.files[path] !== now.files[path]);
  const word = (path: string) =>
    inputs.files[path] === undefined ? 'is new' : now.files[path] === undefined ? 'is gone' : 'was changed';
  for (const path of changed.slice(0, SHOWN)) reasons.push(`${path} ${word(path)} since ${created}`);
  if (changed.length > SHOWN) reasons.push(`and ${changed.length - SHOWN} more files`);
  return reasons;
}

const SHOWN = 5;
