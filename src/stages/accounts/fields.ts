// What may stand in the fields of account files. A colon or a line break in one of them would make other fields, or
// another user, of what follows, so it is refused where the originals write it.

import { HoldfastError } from '../../system/errors.ts';

/** What shadow's tools accept on all distributions together is narrower; this is what the files and NSS can hold. */
const NAME = /^[A-Za-z0-9_.][\x21-\x7e]*$/;
const NOT_IN_NAME = /[:,/\\'"`$&;<>|(){}[\]*?!#~]/;
/** Linux: LOGIN_NAME_MAX less the final zero; the tools stop at 32. */
const MAX_NAME = 255;

/** @throws HoldfastError HF-CONFIG for a name that can't be a user's or a group's. */
export function checkName(name: string, what: 'user' | 'group'): void {
  const base = name.endsWith('$') ? name.slice(0, -1) : name;
  const isNumber = /^\d+$/.test(base);
  if (NAME.test(base) && !NOT_IN_NAME.test(base) && !isNumber && !/^\.+$/.test(base) && name.length <= MAX_NAME) return;
  throw new HoldfastError('HF-CONFIG', `${JSON.stringify(name)} can't be the name of a ${what}`, {
    hint: 'use letters, digits, "_", "-" and "."; begin with a letter',
  });
}

/** @throws HoldfastError HF-CONFIG for a text with a colon or a line break. */
export function checkField(text: string, what: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that end a field or a line
  if (!/[:\n\r\x00]/.test(text)) return;
  throw new HoldfastError('HF-CONFIG', `${what} can't have a ":" or a line break in it`);
}

/** Days since 1970, as shadow counts them; never 0, which means that the password must be changed. */
export function daysSinceEpoch(nowMs: number): number {
  return Math.max(1, Math.floor(nowMs / 86_400_000));
}
