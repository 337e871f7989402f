// Real upgrades by tag, with the real executable, Debian's Notary server, client and registry: what is unsigned is refused
// with the disk as it was, what is signed is installed, and what an attacker puts under the tag isn't. Takes half a minute.

import { createHash, generateKeyPairSync, sign as signBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureExecutable } from '../../../lab/executable.ts';
import { publish, rotate, sign } from '../../../lab/notary-rig/publisher.ts';
import { type NotaryRig, startNotary } from '../../../lab/notary-rig/rig.ts';
import { type LabRegistry, pushImage, startRegistry } from '../../../lab/registry/registry.ts';
import { parseDigest } from '../../../src/image/digest.ts';
import { openRepository } from '../../../src/image/repository.ts';
import { readState } from '../../../src/slots/state-file.ts';
import { type RunResult, run } from '../../../src/system/process.ts';
import { DiskImage, slotText } from './disk-image.ts';
import { BOOT_FILES, type Files, TinyImages } from './tiny-image.ts';

let executable: string;
let images: TinyImages;
let disk: DiskImage;
let registry: LabRegistry;
let notary: NotaryRig;
let name: string;
let trust: string;
/** What each image is, as a publisher signs it. */
const signed: Record<string, { hex: string; sizeBytes: number }> = {};

const osRelease = (version: string): Files => ({
  'etc/os-release': `NAME="Tiny"\nPRETTY_NAME="Tiny ${version}"\nID=tiny\nVERSION_ID=${version}\n`,
});

beforeAll(async () => {
  executable = await ensureExecutable(() => {});
  images = new TinyImages();
  registry = await startRegistry(join(images.directory, 'registry'));
  notary = await startNotary(join(images.directory, 'notary'));
  name = `${registry.host}/os/tiny`;
  trust = join(images.directory, 'trust');
  for (const version of ['1.0', '1.1', '1.2', '1.3', 'evil']) {
    await images.add(version, [
      { name: 'base', files: { ...BOOT_FILES, ...osRelease('1.0') } },
      { name: version, files: osRelease(version === 'evil' ? '9.9' : version) },
    ]);
    await pushImage(images.layout, version, `${name}:${version}`);
    signed[version] = await contentOf(version);
  }
  await publish(notary, name, { '1.0': contentFor('1.0') });
  disk = DiskImage.create(4096);
});
afterAll(async () => {
  await notary?.close();
  await registry?.close();
  images?.remove();
  disk?.remove();
});

const contentFor = (version: string) => signed[version] ?? { hex: '', sizeBytes: 0 };

async function contentOf(tag: string): Promise<{ hex: string; sizeBytes: number }> {
  const repository = await openRepository({ kind: 'registry', reference: name }, {});
  const found = await repository.manifest(tag);
  return { hex: found?.digest.slice('sha256:'.length) ?? '', sizeBytes: found?.sizeBytes ?? 0 };
}

const holdfast = (args: readonly string[], server = notary.url): Promise<RunResult> =>
  run([executable, ...args, '--trust-state', trust, '--trust-ca', notary.caFile], {
    env: { ...process.env, DOCKER_CONFIG: '/nowhere', DOCKER_CONTENT_TRUST_SERVER: server },
  });

const upgrade = (...args: string[]): Promise<RunResult> =>
  disk.withPartitions(['COS_STATE', 'COS_OEM', 'COS_PERSISTENT'], () => holdfast(['upgrade', ...args]));

/** What is on the state partition: names, and what the slots say of themselves. */
async function diskState() {
  return disk.withMounted('COS_STATE', async (state) => ({
    // What was fetched is kept for another try, whatever ended this one.
    files: readdirSync(join(state, 'cOS'))
      .filter((file) => file !== '.fetch')
      .sort(),
    active: await slotText(state, 'active', '/etc/os-release'),
    record: readFileSync(join(state, 'state.yaml'), 'utf8'),
  }));
}

async function verifiedBy(): Promise<string | undefined> {
  return disk.withMounted('COS_STATE', async (state) => readState(join(state, 'state.yaml')).state.active?.verified);
}

const isLayerRead = (log: string) =>
  /GET \/v2\/os\/tiny\/blobs\//.test(log) || /uri="?\/v2\/os\/tiny\/blobs\//.test(log);

/** Puts the attacker's image under a tag, as whoever may write to the registry can. */
const retag = (tag: string) => pushImage(images.layout, 'evil', `${name}:${tag}`);

