// Adds keys to a user's authorized_keys. Keys are the same when type and blob are; what is there, options and comments
// included, stays as it is.

import { HoldfastError } from '../../system/errors.ts';
import type { StepContext } from '../steps/handler.ts';
import { AccountDatabase } from './database.ts';
import { extendKeyFile } from './keyfile.ts';
import { addressOf, describeEntry, type KeyFetcher } from './keysource.ts';
import { identityOf, isGenuine, parsePublicKey } from './publickey.ts';

export { KeyFetcher } from './keysource.ts';

/**
 * Makes sure that a user's file has these keys. An entry that can't be had is a failure of its own.
 * @throws HoldfastError when the user or its home isn't there, or the file leads out of it.
 */
export async function ensureAuthorizedKeys(
  name: string,
  entries: readonly string[],
  fetcher: KeyFetcher,
  context: StepContext,
): Promise<void> {
  const { root, fail, warn, edited } = context;
  const user = new AccountDatabase(root).user(name);
  if (user === undefined) throw new HoldfastError('HF-CONFIG', `there is no user ${name} for these keys`);
  if (Number.isNaN(user.uid) || Number.isNaN(user.gid)) {
    throw new HoldfastError('HF-CONFIG', `the line of ${name} in /etc/passwd has no numbers`);
  }
  const lines: string[] = [];
  for (const entry of entries) {
    try {
      lines.push(...(await linesOf(entry, name, fetcher, warn)));
    } catch (error) {
      fail(error);
    }
  }
  if (lines.length > 0) extendKeyFile(root, user, (text) => additions(text, lines)).forEach(edited);
}

async function linesOf(
  entry: string,
  name: string,
  fetcher: KeyFetcher,
  warn: (text: string) => void,
): Promise<readonly string[]> {
  const address = addressOf(entry);
  if (address !== undefined) {
    const keys = await fetcher.fetch(address);
    if (keys.length === 0) warn(`${describeEntry(entry)} has no keys for ${name}`);
    return keys;
  }
  const lines = entry.split('\n').flatMap((line) => (line.trim() === '' ? [] : [line.trim()]));
  for (const line of lines) {
    if (line.includes('\0')) throw new HoldfastError('HF-CONFIG', `a key of ${name} has a zero byte in it`);
    const key = parsePublicKey(line);
    // Documents have keys cut short; the originals write whatever it is, and sshd passes it over.
    if (!line.startsWith('#') && (key === undefined || !isGenuine(key))) {
      warn(`an entry of ${name} is no key that sshd accepts; it is written as it is`);
    }
  }
  return lines;
}

/** What a file lacks of these keys. A last line without a line break gets one, or it would swallow the next. */
export function additions(text: string, keys: readonly string[]): string {
  const known = new Set(text.split('\n').map(identityOf));
  const missing: string[] = [];
  for (const key of keys) {
    const identity = identityOf(key);
    if (known.has(identity)) continue;
    known.add(identity);
    missing.push(key);
  }
  if (missing.length === 0) return '';
  return `${text === '' || text.endsWith('\n') ? '' : '\n'}${missing.join('\n')}\n`;
}
