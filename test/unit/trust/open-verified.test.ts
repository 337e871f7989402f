// That what is opened is what was verified: the digest that Notary names against a registry that gives something else, cosign
// beside it, signatures in a repository of their own, and images on media. The registry is a real one, on loopback.

import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Digest, parseDigest } from '../../../src/image/digest.ts';
import { parseImageSource } from '../../../src/image/reference.ts';
import type { NotaryDemand } from '../../../src/trust/decide.ts';
import type { NotaryAnswer } from '../../../src/trust/notary/verify.ts';
import { openVerified } from '../../../src/trust/open-verified.ts';
import { parsePolicy } from '../../../src/trust/policy.ts';
import { NO_POLICY, type Policy } from '../../../src/trust/trust-rule.ts';
import { machineVerifiers } from '../../../src/trust/verifiers.ts';
import { writeLayers } from '../image/fixture.ts';
import { serveLayout } from '../image/registry/local-registry.ts';
import { file } from '../image/tarball.ts';
import { temporaryRoot } from '../stages/temporary-root.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/cosign');
const KEY = join(FIXTURES, 'keys/p256.pub');

interface Asked {
  policy?: Policy;
  keys?: string[];
  /** What Notary says; undefined: it is not expected to be asked. */
  notary?: { digest: Digest; sizeBytes: number } | undefined;
  noVerify?: boolean;
  environment?: Record<string, string>;
}

async function open(name: string, { policy = NO_POLICY, keys = [], notary, noVerify, environment = {} }: Asked) {
  const said: string[] = [];
  const demands: NotaryDemand[] = [];
  const real = machineVerifiers({ now: new Date('2026-11-21T00:00:00Z'), stateDirectory: '/nowhere' });
  const image = await openVerified(parseImageSource(name), {
    policy,
    wishes: { cosign: false, cosignKeys: keys, variables: {}, unverifiedBy: noVerify ? '--no-verify' : undefined },
    environment,
    platform: { architecture: 'amd64' },
    verifiers: {
      ...real,
      notary: async (demand): Promise<NotaryAnswer> => {
        demands.push(demand);
        if (notary === undefined) throw new Error('Notary was asked');
        return {
          ...notary,
          gun: demand.gun,
          tag: demand.tag,
          server: 'https://notary.example',
          role: 'targets',
          trust: { rule: 'first-use', keyIds: ['c'.repeat(64)], isNew: true },
          timestampExpires: new Date('2026-12-01T00:00:00Z'),
          notices: [{ level: 'warning', text: 'trusted from now on' }],
        };
      },
    },
    notice: ({ level, text }) => said.push(`${level}: ${text}`),
  });
  return { image, said, demands };
}

/** The signed image of the fixtures in a registry. */
async function signedRegistry(name = 'valid-p256') {
  const { host, requests } = await serveLayout(join(FIXTURES, name, 'layout'));
  const { image } = JSON.parse(readFileSync(join(FIXTURES, name, 'case.json'), 'utf8'));
  return { name: `${host}/os/demo`, digest: parseDigest(image.digest, name), sizeBytes: Number(image.size), requests };
}

describe('what Notary signed', () => {
  test('is what is pulled, and it is kept who said so', async () => {
    const { name, digest, sizeBytes } = await signedRegistry();
    const { image, said, demands } = await open(`docker:${name}:v1.0.0`, { notary: { digest, sizeBytes } });
    expect(image.digest).toBe(digest);
    expect(image.source).toBe(`docker:${name}:v1.0.0@${digest}`);
    expect(demands).toMatchObject([{ gun: name, tag: 'v1.0.0' }]);
    const text = `Notary https://notary.example: tag v1.0.0 signed by targets, root key cccccccccccc trusted at first use, timestamp valid until 2026-12-01`;
    expect(image.provenance?.verifiedBy).toMatchObject([{ by: 'notary', text, gun: name, tag: 'v1.0.0' }]);
    expect(said).toEqual(['warning: trusted from now on', `info: ${name}:v1.0.0 is verified: ${text}`]);
  });

  test('is not replaced by what the registry has under the tag now', async () => {
    const layout = `${temporaryRoot().directory}/layout`;
    const good = await writeLayers(layout, 'v0', [[file('good')]]);
    const digest = parseDigest(good.digest, 'the image');
    const evil = await writeLayers(layout, 'v1', [[file('evil')]]);
    const { host } = await serveLayout(layout);
    const size = readFileSync(join(layout, 'blobs/sha256', digest.slice(7))).length;
    const { image } = await open(`docker:${host}/os:v1`, { notary: { digest, sizeBytes: size } });
    expect(image.digest).toBe(digest);
    expect(image.digest).not.toBe(evil.digest);
  });

  test.each<[string, { digest?: Digest; sizeBytes?: number }, string, string]>([
    ['another length', { sizeBytes: 400 }, 'digest-mismatch', '401 bytes, and 400 bytes are signed'],
    [
      'a digest that the registry does not have',
      { digest: parseDigest(`sha256:${'0'.repeat(64)}`, 'nothing') },
      '',
      'does not have',
    ],
  ])('%s is refused', async (_name, change, reason, message) => {
    const { name, digest, sizeBytes } = await signedRegistry();
    const error = await open(`docker:${name}:v1.0.0`, { notary: { digest, sizeBytes, ...change } }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ message: expect.stringContaining(message), ...(reason && { reason }) });
  });

  test('must be the digest that was named beside the tag', async () => {
    const { name, digest, sizeBytes } = await signedRegistry();
    const other = `sha256:${'1'.repeat(64)}`;
    await expect(open(`docker:${name}:v1.0.0@${other}`, { notary: { digest, sizeBytes } })).rejects.toMatchObject({
      reason: 'digest-mismatch',
      message: `possible attack: ${name}:v1.0.0 is signed for ${digest}, and ${other} was named`,
    });
    expect((await open(`docker:${name}:v1.0.0@${digest}`, { notary: { digest, sizeBytes } })).image.digest).toBe(
      digest,
    );
  });

  test('bytes that are not those of the digest are an attack', async () => {
    const directory = `${temporaryRoot().directory}/layout`;
    cpSync(join(FIXTURES, 'valid-p256/layout'), directory, { recursive: true });
    const { digest, sizeBytes } = await signedRegistry();
    const { host } = await serveLayout(directory);
    const blob = join(directory, 'blobs/sha256', digest.slice(7));
    writeFileSync(blob, readFileSync(blob, 'utf8').replace('"schemaVersion":2', '"schemaVersion":3'));
    await expect(open(`docker:${host}/os/demo:v1.0.0`, { notary: { digest, sizeBytes } })).rejects.toMatchObject({
      code: 'HF-TRUST',
      reason: 'digest-mismatch',
    });
  });
});