describe('a machine that upgrades by tag', () => {
  test('is installed from a signed tag, and the new system knows whom it trusts', async () => {
    const { status, stderr, stdout } = await holdfast(['install', disk.file, '--docker-image', `${name}:1.0`]);
    expect(stderr).toMatch(
      /is trusted from now on, at first use, on the word of https:\/\/localhost:\d+: root key [0-9a-f]{64}/,
    );
    expect([status, stdout]).toEqual([0, expect.stringContaining('Installed Tiny 1.0')]);
    expect(await verifiedBy()).toMatch(
      /^digests of all layers; Notary https:\/\/localhost:\d+: tag 1\.0 signed by targets, root key [0-9a-f]{12} trusted at first use, timestamp valid until \d{4}-\d\d-\d\d$/,
    );
    await disk.withMounted('COS_OEM', async (oem) => {
      const [directory] = readdirSync(join(oem, 'holdfast/trust'));
      expect(directory).toBe(encodeURIComponent(name));
      expect(readdirSync(join(oem, 'holdfast/trust', directory ?? ''))).toHaveLength(1);
    });
  });

  test('refuses a tag that is not signed, reads no layer, and the disk is as it was', async () => {
    const before = await diskState();
    const log = registry.log().length;
    const { status, stderr } = await upgrade('--docker-image', `${name}:1.1`);
    expect(status).toBe(98);
    expect(stderr).toContain(`${name}:1.1 is not signed; the repository is`);
    expect(stderr).toContain('--no-verify');
    expect(await diskState()).toEqual(before);
    expect(isLayerRead(registry.log().slice(log))).toBe(false);
  });

  test('takes it when it is signed', async () => {
    await sign(notary, name, '1.1', contentFor('1.1'));
    const log = registry.log().length;
    const { status, stdout, stderr } = await upgrade('--docker-image', `${name}:1.1`);
    expect([status, stderr]).toEqual([0, '']);
    expect(stdout).toContain(`${name}:1.1 is verified: Notary ${notary.url}: tag 1.1 signed by targets`);
    expect(isLayerRead(registry.log().slice(log))).toBe(true);
    expect((await diskState()).active).toContain('Tiny 1.1');
    expect(await verifiedBy()).toContain('tag 1.1 signed by targets');
  });

  test('gets what was signed when an attacker has put something else under the tag', async () => {
    await sign(notary, name, '1.2', contentFor('1.2'));
    await retag('1.2');
    expect((await contentOf('1.2')).hex).toBe(contentFor('evil').hex);
    const { status } = await upgrade('--docker-image', `${name}:1.2`);
    expect(status).toBe(0);
    expect((await diskState()).active).toContain('Tiny 1.2');
  });

  test('goes on after its publisher has changed all keys', async () => {
    for (const role of ['root', 'targets', 'snapshot', 'timestamp'] as const) await rotate(notary, name, role);
    await sign(notary, name, '1.3', contentFor('1.3'));
    const { status, stderr } = await upgrade('--docker-image', `${name}:1.3`);
    expect([status, stderr]).toEqual([0, '']);
    expect((await diskState()).active).toContain('Tiny 1.3');
  });

  test('refuses an older version, however well it is signed, unless it is told to take it', async () => {
    const before = await diskState();
    const { status, stderr } = await upgrade('--docker-image', `${name}:1.1`);
    expect(status).toBe(98);
    expect(stderr).toContain('the image is version 1.1, and 1.3 is installed');
    expect(stderr).toContain('--allow-downgrade');
    expect(await diskState()).toEqual(before);

    const unverified = await upgrade('--no-verify', '--docker-image', `${name}:1.1`);
    expect(unverified.status).toBe(98);
    const allowed = await upgrade('--allow-downgrade', '--docker-image', `${name}:1.1`);
    expect(allowed.status).toBe(0);
    expect(allowed.stderr).toContain('version 1.1 is older than 1.3');
    expect((await diskState()).active).toContain('Tiny 1.1');
  });

  test('with --no-verify asks nobody, says so, and keeps it in its records', async () => {
    const asked = notary.requests().length;
    const { status, stderr } = await upgrade('--no-verify', '--docker-image', `${name}:1.3`);
    expect(status).toBe(0);
    expect(stderr).toContain(
      `warning: ${name}:1.3 is not verified: --no-verify trusts the registry and whoever may write to it`,
    );
    expect(notary.requests()).toHaveLength(asked);
    expect(await verifiedBy()).toBe('digests of all layers; NOT VERIFIED (--no-verify)');
  });

  test('a policy that does not listen to --no-verify refuses it; one that pins another root refuses the tag', async () => {
    const policy = join(images.directory, 'policy.yaml');
    writeFileSync(policy, `images:\n  ${registry.host}/os/*: { no-verify: refuse }\n`);
    const deaf = await upgrade('--no-verify', '--policy', policy, '--docker-image', `${name}:1.3`);
    expect(deaf.status).toBe(1);
    expect(deaf.stderr).toContain(`${policy}:2 (${registry.host}/os/*) does not let ${name}:1.3 in with --no-verify`);

    writeFileSync(policy, `default: { notary: { root-keys: [${'0'.repeat(64)}] } }\n`);
    const pinned = await upgrade('--policy', policy, '--docker-image', `${name}:1.3`);
    expect(pinned.status).toBe(98);
    expect(pinned.stderr).toContain('is none of the pinned ones');
  });

  test('refuses while its Notary server is down', async () => {
    const before = await diskState();
    const { url } = notary;
    await notary.close();
    const { status, stderr } = await upgrade('--docker-image', `${name}:1.3`);
    expect(status).toBe(98);
    expect(stderr).toContain(`the signatures of ${name} can't be read from ${url}`);
    for (const way of ['DOCKER_CONTENT_TRUST_SERVER', '--cosign', '--no-verify']) expect(stderr).toContain(way);
    expect(await diskState()).toEqual(before);
  });
});

