// Whatever a registry serves in place of a signature: another digest is never vouched for, and nothing but a refusal comes
// out. Every byte of every file that a verifier reads is somebody else's.

import { generateKeyPairSync, sign } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Digest, digestOf, parseDigest } from '../../../../src/image/digest.ts';
import { LayoutRepository } from '../../../../src/image/layout-repository.ts';
import type { Repository } from '../../../../src/image/repository.ts';
import { HoldfastError } from '../../../../src/system/errors.ts';
import type { Identity } from '../../../../src/trust/cosign/keyless.ts';
import { parseCosignKey } from '../../../../src/trust/cosign/public-key.ts';
import { verifyCosign } from '../../../../src/trust/cosign/verify.ts';
import { TrustError } from '../../../../src/trust/trust-error.ts';

const FIXTURES = join(import.meta.dirname, '../../../fixtures/cosign');
const read = (path: string) => readFileSync(join(FIXTURES, path), 'utf8');
const IDENTITY: Identity = {
  issuer: 'https://token.actions.githubusercontent.com',
  subject: 'https://github.com/demo-os/images/.github/workflows/release.yaml@refs/heads/main',
};

/** What a hostile registry makes of an honest one: every manifest and every document passes through `change`. */
function altered(honest: Repository, change: (bytes: Buffer) => Buffer): Repository {
  return {
    name: honest.name,
    manifest: async (reference) => {
      const found = await honest.manifest(reference);
      if (found === undefined) return undefined;
      const bytes = change(found.bytes);
      return { ...found, bytes, digest: digestOf(bytes), sizeBytes: bytes.length };
    },
    document: async (descriptor, what, maxBytes) => change(await honest.document(descriptor, what, maxBytes)),
    referrers: (digest, type) => honest.referrers(digest, type),
    blob: (descriptor, options) => honest.blob(descriptor, options),
    ranges: (descriptor, ranges, options) => honest.ranges(descriptor, ranges, options),
    putBlob: (descriptor, bytes) => honest.putBlob(descriptor, bytes),
    putManifest: (bytes, type, tag) => honest.putManifest(bytes, type, tag),
  };
}

const wish = (name: string) => ({
  keys: name.startsWith('keyless') ? [] : [parseCosignKey(read('keys/p256.pub'), 'p256.pub')],
  identities: name.startsWith('keyless') ? [IDENTITY] : [],
  trustedRoot: { text: read('keys/trusted_root.json'), from: 'trusted_root.json' },
  requireLog: false,
  enforceReference: false,
  annotations: {},
});

async function ask(name: string, digest: Digest, signatures: Repository): Promise<unknown> {
  return verifyCosign({ digest, repository: undefined, signatures, wish: wish(name) }).then(
    () => 'good',
    (error: unknown) => error,
  );
}

const CASES = ['valid-p256', 'bundle-key', 'keyless-tag', 'keyless-bundle'];
const digestIn = (name: string) => parseDigest(JSON.parse(read(`${name}/case.json`)).image.digest, name);

describe.each(CASES)('%s', (name) => {
  const honest = new LayoutRepository(join(FIXTURES, name, 'layout'));

  test('is good as it is, and vouches for no other digest', async () => {
    expect(await ask(name, digestIn(name), honest)).toBe('good');
    const files = readdirSync(join(FIXTURES, name, 'layout/blobs/sha256'));
    for (const file of files) {
      const digest = parseDigest(`sha256:${file}`, file);
      if (digest !== digestIn(name)) expect(await ask(name, digest, honest)).toMatchObject({ reason: 'no-signatures' });
    }
  });

  test('with any byte of anything changed it is a refusal, or as good as before', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), async (position, flip) => {
        const change = (bytes: Buffer) => {
          const copy = Buffer.from(bytes);
          const at = position % Math.max(copy.length, 1);
          copy[at] = (copy[at] ?? 0) ^ flip;
          return copy;
        };
        const answer = await ask(name, digestIn(name), altered(honest, change));
        if (answer !== 'good') expect(answer).toBeInstanceOf(HoldfastError);
      }),
      // The byte of a keyless bundle that made its certificate's key unreadable.
      { numRuns: 150, examples: [[1_248_550_470, 1]] },
    );
  });

  test.each<[string, (bytes: Buffer) => Buffer]>([
    ['nothing', () => Buffer.alloc(0)],
    ['half of it', (bytes) => bytes.subarray(0, bytes.length >> 1)],
    ['no JSON', () => Buffer.from('<html>')],
    ['null', () => Buffer.from('null')],
    ['a list', () => Buffer.from('[]')],
    ['no UTF-8', () => Buffer.from([0xff, 0xfe, 0x7b])],
    ['deep nesting', () => Buffer.from(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)],
    ['__proto__', () => Buffer.from('{"__proto__":{"layers":[]},"layers":[]}')],
    [
      'many layers',
      () => Buffer.from(JSON.stringify({ layers: Array(100_000).fill({ mediaType: 'a', digest: 'b', size: 1 }) })),
    ],
  ])('%s in place of every answer is a refusal', async (_name, change) => {
    expect(await ask(name, digestIn(name), altered(honest, change))).toBeInstanceOf(TrustError);
  });
});

