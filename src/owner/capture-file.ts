// A file of a system as a request to keep it: content, mode, owner by name. What makes a poor copy (accounts, devices,
// directories) is refused with what to do instead, and what a stage file can't hold is said.

import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync, readlinkSync } from 'node:fs';
import { readObjects } from '../overlay/rebase/read-object.ts';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import type { Root } from '../system/root.ts';
import type { FileContent, FileRequest } from './request.ts';

/** Larger ones are kept beside the stage file: each of its hooks has a copy of what is inside. */
export const INLINE_BYTES = 16 << 10;
const MAX_BYTES = 1 << 30;

const ACCOUNTS = /^\/etc\/(?:passwd|shadow|group|gshadow|subuid|subgid)-?$/;

export interface CapturedFile {
  request: FileRequest;
  /** The content to be kept beside the stage file. */
  stored: Uint8Array | undefined;
}

/**
 * @param path absolute, inside the root. Links in the directories above it are followed, the last part's is kept as a link.
 * @throws HoldfastError HF-USAGE for what can't be kept this way, HF-IO when it isn't there.
 */
export function captureFile(root: Root, path: string): CapturedFile {
  if (ACCOUNTS.test(path)) {
    throw unfit(
      path,
      'is a list of accounts, which images extend',
      'write accounts as "users" in a stage file of your own',
    );
  }
  const at = root.resolve(path, { followLast: false });
  const stats = root.lstat(path);
  if (stats === undefined) {
    throw new HoldfastError('HF-IO', `${path} isn't there`, { hint: 'make the file first, then keep it' });
  }
  const owner = nameIn(root, '/etc/passwd', stats.uid);
  const group = nameIn(root, '/etc/group', stats.gid);
  const request = (content: FileContent, mode: number): FileRequest => ({
    kind: 'file',
    path,
    content,
    mode,
    owner,
    group,
    atBoot: false,
  });
  if (stats.isSymbolicLink()) {
    return {
      request: { ...request({ kind: 'link', target: readlinkSync(at) }, 0o777), owner: 'root', group: 'root' },
      stored: undefined,
    };
  }
  if (stats.isDirectory()) throw unfit(path, 'is a directory', `name its files: holdfast file add ${path}/*`);
  if (!stats.isFile()) throw unfit(path, 'is no regular file', 'make it by a command: holdfast run -- …');
  const bytes = readWithin(at, path);
  const mode = stats.mode & 0o7777;
  if (bytes.length <= INLINE_BYTES) return { request: request({ kind: 'inline', bytes }, mode), stored: undefined };
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { request: request({ kind: 'stored', sha256, sizeBytes: bytes.length }, mode), stored: bytes };
}

/** What of a file a stage file has no place for, by name: capabilities, access control lists, flags. */
export async function unkeptAttributes(root: Root, path: string): Promise<string[]> {
  const inside = root.inside(root.resolve(path, { followLast: false }));
  const treePath = Buffer.from(inside.slice(1), 'utf8').toString('latin1');
  try {
    const [object] = (await readObjects(root.directory, [treePath])).values();
    // A label is made anew by the policy of the system that the file comes into.
    const names = [...(object?.xattrs.keys() ?? [])].filter((name) => name !== 'security.selinux');
    return [...names, ...(object?.flags ? ['flags of chattr'] : [])].sort();
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'HF-TOOL-MISSING') throw error;
    return [`extended attributes, if it has any (${error.message})`];
  }
}

function readWithin(at: string, path: string): Uint8Array {
  let fd: number;
  try {
    fd = openSync(at, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ELOOP') throw new HoldfastError('HF-IO', `${path} was replaced while it was read`);
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    if (size > MAX_BYTES)
      throw unfit(path, `has ${size} bytes, more than 1 GiB`, 'keep it on the persistent partition');
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The name of a number, since another image may give the account another one. */
function nameIn(root: Root, file: string, id: number): string {
  for (const line of (root.readTextIfThere(file) ?? '').split('\n')) {
    const [name = '', , number] = line.split(':');
    if (number === String(id) && /^[\w.-]+$/.test(name)) return name;
  }
  return String(id);
}

function unfit(path: string, what: string, hint: string): HoldfastError {
  return new HoldfastError('HF-USAGE', `${path} ${what}`, { hint });
}
