// What the head of an answer says about a file: its name, and whether it is the version that is there already. A server
// is believed about that only where the standard allows it, since a changed file of equal size must not be missed.

import type { Stats } from 'node:fs';
import { HoldfastError } from '../../system/errors.ts';
import { type HttpHead, withoutSecrets } from '../../system/http.ts';

/** RFC 9110, 8.8.2.2: a file that was changed shortly before it was sent may have been changed again within that second. */
const SETTLED_MS = 60_000;
const LONGEST_NAME_BYTES = 255;

/**
 * The name of a file that is put into a directory: the server's own suggestion, else the last part of its address.
 * @throws HoldfastError HF-CONFIG when neither is a usable name.
 */
export function fileNameOf(head: HttpHead, asked: string): string {
  const suggested = dispositionName(head.headers.get('content-disposition') ?? '');
  const name = lastPart(suggested ?? decoded(new URL(head.url).pathname));
  if (name !== undefined) return name;
  throw new HoldfastError('HF-CONFIG', `${withoutSecrets(asked)} gives the file no name`, {
    hint: 'write the whole path of the file, not only its directory',
  });
}

/** The file name of a Content-Disposition (RFC 6266), as it stands there; undefined without one. */
export function dispositionName(header: string): string | undefined {
  const parameters = new Map<string, string>();
  for (const [, key = '', quoted, plain] of header.matchAll(/;\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))/g)) {
    parameters.set(key.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain ?? '');
  }
  const extended = parameters.get('filename*')?.match(/^utf-8'[^']*'(.*)$/i)?.[1];
  return extended === undefined ? parameters.get('filename') : decoded(extended);
}

/** A name without any directory; undefined when nothing usable is left. */
function lastPart(text: string): string | undefined {
  const name = text.split(/[/\\]/).at(-1)?.trim() ?? '';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (name === '' || name === '.' || name === '..' || /[\x00-\x1f\x7f]/.test(name)) return undefined;
  return Buffer.byteLength(name) <= LONGEST_NAME_BYTES ? name : undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * Whether a file has exactly the size and the time that the server tells. The time is the server's own: it was set when
 * the file was downloaded, and only if it was settled then ({@link settledTime}).
 */
export function isSameVersion({ size, mtimeMs }: Pick<Stats, 'size' | 'mtimeMs'>, { headers }: HttpHead): boolean {
  if ((headers.get('content-encoding') ?? 'identity') !== 'identity') return false;
  const length = headers.get('content-length');
  const changed = dateOf(headers.get('last-modified'));
  return length !== null && Number(length) === size && changed !== undefined && changed.getTime() === mtimeMs;
}

/** When the file was changed on the server, if that lies far enough back to tell this version from a later one. */
export function settledTime({ headers }: HttpHead): Date | undefined {
  const changed = dateOf(headers.get('last-modified'));
  const sent = dateOf(headers.get('date'));
  if (changed === undefined || sent === undefined) return undefined;
  return sent.getTime() - changed.getTime() >= SETTLED_MS ? changed : undefined;
}

function dateOf(header: string | null): Date | undefined {
  const date = new Date(header ?? Number.NaN);
  return Number.isNaN(date.getTime()) ? undefined : date;
}