describe('a machine whose publisher signs with cosign', () => {
  let key: string;

  beforeAll(async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    key = join(images.directory, 'os.pub');
    writeFileSync(key, publicKey.export({ type: 'spki', format: 'pem' }));
    const digest = `sha256:${contentFor('1.3').hex}`;
    const payload = Buffer.from(
      JSON.stringify({
        critical: {
          identity: { 'docker-reference': name },
          image: { 'docker-manifest-digest': digest },
          type: 'cosign container image signature',
        },
        optional: null,
      }),
    );
    await pushSignature(digest, payload, signBytes('sha256', payload, privateKey).toString('base64'));
  });

  test('installs what is signed by the key, though Notary is down, and nothing else', async () => {
    const good = await upgrade('--force', '--no-verify', '--cosign-key', key, '--docker-image', `${name}:1.3`);
    expect(good.status).toBe(0);
    expect(good.stderr).toContain('--no-verify trusts the registry; cosign is asked all the same');
    expect(await verifiedBy()).toMatch(/^digests of all layers; cosign: signed by key [0-9a-f]{12} \(.*os\.pub\)$/);

    const before = await diskState();
    const bad = await upgrade('--no-verify', '--cosign-key', key, '--docker-image', `${name}:evil`);
    expect(bad.status).toBe(98);
    expect(bad.stderr).toContain('there is no signature of cosign');
    expect(await diskState()).toEqual(before);
  });

  test('is told by verify alone what an upgrade would say', async () => {
    const good = await holdfast(['verify', `docker:${name}:1.3`, '--no-verify', '--cosign-key', key, '--json']);
    expect(good.status).toBe(0);
    const result: unknown = JSON.parse(good.stdout.trim().split('\n').at(-1) ?? '');
    expect(result).toMatchObject({
      outcome: 'verified',
      digest: `sha256:${contentFor('1.3').hex}`,
      verifiedBy: [{ by: 'cosign', layout: 'tag' }],
    });
    expect((await holdfast(['verify', `docker:${name}:1.3`, '--no-verify'])).status).toBe(1);
    expect((await holdfast(['verify', `docker:${name}:evil`, '--no-verify', '--cosign-key', key])).status).toBe(98);
    expect((await holdfast(['verify'])).stderr).toContain('no image is named');
  });
});

/** As cosign 2 pushes one: the tag sha256-<hex>.sig with the payload as its layer. */
async function pushSignature(digest: string, payload: Buffer, signature: string): Promise<void> {
  const repository = await openRepository({ kind: 'registry', reference: name }, {});
  const blob = (bytes: Buffer, mediaType: string) => ({
    mediaType,
    digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
    size: bytes.length,
  });
  const config = Buffer.from('{}');
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: blob(config, 'application/vnd.oci.image.config.v1+json'),
      layers: [
        {
          ...blob(payload, 'application/vnd.dev.cosign.simplesigning.v1+json'),
          annotations: { 'dev.cosignproject.cosign/signature': signature },
        },
      ],
    }),
  );
  for (const bytes of [config, payload]) {
    const { mediaType, digest: own, size } = blob(bytes, 'application/octet-stream');
    await repository.putBlob({ mediaType, digest: parseDigest(own, 'a blob'), sizeBytes: size }, bytes);
  }
  await repository.putManifest(
    manifest,
    'application/vnd.oci.image.manifest.v1+json',
    `${digest.replace(':', '-')}.sig`,
  );
}
