// Certificates for tests, written element by element, so that each can be wrong in exactly one way.

import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

export interface Authority {
  name: string;
  key: KeyObject;
}

export interface CertificateRequest {
  /** The common names of the subject; real ones have one. */
  names: readonly string[];
  key: KeyObject;
  /** Default: itself. */
  issuer?: Authority;
  notBefore?: string;
  notAfter?: string;
  /** Default: no authority. */
  ca?: { pathLength?: number };
  /** OIDs. */
  usage?: readonly string[];
  /** The bits of KeyUsage, as one byte. */
  keyUsage?: number;
  hash?: 'sha256' | 'sha1';
  /** An extension that nobody knows, marked critical. */
  strange?: boolean;
}

export function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
}

/** A certificate in PEM. Names are UTF-8 strings; RSA and EC keys sign. */
export function certificate(request: CertificateRequest): string {
  const { names, key, ca, usage, keyUsage, hash = 'sha256', strange } = request;
  const issuer = request.issuer ?? { name: names[0] ?? '', key };
  const isEc = issuer.key.asymmetricKeyType === 'ec';
  const algorithm = sequence(oid(ALGORITHMS[`${isEc ? 'ec' : 'rsa'}-${hash}`]), ...(isEc ? [] : [tlv(0x05)]));
  const extensions = [
    extension('2.5.29.19', ca ? sequence(tlv(1, Buffer.from([255])), ...pathLength(ca)) : sequence(), true),
    ...(keyUsage === undefined ? [] : [extension('2.5.29.15', tlv(3, Buffer.from([0, keyUsage])), true)]),
    ...(usage === undefined ? [] : [extension('2.5.29.37', sequence(...usage.map(oid)))]),
    ...(strange ? [extension('1.2.3.4', tlv(0x05), true)] : []),
  ];
  const body = sequence(
    tlv(0xa0, tlv(2, Buffer.from([2]))),
    tlv(2, Buffer.from([1, names.length])),
    algorithm,
    distinguished([issuer.name]),
    sequence(time(request.notBefore ?? '20260101000000Z'), time(request.notAfter ?? '20360101000000Z')),
    distinguished(names),
    createPublicKey(key).export({ format: 'der', type: 'spki' }),
    tlv(0xa3, sequence(...extensions)),
  );
  const signature = sign(hash, body, issuer.key);
  const der = sequence(body, algorithm, tlv(3, Buffer.concat([Buffer.from([0]), signature])));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

const ALGORITHMS = {
  'ec-sha256': '1.2.840.10045.4.3.2',
  'ec-sha1': '1.2.840.10045.4.1',
  'rsa-sha256': '1.2.840.113549.1.1.11',
  'rsa-sha1': '1.2.840.113549.1.1.5',
};

function pathLength({ pathLength }: { pathLength?: number }): Buffer[] {
  return pathLength === undefined ? [] : [tlv(2, Buffer.from([pathLength]))];
}

function extension(id: string, value: Buffer, critical = false): Buffer {
  return sequence(oid(id), ...(critical ? [tlv(1, Buffer.from([255]))] : []), tlv(4, value));
}

function distinguished(names: readonly string[]): Buffer {
  return sequence(...names.map((name) => tlv(0x31, sequence(oid('2.5.4.3'), tlv(0x0c, Buffer.from(name, 'utf8'))))));
}

/** `20260101000000Z`, written as certificates do: years before 2050 with two digits. */
function time(text: string): Buffer {
  return Number(text.slice(0, 4)) < 2050 ? tlv(0x17, Buffer.from(text.slice(2))) : tlv(0x18, Buffer.from(text));
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((number) => {
    const digits = [number & 0x7f];
    for (let left = number >>> 7; left > 0; left >>>= 7) digits.unshift((left & 0x7f) | 0x80);
    return digits;
  });
  return tlv(6, Buffer.from(bytes));
}

function sequence(...parts: Buffer[]): Buffer {
  return tlv(0x30, Buffer.concat(parts));
}

function tlv(tag: number, content: Buffer = Buffer.alloc(0)): Buffer {
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
