// ASN.1 in DER as certificates have it (X.690): tag, length, content. Every length is checked against what is there; whatever
// isn't plain DER is an error.

export interface DerElement {
  tag: number;
  content: Buffer;
  /** Tag and length included. */
  whole: Buffer;
}

export class DerError extends Error {
  override readonly name = 'DerError';
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** The elements that follow each other in the bytes. @throws DerError */
export function derElements(bytes: Buffer): DerElement[] {
  const elements: DerElement[] = [];
  for (let at = 0; at < bytes.length; ) {
    const element = elementAt(bytes, at);
    elements.push(element);
    at += element.whole.length;
  }
  return elements;
}

/** The elements inside one of the given kind. @throws DerError */
export function derChildren(element: DerElement | undefined, tag: number = TAG.sequence): DerElement[] {
  if (element?.tag !== tag) throw new DerError('another element was expected');
  return derElements(element.content);
}

/** An object identifier as text: `2.5.4.3`. @throws DerError */
export function derOid(element: DerElement | undefined): string {
  if (element?.tag !== TAG.oid) throw new DerError('an object identifier was expected');
  const numbers: number[] = [];
  let value = 0;
  for (const byte of element.content) {
    value = value * 128 + (byte & 0x7f);
    if (value > Number.MAX_SAFE_INTEGER / 128) throw new DerError('an object identifier is too long');
    if (byte & 0x80) continue;
    numbers.push(value);
    value = 0;
  }
  const [first = 0, ...rest] = numbers;
  const top = Math.min(2, Math.floor(first / 40));
  return [top, first - top * 40, ...rest].join('.');
}

/** UTCTime or GeneralizedTime as RFC 5280 restricts them. @throws DerError */
export function derTime(element: DerElement | undefined): Date {
  const text = element?.content.toString('latin1') ?? '';
  const [, year = '', rest = ''] =
    (element?.tag === TAG.utcTime ? /^(\d{2})(\d{10})Z$/ : /^(\d{4})(\d{10})Z$/).exec(text) ?? [];
  const isTime = element?.tag === TAG.utcTime || element?.tag === TAG.generalizedTime;
  const full = year.length === 2 ? `${Number(year) < 50 ? '20' : '19'}${year}` : year;
  const [month, day, hour, minute, second] = rest.match(/\d\d/g) ?? [];
  const time = new Date(`${full}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (!isTime || Number.isNaN(time.getTime())) throw new DerError('a time was expected');
  return time;
}

function elementAt(bytes: Buffer, at: number): DerElement {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw new DerError('an element is cut off');
  let start = at + 2;
  let length = first;
  if (first & 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 4 || start + count > bytes.length) throw new DerError('a length that is none');
    length = bytes.readUIntBE(start, count);
    start += count;
  }
  if (start + length > bytes.length) throw new DerError('an element is cut off');
  return { tag, content: bytes.subarray(start, start + length), whole: bytes.subarray(at, start + length) };
}
