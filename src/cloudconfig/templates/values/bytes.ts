// Go's strings are bytes. Inside the interpreter a string holds one byte per character, so that lengths, indices and
// cuts are Go's; these functions lead in and out, and to the runes that the bytes stand for.

const NOT_ASCII = /[\u0080-\uffff]/;
/** What Go puts in place of a byte that is no UTF-8. */
const REPLACEMENT = 0xfffd;

export function isAscii(text: string): boolean {
  return !NOT_ASCII.test(text);
}

/** The UTF-8 bytes of a text. */
export function bytesOf(text: string): string {
  return isAscii(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** The text that the bytes are in UTF-8; what isn't becomes U+FFFD. */
export function textOf(bytes: string): string {
  return isAscii(bytes) ? bytes : decode(bytes);
}

function decode(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** Whether the bytes are UTF-8. */
export function isUtf8(bytes: string): boolean {
  return isAscii(bytes) || bytesOf(decode(bytes)) === bytes;
}

/** The rune at a position, with the number of its bytes. */
export function runeAt(bytes: string, at: number): { rune: number; size: number } {
  const lead = bytes.charCodeAt(at);
  if (lead < 0x80) return { rune: lead, size: 1 };
  const size = lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 1;
  let rune = lead & (0xff >> (size + 1));
  for (let next = 1; next < size; next++) {
    const byte = bytes.charCodeAt(at + next);
    if ((byte & 0xc0) !== 0x80) return { rune: REPLACEMENT, size: 1 };
    rune = (rune << 6) | (byte & 0x3f);
  }
  const tooLong = (size === 3 && rune < 0x800) || (size === 4 && rune < 0x10000);
  const surrogate = rune >= 0xd800 && rune < 0xe000;
  if (size === 1 || tooLong || surrogate || rune > 0x10ffff) return { rune: REPLACEMENT, size: 1 };
  return { rune, size };
}

/** All runes; each byte that is no UTF-8 counts as one U+FFFD, as in Go. */
export function runesOf(bytes: string): number[] {
  const runes: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { rune, size } = runeAt(bytes, at);
    runes.push(rune);
    at += size;
  }
  return runes;
}

/** The bytes of a rune, of U+FFFD when it is none. */
export function bytesOfRune(rune: number): string {
  if (rune >= 0 && rune < 0x80) return String.fromCharCode(rune);
  const valid = Number.isInteger(rune) && rune >= 0 && rune <= 0x10ffff && !(rune >= 0xd800 && rune < 0xe000);
  return bytesOf(String.fromCodePoint(valid ? rune : REPLACEMENT));
}

export function bytesOfRunes(runes: readonly number[]): string {
  let text = '';
  for (const rune of runes) text += bytesOfRune(rune);
  return text;
}

/** Bytes as Node's modules take them. */
export function bufferOf(bytes: string): Buffer {
  return Buffer.from(bytes, 'latin1');
}