describe('claims that only a signer can make', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const key = parseCosignKey(publicKey.export({ type: 'spki', format: 'pem' }).toString(), 'test.pub');
  const digest = digestOf('the image');

  /** A signature by the wanted key over whatever it is. */
  async function verdict(payload: string, more: { annotations?: Record<string, string> } = {}) {
    const bytes = Buffer.from(payload);
    const manifest = Buffer.from(
      JSON.stringify({
        layers: [
          {
            mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
            digest: digestOf(bytes),
            size: bytes.length,
            annotations: {
              'dev.cosignproject.cosign/signature': sign(null, bytes, privateKey).toString('base64'),
            },
          },
        ],
      }),
    );
    const empty = new LayoutRepository(join(FIXTURES, 'unsigned/layout'));
    const signatures: Repository = {
      ...altered(empty, (same) => same),
      manifest: async () => ({
        mediaType: 'm',
        digest: digestOf(manifest),
        sizeBytes: manifest.length,
        bytes: manifest,
      }),
      document: async () => bytes,
      referrers: async () => [],
    };
    const question = { digest, repository: 'registry.example/os', signatures };
    const asked = { ...wish('key'), keys: [key], annotations: more.annotations ?? {} };
    return verifyCosign({ ...question, wish: asked }).then(
      ({ warnings }) => warnings.map(({ reason }) => reason).join() || 'good',
      (error: unknown) => (error instanceof TrustError ? error.reason : error),
    );
  }
  const claims = (change: object = {}) => ({
    critical: {
      identity: { 'docker-reference': 'registry.example/os' },
      image: { 'docker-manifest-digest': digest },
      type: 'cosign container image signature',
      ...change,
    },
    optional: null,
  });

  test.each<[string, unknown, string]>([
    ['all as it should be', claims(), 'good'],
    ['another digest', claims({ image: { 'docker-manifest-digest': digestOf('other') } }), 'digest-mismatch'],
    [
      'the capital letter of the specification',
      claims({ image: { 'Docker-manifest-digest': digest } }),
      'payload-invalid',
    ],
    ['a digest in capitals', claims({ image: { 'docker-manifest-digest': digest.toUpperCase() } }), 'payload-invalid'],
    ['another type', claims({ type: 'atomic container signature' }), 'payload-type'],
    ['another repository', claims({ identity: { 'docker-reference': 'evil.example/os' } }), 'reference-mismatch'],
    ['no identity', claims({ identity: {} }), 'payload-invalid'],
    ['no claims', {}, 'payload-invalid'],
    ['a text', 'signed', 'payload-invalid'],
  ])('%s', async (_name, payload, wanted) => {
    expect(await verdict(JSON.stringify(payload))).toBe(wanted);
  });

  test('annotations are compared as texts', async () => {
    const payload = (optional: object) => JSON.stringify({ ...claims(), optional });
    expect(await verdict(payload({ env: 'prod' }), { annotations: { env: 'prod' } })).toBe('good');
    expect(await verdict(payload({ env: 1 }), { annotations: { env: '1' } })).toBe('annotation-mismatch');
    expect(await verdict(payload({}), { annotations: { toString: 'x' } })).toBe('annotation-mismatch');
    expect(await verdict(payload({ env: 'PROD' }), { annotations: { env: 'prod' } })).toBe('annotation-mismatch');
  });
});
