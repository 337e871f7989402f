// `files`: content with mode and owner. Written beside the target and renamed over it, so that a power cut leaves the
// old file or the new one; yip truncates first and leaves an empty file when the content turns out to be broken.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { decodeBase64 } from '../../cloudconfig/scalar.ts';
import { HoldfastError } from '../../system/errors.ts';
import { type Owner, resolveGroup, resolveOwner } from '../accounts/owner.ts';
import { placeFile, placeParents } from '../placement.ts';
import { expandText } from '../templates.ts';
import { attempt, type StepContext, type StepHandler, type StepValue } from './handler.ts';

type FileEntry = StepValue<'files'>[number];

/** Where no permissions are given; yip uses 0000, which no file was ever meant to have. */
const DEFAULT_MODE = 0o644;
/** A larger result of unpacking is taken for an attack. */
const MAX_UNPACKED_BYTES = 256 << 20;

const BASE64 = new Set(['b64', 'base64']);
const GZIP = new Set(['gz', 'gzip']);
const GZIP_BASE64 = new Set(['gz+base64', 'gzip+base64', 'gz+b64', 'gzip+b64']);
const PLAIN = new Set(['', 'text/plain']);

export const files: StepHandler<'files'> = {
  key: 'files',
  describe: (value) =>
    value.map(({ path = '', permissions, append }) => {
      const mode = append && permissions === undefined ? 'mode kept' : formatMode(permissions ?? DEFAULT_MODE);
      return `${append ? 'append to' : 'write'} ${path} (${mode})`;
    }),
  async apply(value, context) {
    for (const entry of value) await attempt(context, () => applyFile(entry, context));
  },
};

async function applyFile(entry: FileEntry, context: StepContext): Promise<void> {
  const { root } = context;
  const { path } = entry;
  if (!path) throw new HoldfastError('HF-CONFIG', 'a file without a path', { hint: 'add "path: /…"' });
  if (path.endsWith('/')) throw new HoldfastError('HF-CONFIG', `${path} is the name of a directory, not of a file`);
  const content = await expand(path, decodeContent(entry, context), context);
  if (entry.append && root.stat(path)?.isFile()) {
    if (appendTo(path, content, entry, context)) context.edited(path);
    return;
  }
  const owner = ownerOf(entry, context);
  const mode = entry.permissions ?? DEFAULT_MODE;
  for (const created of placeParents(root, path, { ...owner, mode: parentMode(entry.permissions) })) {
    context.changed(created);
  }
  if (placeFile(root, path, content, { ...owner, mode })) context.changed(path);
}

/** Puts content at the end of a file that hasn't got it yet. Mode and owner stay unless the entry says otherwise. */
function appendTo(path: string, content: Uint8Array, entry: FileEntry, context: StepContext): boolean {
  const { root } = context;
  const stats = root.stat(path);
  // A pipe would be waited for.
  if (!stats?.isFile()) throw new HoldfastError('HF-IO', `${path} is no regular file, nothing can be put at its end`);
  const old = readFileSync(root.resolve(path));
  const kept = { uid: stats.uid, gid: stats.gid };
  const { owner, group, ownerstring } = entry;
  const isOwned = owner !== undefined || group !== undefined || Boolean(ownerstring);
  const mode = entry.permissions ?? stats.mode & 0o7777;
  const joined = holdsBlock(old, content) ? old : Buffer.concat([old, content]);
  return placeFile(root, path, joined, { ...(isOwned ? ownerOf(entry, context) : kept), mode });
}

/** Whether a text has a block from the start of a line on, or at its end: then it was appended before. */
function holdsBlock(text: Buffer, block: Uint8Array): boolean {
  for (let at = text.indexOf(block); at >= 0; at = text.indexOf(block, at + 1)) {
    if (at === 0 || text[at - 1] === 0x0a || at + block.length === text.length) return true;
  }
  return false;
}

/**
 * yip: missing parents get the file's mode, plus x for the owner below 0700 (0600 → 0700, 0644 → 0744), less what the
 * usual umask takes: a file that everybody may write doesn't open its directory to everybody.
 */
function parentMode(mode: number | undefined): number {
  if (mode === undefined) return 0o755;
  const bits = mode & 0o777;
  return (bits < 0o700 ? bits | 0o100 : bits) & ~0o022;
}

/** The ids that an entry asks for, root when it says nothing. */
export function ownerOf(
  entry: { owner?: number | string; group?: number | string; ownerstring?: string },
  { root }: StepContext,
): Owner {
  if (entry.ownerstring) return resolveOwner(root, entry.ownerstring);
  const { owner = 0, group } = entry;
  const user = typeof owner === 'string' ? resolveOwner(root, owner) : { uid: owner, gid: 0 };
  if (group === undefined) return user;
  return { uid: user.uid, gid: typeof group === 'string' ? resolveGroup(root, group) : group };
}

/**
 * The bytes that an entry's content and encoding stand for.
 * @throws HoldfastError HF-CONFIG when the content isn't what the encoding says.
 */
export function decodeContent(entry: FileEntry, context: Pick<StepContext, 'warn'>): Uint8Array {
  const { content = '', encoding = '', path = '' } = entry;
  const bytes = typeof content === 'string' ? Buffer.from(content, 'utf8') : content;
  if (BASE64.has(encoding)) return fromBase64(bytes, path);
  if (GZIP.has(encoding)) return unpack(bytes, path);
  if (GZIP_BASE64.has(encoding)) return unpack(fromBase64(bytes, path), path);
  if (!PLAIN.has(encoding)) {
    const known = [...BASE64, ...GZIP, ...GZIP_BASE64].join(', ');
    context.warn(`${path}: the encoding "${encoding}" is not known, the content is written as it is (known: ${known})`);
  }
  return bytes;
}

function fromBase64(bytes: Uint8Array, path: string): Uint8Array {
  const decoded = decodeBase64(Buffer.from(bytes).toString('latin1'));
  if (decoded === undefined) throw new HoldfastError('HF-CONFIG', `${path}: the content is not valid base64`);
  return decoded;
}

function unpack(bytes: Uint8Array, path: string): Uint8Array {
  try {
    // Takes milliseconds to load, and next to no file is packed.
    const { gunzipSync }: typeof import('node:zlib') = createRequire(import.meta.url)('node:zlib');
    return gunzipSync(bytes, { maxOutputLength: MAX_UNPACKED_BYTES });
  } catch (cause) {
    throw new HoldfastError('HF-CONFIG', `${path}: the content is not valid gzip data`, { cause });
  }
}

/** yip writes a text whose template it doesn't understand unexpanded, with a warning; so does this. */
async function expand(path: string, bytes: Uint8Array, context: StepContext): Promise<Uint8Array> {
  const buffer = Buffer.from(bytes);
  if (!buffer.includes('{{')) return bytes;
  const text = buffer.toString('utf8');
  // Bytes that aren't text would not survive the way through a string.
  if (!Buffer.from(text, 'utf8').equals(buffer)) return bytes;
  return Buffer.from(await expandText(text, path, context), 'utf8');
}

function formatMode(mode: number): string {
  return `0${mode.toString(8).padStart(3, '0')}`;
}
