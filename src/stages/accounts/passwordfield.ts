// What a password of a stage file becomes in /etc/shadow. A field that is written as it is and a plain text look alike,
// so the rule is the one that the originals' users know; a plain text is never hashed anew while its hash still fits.

import { HoldfastError } from '../../system/errors.ts';
import { hashPassword, verifyPassword } from './shacrypt.ts';

/** No password opens it, while keys still do. */
export const LOCKED = '!';

/** crypt(3) reads no more. */
const MAX_PASSWORD_BYTES = 511;

/** `$6$…`, `$y$…`, `$2b$…`: a method between dollar signs and something behind them. */
const HASH = /^\$[0-9a-z][0-9a-z-]*\$[\x21-\x7e]+$/;

/** entities v0.8: a text that is empty, `*` or starts with `$` or `!` is the field itself, all else is plain text. */
export function isPlainText(password: string): boolean {
  if (password === '' || password === '*' || password.startsWith('!')) return false;
  // "$ecret" would be written where everybody with access to the file can read it, and would open nothing.
  return !HASH.test(password);
}

/** Whether a field keeps every password out. */
export function isLocked(field: string): boolean {
  return field.startsWith('!') || field.startsWith('*');
}

/** The field with its password kept but out of use, as `passwd --lock` does it. */
export function lock(field: string): string {
  return isLocked(field) ? field : `${LOCKED}${field}`;
}

/**
 * The field for a password as it stands in a stage file.
 * @param current the field that is there now; it stays when it says the same. A hash that can't be checked here
 *   (yescrypt, bcrypt, DES) is replaced: the stage file is what its owner wants, and the new hash can be checked.
 * @throws HoldfastError HF-CONFIG for what can't be a password; the message doesn't say what it was.
 */
export function passwordField(password: string, current: string | undefined): string {
  if (!isPlainText(password)) {
    if (/[:\n]/.test(password)) throw new HoldfastError('HF-CONFIG', 'a password hash with ":" or a line break in it');
    return password;
  }
  if (password.includes('\0') || Buffer.byteLength(password) > MAX_PASSWORD_BYTES) {
    throw new HoldfastError(
      'HF-CONFIG',
      `a password with a zero byte in it or with more than ${MAX_PASSWORD_BYTES} bytes`,
    );
  }
  if (current !== undefined && verifyPassword(password, current) === true) return current;
  return hashPassword(password);
}
