// A signature by a key that has to be in a transparency log too, and that a keyless one is never taken for less than it is.

import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseDigest } from '../../../../src/image/digest.ts';
import { LayoutRepository } from '../../../../src/image/layout-repository.ts';
import { parseTrustedRoot } from '../../../../src/trust/cosign/keyless.ts';
import { parseCosignKey } from '../../../../src/trust/cosign/public-key.ts';
import { type CosignWish, verifyCosign } from '../../../../src/trust/cosign/verify.ts';

const FIXTURES = join(import.meta.dirname, '../../../fixtures/cosign');
const read = (path: string) => readFileSync(join(FIXTURES, path), 'utf8');
const ROOT = { text: read('keys/trusted_root.json'), from: 'trusted_root.json' };

/** The key in the certificate of the keyless fixtures, as if its owner had published it. */
function loggedKey(): string {
  const blobs = join(FIXTURES, 'keyless-tag/layout/blobs/sha256');
  for (const name of readdirSync(blobs)) {
    const pem = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(
      readFileSync(join(blobs, name), 'latin1').replaceAll('\\n', '\n'),
    )?.[0];
    if (pem !== undefined) return new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'pem' }).toString();
  }
  throw new Error('no certificate in the fixture');
}

async function verdict(name: string, change: Partial<CosignWish>) {
  const { image } = JSON.parse(read(`${name}/case.json`));
  const wish = {
    keys: [],
    identities: [],
    trustedRoot: ROOT,
    requireLog: true,
    enforceReference: false,
    annotations: {},
  };
  return verifyCosign({
    digest: parseDigest(image.digest, name),
    repository: undefined,
    signatures: new LayoutRepository(join(FIXTURES, name, 'layout')),
    wish: { ...wish, ...change },
  }).then(
    ({ signer }) => signer.kind,
    (error: unknown) => error,
  );
}

describe('a key with a log', () => {
  const logged = parseCosignKey(loggedKey(), 'logged.pub');
  test.each(['keyless-tag', 'keyless-bundle'])('%s is good: the entry names this signature', async (name) => {
    expect(await verdict(name, { keys: [logged] })).toBe('key');
  });

  test.each([
    ['valid-p256', 'p256.pub', 'tlog-missing'],
    ['bundle-key', 'p256.pub', 'tlog-missing'],
    ['keyless-tag', 'p256.pub', 'signature-invalid'],
  ])('%s with %s is refused: %s', async (name, file, reason) => {
    expect(await verdict(name, { keys: [parseCosignKey(read(`keys/${file}`), file)] })).toMatchObject({ reason });
  });

  test('an entry that was changed is refused, and one that is missing, although the signature is good', async () => {
    expect(await verdict('keyless-tag-bad-set', { keys: [logged] })).toMatchObject({ reason: 'tlog-invalid' });
    expect(await verdict('keyless-tag-no-rekor', { keys: [logged] })).toMatchObject({ reason: 'tlog-missing' });
    expect(await verdict('keyless-tag-bad-set', { keys: [logged], requireLog: false })).toBe('key');
  });

  test('needs a trusted root', async () => {
    expect(await verdict('valid-p256', { keys: [logged], trustedRoot: undefined })).toMatchObject({
      code: 'HF-CONFIG',
    });
  });
});

describe('a trusted root', () => {
  const root: { tlogs: unknown[]; ctlogs: unknown[]; certificateAuthorities: unknown[] } = JSON.parse(ROOT.text);
  const identities = [
    {
      issuer: 'https://token.actions.githubusercontent.com',
      subject: 'https://github.com/demo-os/images/.github/workflows/release.yaml@refs/heads/main',
    },
  ];
  const withRoot = (change: object) =>
    verdict('keyless-tag', { identities, trustedRoot: { text: JSON.stringify({ ...root, ...change }), from: 'root' } });

  test('has to know the log, the certificate log and the authority', async () => {
    expect(await withRoot({})).toBe('identity');
    expect(await withRoot({ tlogs: [] })).toMatchObject({ reason: 'tlog-invalid' });
    expect(await withRoot({ ctlogs: [] })).toMatchObject({ reason: 'signature-invalid' });
    expect(await withRoot({ certificateAuthorities: [] })).toMatchObject({ reason: 'signature-invalid' });
  });

  test.each([
    '',
    '[]',
    '{}',
    'null',
    '{"tlogs":[{}]}',
    '{"certificateAuthorities":[{"certChain":{"certificates":[{"rawBytes":"AAAA"}]}}]}',
  ])('%j is none', (text) => {
    expect(() => parseTrustedRoot(text, 'root.json')).toThrow(expect.objectContaining({ code: 'HF-CONFIG' }));
  });
});
