// Which root keys may begin trust: certificates that name the repository, chains to a pinned authority, and pins of which
// exactly one applies. One good certificate, of which each row changes one thing.

import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isSignedBy, parseCertificates } from '../../../../src/trust/notary/certificate.ts';
import { pinFor, type TrustPins } from '../../../../src/trust/notary/pins.ts';
import { verifyNotary } from '../../../../src/trust/notary/verify.ts';
import { TrustError } from '../../../../src/trust/trust-error.ts';
import { filesOf, GUN, goodRepository, question, rootKey } from './repository.ts';
import { type CertificateRequest, certificate, newKey } from './x509.ts';

/** Asks with this root key. Returns the message of the refusal behind its reason, or "ok". */
async function ask(pem: string, pins: TrustPins = {}, key = ROOT): Promise<string> {
  const repository = goodRepository();
  repository.root.keys = [rootKey(pem, key)];
  try {
    await verifyNotary(question(filesOf(repository), { pins }));
    return 'ok';
  } catch (error) {
    if (error instanceof TrustError) return `${error.reason}: ${error.message}`;
    throw error;
  }
}

const ROOT = newKey();
const rsa = (bits: number) => generateKeyPairSync('rsa', { modulusLength: bits }).privateKey;
const leaf = (change: Partial<CertificateRequest> = {}) => certificate({ names: [GUN], key: ROOT, ...change });

describe("a root key's certificate", () => {
  test.each<[string, Partial<CertificateRequest>, string]>([
    ['names the repository', {}, 'ok'],
    ['names all below a prefix', { names: ['registry.example:5000/os/*'] }, 'ok'],
    ['names everything', { names: ['*'] }, 'ok'],
    ['names another prefix', { names: ['registry.example:5000/o/*'] }, 'a certificate for "registry.example:5000/o/*"'],
    ['names a repository above', { names: ['registry.example:5000/os'] }, 'a certificate for'],
    ['names a repository below', { names: [`${GUN}/x`] }, 'a certificate for'],
    ['names it in another case', { names: [GUN.toUpperCase()] }, 'a certificate for'],
    ['has two names', { names: [GUN, 'registry.example:5000/other'] }, `"${GUN}" and "registry.example:5000/other"`],
    ['has no name', { names: [] }, 'a certificate for nobody'],
    ['hides the name behind a zero byte', { names: [`${GUN}\0.example`] }, 'a certificate for'],
    ['is an authority itself', { ca: {} }, 'a key without certificate'],
    ['is signed with SHA-1', { hash: 'sha1' }, 'signed with SHA-1'],
    ['has ended', { notAfter: '20261121115959Z' }, 'valid from 2026-01-01 to 2026-11-21'],
    ['ends this second', { notAfter: '20261121120000Z' }, 'ok'],
    ['begins tomorrow, within the grace', { notBefore: '20261122120000Z' }, 'ok'],
    ['begins later', { notBefore: '20261122120001Z' }, 'valid from 2026-11-22'],
    ['is valid for a century', { notAfter: '21260101000000Z' }, 'ok'],
  ])('%s', async (_, change, expected) => {
    const got = await ask(leaf(change));
    if (expected === 'ok') expect(got).toBe('ok');
    else expect(got).toMatch(/^root-cert-mismatch: /);
    expect(got).toContain(expected);
  });

  test.each([
    [2048, 'ok'],
    [1024, 'root-cert-mismatch'],
  ])('has an RSA key of %i bits', async (bits, expected) => {
    const key = rsa(bits);
    expect(await ask(certificate({ names: [GUN], key }), {}, key)).toMatch(expected);
  });

  test('is followed by another leaf', async () => {
    expect(await ask(leaf() + leaf())).toMatch('a key without certificate');
  });

  test('is no certificate at all', async () => {
    expect(await ask('registry.example')).toMatch('a key without certificate');
    expect(await ask(`-----BEGIN CERTIFICATE-----${' '.repeat(500_000)}`)).toMatch('a key without certificate');
    expect(await ask('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')).toMatch('root-cert-mismatch');
  });

  test('belongs to another key than the one that signs', async () => {
    expect(await ask(certificate({ names: [GUN], key: newKey() }))).toMatch(/^signature-invalid: /);
  });
});

