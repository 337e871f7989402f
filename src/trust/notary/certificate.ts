// X.509 certificates, as far as trust in a root key depends on them. Read from the DER itself: the two runtimes differ in
// what they tell of a certificate, and its names must not pass through a text in which they could be mistaken.

import { createPublicKey, X509Certificate } from 'node:crypto';
import { type DerElement, DerError, derChildren, derElements, derOid, derTime, TAG } from './der.ts';

export interface Certificate {
  der: Buffer;
  /** SubjectPublicKeyInfo. */
  publicKey: Buffer;
  /** Names in DER, to be compared byte by byte. */
  subject: Buffer;
  issuer: Buffer;
  /** All that the subject has; a good certificate has one. */
  commonNames: readonly string[];
  notBefore: Date;
  notAfter: Date;
  isCa: boolean;
  /** How many certificates may be between this authority and the leaf. */
  pathLength: number | undefined;
  /** Whether the key may sign certificates; a certificate that doesn't say may. */
  maySignCertificates: boolean;
  /** OIDs; undefined where every use is allowed. */
  extendedKeyUsage: readonly string[] | undefined;
  /** Of the algorithm that signed it. */
  signatureAlgorithm: string;
  /** Whether it has a critical extension that isn't understood here. */
  hasUnknownCritical: boolean;
}

/** Nothing in it can be read in two ways: a megabyte of blanks must not take forever. */
const PEM = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]*)-----END CERTIFICATE-----/g;
const MAX_CERTIFICATES = 32;

const COMMON_NAME = '2.5.4.3';
const KEY_USAGE = '2.5.29.15';
const SUBJECT_ALT_NAME = '2.5.29.17';
const BASIC_CONSTRAINTS = '2.5.29.19';
const EXTENDED_KEY_USAGE = '2.5.29.37';
/** Bit 5 of KeyUsage (RFC 5280, 4.2.1.3). */
const KEY_CERT_SIGN = 0x04;

const SHA1_SIGNATURES: ReadonlySet<string> = new Set([
  // sha1WithRSAEncryption, its older twin, ecdsa-with-SHA1, dsa-with-sha1; MD2 and MD5 are no better.
  '1.2.840.113549.1.1.5',
  '1.3.14.3.2.29',
  '1.2.840.10045.4.1',
  '1.2.840.10040.4.3',
  '1.2.840.113549.1.1.2',
  '1.2.840.113549.1.1.4',
]);

/** The certificates of a PEM text in their order; empty when there are none, too many, or one can't be read. */
export function parseCertificates(pem: Buffer): Certificate[] {
  const blocks = [...pem.toString('latin1').matchAll(PEM)].map(([, body = '']) => Buffer.from(body, 'base64'));
  if (blocks.length > MAX_CERTIFICATES) return [];
  try {
    return blocks.map(parseCertificate);
  } catch (error) {
    if (error instanceof DerError) return [];
    throw error;
  }
}

/** Whether it was signed with a hash that can be forged. */
export function isWeaklySigned({ signatureAlgorithm }: Certificate): boolean {
  return SHA1_SIGNATURES.has(signatureAlgorithm);
}

/** Whether `issuer` signed the certificate; names are not looked at. */
export function isSignedBy(certificate: Certificate, issuer: Certificate): boolean {
  try {
    const key = createPublicKey({ key: issuer.publicKey, format: 'der', type: 'spki' });
    return new X509Certificate(certificate.der).verify(key);
  } catch {
    // Not even a certificate, or a key, to OpenSSL.
    return false;
  }
}

/** RFC 5280, 4.1. */
function parseCertificate(der: Buffer): Certificate {
  const [outer, ...rest] = derElements(der);
  if (rest.length > 0) throw new DerError('there is more after the certificate');
  const [body, algorithm] = derChildren(outer);
  const fields = derChildren(body);
  // The version comes first, where it isn't 1.
  if (fields[0]?.tag === 0xa0) fields.shift();
  const [, , issuer, validity, subject, publicKey, ...optional] = fields;
  const [notBefore, notAfter] = derChildren(validity);
  if (issuer === undefined || subject === undefined || publicKey?.tag !== TAG.sequence) {
    throw new DerError('a part of the certificate is missing');
  }
  const extensions = optional.find(({ tag }) => tag === 0xa3);
  return {
    der,
    publicKey: publicKey.whole,
    subject: subject.whole,
    issuer: issuer.whole,
    commonNames: commonNames(subject),
    notBefore: derTime(notBefore),
    notAfter: derTime(notAfter),
    signatureAlgorithm: derOid(derChildren(algorithm)[0]),
    ...parseExtensions(extensions),
  };
}

function commonNames(subject: DerElement): string[] {
  return derChildren(subject)
    .flatMap((set) => derChildren(set, TAG.set))
    .flatMap((attribute) => {
      const [type, value] = derChildren(attribute);
      // BMPString would need another reading; nobody writes it.
      return derOid(type) === COMMON_NAME && value !== undefined ? [value.content.toString('utf8')] : [];
    });
}

type Extensions = Pick<
  Certificate,
  'isCa' | 'pathLength' | 'maySignCertificates' | 'extendedKeyUsage' | 'hasUnknownCritical'
>;

function parseExtensions(field: DerElement | undefined): Extensions {
  const found: Extensions = {
    isCa: false,
    pathLength: undefined,
    maySignCertificates: true,
    extendedKeyUsage: undefined,
    hasUnknownCritical: false,
  };
  if (field === undefined) return found;
  for (const extension of derChildren(derElements(field.content)[0])) {
    const [id, ...parts] = derChildren(extension);
    const critical = parts.some(({ tag, content }) => tag === TAG.boolean && content[0] !== 0);
    const value = parts.at(-1);
    if (value?.tag !== TAG.octetString) throw new DerError('an extension without value');
    const [inner] = derElements(value.content);
    switch (derOid(id)) {
      case BASIC_CONSTRAINTS: {
        const constraints = derChildren(inner);
        found.isCa = constraints.some(({ tag, content }) => tag === TAG.boolean && content[0] !== 0);
        const limit = constraints.find(({ tag }) => tag === TAG.integer)?.content;
        if (limit !== undefined) found.pathLength = limit.length === 1 ? limit[0] : Number.MAX_SAFE_INTEGER;
        break;
      }
      case KEY_USAGE:
        found.maySignCertificates = inner?.tag === TAG.bitString && ((inner.content[1] ?? 0) & KEY_CERT_SIGN) !== 0;
        break;
      case EXTENDED_KEY_USAGE:
        found.extendedKeyUsage = derChildren(inner).map(derOid);
        break;
      case SUBJECT_ALT_NAME:
        break;
      default:
        found.hasUnknownCritical ||= critical;
    }
  }
  return found;
}
