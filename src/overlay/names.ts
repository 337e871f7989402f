// The names of what belongs to one overlay set on its file system. A set is named by one path, P; each base that it was
// used with has a file of its own beside it, P.<first 16 digits of the base's fingerprint>.

import { basename } from 'node:path';
import { parsePlace } from '../boot/layout-words.ts';
import { type Fingerprint, SHORT_DIGITS, shortFingerprint } from './fingerprint.ts';

/** The longest thing that is added to the set's own name: digits, ending, and what a temporary file adds. */
const LONGEST_ENDING = `.${'0'.repeat(SHORT_DIGITS)}.bind.4194304.tmp`.length;

/** Why a path can't name a set; undefined when it can. */
export function problemOfSetPath(path: string): string | undefined {
  if (!path.startsWith('/')) return 'the path must be absolute: it begins at the root of the device’s file system';
  if (path.split('/').some((part) => part === '.' || part === '..')) return 'the path must not have . or .. in it';
  if (path.endsWith('/')) return 'the path must name a file, not a directory';
  if (parsePlace(path) === undefined) return 'the path is no file name that the kernel takes';
  if (/\s/.test(path)) return 'the path must not have blanks in it: it is part of a kernel argument';
  if (Buffer.byteLength(basename(path)) + LONGEST_ENDING > 255) return 'the file name is too long';
  return undefined;
}

/** The COW of a set for one base. */
export function cowFile(set: string, fingerprint: Fingerprint): string {
  return `${set}.${shortFingerprint(fingerprint)}`;
}

/** What says which base a COW belongs to. */
export function sidecarFile(cow: string): string {
  return `${cow}.bind`;
}

/** Counts boots with this COW that did not come up. */
export function triesFile(cow: string): string {
  return `${cow}.tries`;
}

/** A COW that is being written and is not yet whole. */
export function unfinishedFile(cow: string): string {
  return `${cow}.new`;
}

/** The directory of package files that were installed by hand into the view of one base. */
export function packagesDirectory(cow: string): string {
  return `${cow}.packages`;
}

/** What lost in conflicts of one rebase. */
export function conflictsDirectory(set: string, id?: string): string {
  return id === undefined ? `${set}.conflicts` : `${set}.conflicts/${id}`;
}

/**
 * The name under which a COW is kept that was set aside: `.aside-20260131T081500Z`. A machine without a clock begins every
 * boot at the same time, so a name that is taken gets a number, `…Z-2`.
 * @param isTaken whether a file of that name is there.
 */
export function asideFile(cow: string, now: Date, isTaken: (file: string) => boolean): string {
  const first = `${cow}.aside-${now.toISOString().replace(/[-:]|\.\d+/g, '')}`;
  let file = first;
  for (let number = 2; isTaken(file) || isTaken(sidecarFile(file)); number++) file = `${first}-${number}`;
  return file;
}

const ASIDE = String.raw`aside-(\d{8}T\d{6}Z(?:-\d{1,6})?)(\.bind)?`;
const MEMBER = new RegExp(String.raw`^(?:\.([0-9a-f]{16}))?(?:\.(bind|tries|new|packages|${ASIDE}))?$`);

/** What a name in the directory of a set is. `digits` are the 16 of the base; undefined for the set's own file, the seed. */
export type Member =
  | { kind: 'cow' | 'sidecar' | 'tries' | 'unfinished' | 'packages'; digits: string | undefined }
  /** Set aside, or the sidecar of what was. */
  | { kind: 'aside' | 'aside-sidecar'; digits: string | undefined; at: string }
  | { kind: 'conflicts' };

/** Which part of the set at `set` a file name is; undefined for files that are none of it. */
export function memberOf(set: string, name: string): Member | undefined {
  const own = basename(set);
  if (!name.startsWith(own)) return undefined;
  if (name === `${own}.conflicts`) return { kind: 'conflicts' };
  const [, digits, ending, at, bind] = MEMBER.exec(name.slice(own.length)) ?? [];
  if (name !== own && digits === undefined && ending === undefined) return undefined;
  if (at !== undefined) return { kind: bind === undefined ? 'aside' : 'aside-sidecar', digits, at };
  return { kind: KINDS.get(ending) ?? 'cow', digits };
}

const KINDS: ReadonlyMap<string | undefined, 'sidecar' | 'tries' | 'unfinished' | 'packages'> = new Map([
  ['bind', 'sidecar'],
  ['tries', 'tries'],
  ['new', 'unfinished'],
  ['packages', 'packages'],
]);

/** The path that dracut takes when the argument names only a device (dmsquash-live): of the live device's own names. */
export function defaultSetPath(directory: string, device: { label?: string; uuid?: string }): string {
  return `/${directory.replace(/^\/+|\/+$/g, '')}/overlay-${device.label ?? ''}-${device.uuid ?? ''}`;
}
