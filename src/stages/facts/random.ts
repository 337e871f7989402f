// The facts that aren't read anywhere: random text, and the machine id in a form that may be shown to others.
// node:crypto takes milliseconds to load, which most stages don't need to spend.

import { createRequire } from 'node:module';

const LETTERS = '0123456789abcdefghijklmnopqrstuvwxyz';

/** 32 characters `[0-9a-z]`. */
export function randomText(): string {
  let text = '';
  while (text.length < 32) {
    for (const byte of crypto.getRandomValues(new Uint8Array(48))) {
      // 252 is a multiple of 36: no letter is more likely than another.
      if (byte < 252 && text.length < 32) text += LETTERS.charAt(byte % 36);
    }
  }
  return text;
}

/** A random version 4 UUID. */
export function randomUuid(): string {
  return crypto.randomUUID();
}

/** yip v1.19: hex HMAC-SHA256 of "yip" under the machine id; empty without one. */
export function protectMachineId(machineId: string): string {
  if (machineId === '') return '';
  return cryptography().createHmac('sha256', machineId).update('yip').digest('hex');
}

/** 32 hex digits that stand for a text and don't show it. */
export function hashToId(text: string): string {
  return cryptography().createHash('sha256').update(`holdfast:${text}`).digest('hex').slice(0, 32);
}

function cryptography(): typeof import('node:crypto') {
  return createRequire(import.meta.url)('node:crypto');
}