describe('a pinned authority', () => {
  const [top, middle, other] = [newKey(), newKey(), newKey()];
  const anchor = certificate({ names: ['top'], key: top, ca: {} });
  const by = (name: string, key: typeof top, change: Partial<CertificateRequest> = {}) =>
    leaf({ issuer: { name, key }, ...change });
  const between = (change: Partial<CertificateRequest> = {}) =>
    certificate({ names: ['middle'], key: middle, issuer: { name: 'top', key: top }, ca: {}, ...change });
  const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
  const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
  const EMAIL = '1.3.6.1.5.5.7.3.4';

  test.each<[string, string, string, boolean]>([
    ['that signed it', by('top', top), anchor, true],
    ['among others', by('top', top), certificate({ names: ['other'], key: other, ca: {} }) + anchor, true],
    ['that signed one in between', by('middle', middle) + between(), anchor, true],
    ['that signed another one', by('top', other), anchor, false],
    ['of another name', by('other', top), anchor, false],
    ['with one in between that is missing', by('middle', middle), anchor, false],
    ['that is none', by('top', top), certificate({ names: ['top'], key: top }), false],
    [
      'that may not sign certificates',
      by('top', top),
      certificate({ names: ['top'], key: top, ca: {}, keyUsage: 0x80 }),
      false,
    ],
    ['that may', by('top', top), certificate({ names: ['top'], key: top, ca: {}, keyUsage: 0x06 }), true],
    [
      'that has ended',
      by('top', top),
      certificate({ names: ['top'], key: top, ca: {}, notAfter: '20260601000000Z' }),
      false,
    ],
    [
      'with one in between that has ended',
      by('middle', middle) + between({ notAfter: '20260601000000Z' }),
      anchor,
      false,
    ],
    ['with one in between that is weakly signed', by('middle', middle) + between({ hash: 'sha1' }), anchor, false],
    [
      'with one in between that may sign leaves only',
      by('middle', middle) + between({ ca: { pathLength: 0 } }),
      anchor,
      true,
    ],
    [
      'that may sign leaves only',
      by('middle', middle) + between(),
      certificate({ names: ['top'], key: top, ca: { pathLength: 0 } }),
      false,
    ],
    ['for servers', by('top', top, { usage: [SERVER_AUTH] }), anchor, true],
    ['for code', by('top', top, { usage: [CODE_SIGNING] }), anchor, true],
    ['for mail', by('top', top, { usage: [EMAIL] }), anchor, false],
    ['with a condition that nobody understands', by('top', top, { strange: true }), anchor, false],
  ])('%s', async (_, bundle, ca, accepted) => {
    const got = await ask(bundle, { ca: { 'registry.example:5000/': ca } });
    expect(got).toMatch(accepted ? /^ok$/ : /^pin-mismatch: /);
  });

  test('with a bundle in circles comes to an end', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    const circle = names.flatMap((name) =>
      names.map((issuer) => certificate({ names: [name], key: middle, issuer: { name: issuer, key: middle }, ca: {} })),
    );
    expect(await ask(by('a', middle) + circle.join(''), { ca: { '': anchor } })).toMatch(/^pin-mismatch: /);
  });

  test('that cannot be read is a mistake of the configuration', () => {
    expect(() => pinFor(GUN, { ca: { '': 'no certificate' } })).toThrow(
      expect.objectContaining({ code: 'HF-CONFIG', message: expect.stringContaining('can be read') }),
    );
  });
});

describe('which pin applies', () => {
  const pins = {
    certs: { '*': ['aa'], 'registry.example:5000/*': ['bb'], [GUN]: ['cc'], 'registry.example:5000/os/base*': ['dd'] },
  };
  test.each([
    [GUN, 'cc'],
    [`${GUN}2`, 'dd'],
    ['registry.example:5000/os', 'bb'],
    ['quay.io/os', 'aa'],
  ])('to %s', (gun, id) => expect(pinFor(gun, pins)).toMatchObject({ rule: 'certs', keyIds: [id] }));

  test('none falls through to the next', () => {
    const anchor = certificate({ names: ['top'], key: newKey(), ca: {} });
    const both = { certs: { [GUN]: ['aa'] }, ca: { '': anchor } };
    expect(pinFor(GUN, both)).toMatchObject({ rule: 'certs' });
    expect(pinFor('quay.io/os', both)).toMatchObject({ rule: 'ca' });
    expect(pinFor('quay.io/os', { disableTofu: true })).toEqual({ rule: 'first-use', isDisabled: true });
    expect(pinFor('quay.io/os', {})).toEqual({ rule: 'first-use', isDisabled: false });
  });

  test('its fingerprint changes with what it says, not with how', () => {
    const idOf = (ids: string[]) => Reflect.get(pinFor(GUN, { certs: { [GUN]: ids } }), 'id');
    expect(idOf(['aa', 'BB'])).toBe(idOf(['bb', 'aa', 'aa']));
    expect(idOf(['aa'])).not.toBe(idOf(['aa', 'bb']));
  });
});

test('any bytes are a certificate or none', () => {
  const good = Buffer.from(leaf().replace(/-----.*-----|\n/g, ''), 'base64');
  const [own] = parseCertificates(Buffer.from(leaf()));
  if (own === undefined) throw new TypeError('the good one is not read');
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(good.length), (at, mask, length) => {
      const bytes = Buffer.from(good.subarray(0, length === 0 ? good.length : length));
      if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ mask;
      const pem = `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64')}\n-----END CERTIFICATE-----\n`;
      for (const found of parseCertificates(Buffer.from(pem))) expect(typeof isSignedBy(found, own)).toBe('boolean');
    }),
    { numRuns: 500 },
  );
});