describe('a signature of cosign', () => {
  test('beside Notary is over the digest that Notary names', async () => {
    const { name, digest, sizeBytes } = await signedRegistry();
    const { image, said } = await open(`docker:${name}:v1.0.0`, { notary: { digest, sizeBytes }, keys: [KEY] });
    expect(image.provenance?.verifiedBy.map(({ by }) => by)).toEqual(['notary', 'cosign']);
    // The fixtures were signed for localhost:5000.
    expect(said.join('\n')).toContain('cosign: the signature was made for "localhost:5000/os/demo", not for');
  });

  test('alone, with --no-verify: the tag is resolved once and Notary is not asked', async () => {
    const { name, digest } = await signedRegistry();
    const { image, demands } = await open(`docker:${name}:v1.0.0`, { noVerify: true, keys: [KEY] });
    expect(image.digest).toBe(digest);
    expect(demands).toEqual([]);
    expect(image.provenance?.verifiedBy).toMatchObject([
      {
        by: 'cosign',
        layout: 'tag',
        text: expect.stringMatching(/^cosign: signed by key [0-9a-f]{12} \(.*p256\.pub\)$/),
      },
    ]);
  });

  test('as a bundle that refers to the image', async () => {
    const { name } = await signedRegistry('bundle-key');
    const { image } = await open(`docker:${name}:v1.0.0`, { noVerify: true, keys: [KEY] });
    expect(image.provenance?.verifiedBy).toMatchObject([{ by: 'cosign', layout: 'bundle' }]);
  });

  test.each(['unsigned', 'wrong-digest', 'bundle-wrong-subject'])(
    '%s is refused before a layer is read',
    async (name) => {
      const registry = await signedRegistry(name);
      await expect(open(`docker:${registry.name}:v1.0.0`, { noVerify: true, keys: [KEY] })).rejects.toMatchObject({
        code: 'HF-TRUST',
      });
      expect(registry.requests.filter(({ path }) => path.includes('4e7ac5c1fd8a'))).toEqual([]);
    },
  );

  test('all demands must be met: the policy’s and the command’s', async () => {
    const { name } = await signedRegistry();
    const policy = parsePolicy(
      `default: { notary: false, cosign: { keys: [${join(FIXTURES, 'keys/other.pub')}] } }\n`,
      '/p',
    );
    await expect(open(`docker:${name}:v1.0.0`, { policy, keys: [KEY] })).rejects.toMatchObject({
      reason: 'signature-invalid',
    });
  });

  test('may be in a repository of its own', async () => {
    const signed = await signedRegistry();
    const unsigned = await signedRegistry('unsigned');
    const { image } = await open(`docker:${unsigned.name}:v1.0.0`, {
      noVerify: true,
      keys: [KEY],
      environment: { COSIGN_REPOSITORY: signed.name },
    });
    expect(image.digest).toBe(signed.digest);
  });

  test('on a medium is in the layout, or in a file beside it', async () => {
    const layout = join(FIXTURES, 'valid-p256/layout');
    const { image } = await open(`oci-layout:${layout}:v1.0.0`, { keys: [KEY] });
    expect(image.provenance?.verifiedBy).toMatchObject([{ by: 'cosign' }]);

    const directory = `${temporaryRoot().directory}/medium`;
    cpSync(join(FIXTURES, 'unsigned/layout'), directory, { recursive: true });
    await expect(open(`oci-layout:${directory}:v1.0.0`, { keys: [KEY] })).rejects.toMatchObject({
      reason: 'no-signatures',
    });
    const bundle = join(
      FIXTURES,
      'bundle-key/layout/blobs/sha256/8d5bfde5d897694785938b95923d658e593a0601caf6bbf9213555969cf2e9b3',
    );
    cpSync(bundle, `${directory}.sigstore.json`);
    const beside = await open(`oci-layout:${directory}:v1.0.0`, { keys: [KEY] });
    expect(beside.image.provenance?.verifiedBy).toMatchObject([{ by: 'cosign', layout: 'bundle' }]);
  });

  test('nobody is asked about a layout without a wish, and a tree can’t be signed', async () => {
    const layout = join(FIXTURES, 'unsigned/layout');
    const { image, said } = await open(`oci-layout:${layout}:v1.0.0`, {});
    expect(image.provenance?.verifiedBy).toEqual([{ by: 'nobody', text: 'no signature (local source)' }]);
    expect(said).toEqual([]);
    await expect(open('dir:/usr', { keys: [KEY] })).rejects.toMatchObject({ reason: 'no-signatures' });
  });
});
