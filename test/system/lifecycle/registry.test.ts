// Installing and upgrading from a registry with the real executable: what it says about trust, that the system is the one
// that the layout has, and that an upgrade fetches only the layers that are new. Takes a few seconds.

import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureExecutable } from '../../../lab/executable.ts';
import { type LabRegistry, pushImage, startRegistry } from '../../../lab/registry/registry.ts';
import { readState } from '../../../src/slots/state-file.ts';
import { type RunResult, run } from '../../../src/system/process.ts';
import { DiskImage, machineTraces, slotText } from './disk-image.ts';
import { BOOT_FILES, osRelease, TinyImages } from './tiny-image.ts';

let executable: string;
let images: TinyImages;
let disk: DiskImage;
let registry: LabRegistry;
let name: string;
let trust: string;

beforeAll(async () => {
  executable = await ensureExecutable(() => {});
  images = new TinyImages();
  const base = { name: 'base', files: { ...BOOT_FILES, ...osRelease(1) } };
  await images.add('v1', [base]);
  await images.add('v2', [base, { name: 'second', files: { ...osRelease(2), 'usr/share/new': 'v2\n' } }]);
  registry = await startRegistry(join(images.directory, 'registry'));
  name = `${registry.host}/os/tiny`;
  trust = join(images.directory, 'trust');
  for (const tag of ['v1', 'v2']) await pushImage(images.layout, tag, `${name}:${tag}`);
  disk = DiskImage.create(4096);
});
afterAll(async () => {
  await registry?.close();
  images?.remove();
  disk?.remove();
});

const holdfast = (...args: string[]): Promise<RunResult> =>
  run([executable, ...args], { env: { ...process.env, DOCKER_CONFIG: '/nowhere' } });

const blobsRead = () =>
  (registry.log().match(/GET \/v2\/os\/tiny\/blobs\/sha256:\w+|uri="?\/v2\/os\/tiny\/blobs\/sha256:\w+/g) ?? []).length;

test.each([
  [['--docker-image', 'NAME:v1']],
  [['--system', 'docker:NAME:v1']],
  [['--system', 'oci:NAME:v1']],
  [['--system', 'NAME:v1']],
  [['--system', `docker:NAME:v1@sha256:${'00'.repeat(32)}`]],
])('%j: without a Notary server it is refused, with the ways out', async (flags) => {
  const given = flags.map((flag) => flag.replace('NAME', name));
  const { status, stderr } = await holdfast('install', disk.file, '--trust-state', trust, ...given);
  expect(status).toBe(98);
  expect(stderr).toContain(`https://${registry.host}`);
  expect(stderr).toContain('[HF-TRUST]');
  for (const way of ['DOCKER_CONTENT_TRUST_SERVER', 'cosign', '--no-verify']) expect(stderr).toContain(way);
});

test('an image that the registry does not have', async () => {
  const { status, stderr } = await holdfast('install', disk.file, '--no-verify', '--docker-image', `${name}:v9`);
  expect(status).toBe(68);
  expect(stderr).toContain(`${registry.host} does not have the tag v9 (manifest unknown) [HF-NO-SOURCE]`);
});

test('it is installed with --no-verify, which is said and kept', async () => {
  const before = machineTraces();
  const result = await holdfast('install', disk.file, '--no-verify', '--docker-image', `${name}:v1`);
  expect(result).toMatchObject({
    status: 0,
    stderr: `warning: ${name}:v1 is not verified: --no-verify trusts the registry and whoever may write to it\n`,
  });
  expect(result.stdout).toContain(`  image      docker:${name}:v1 (sha256:`);
  expect(machineTraces()).toEqual(before);
  await disk.withMounted('COS_STATE', async (state) => {
    expect(await slotText(state, 'active', '/etc/os-release')).toContain('Tiny 1');
    expect(readState(join(state, 'state.yaml')).state.active).toMatchObject({
      source: expect.stringMatching(/^docker:127\.0\.0\.1:\d+\/os\/tiny:v1@sha256:[0-9a-f]{64}$/),
      verified: 'digests of all layers; NOT VERIFIED (--no-verify)',
    });
  });
});

test('an upgrade that names the digest needs no more, and fetches only what is new', async () => {
  const { stdout } = await run([
    'skopeo',
    'inspect',
    '--tls-verify=false',
    '--format',
    '{{.Digest}}',
    `docker://${name}:v2`,
  ]);
  const digest = stdout.trim();
  const before = blobsRead();
  const result = await disk.withPartitions(['COS_STATE', 'COS_OEM', 'COS_PERSISTENT'], () =>
    holdfast('upgrade', `docker:${name}@${digest}`),
  );
  expect(result).toMatchObject({ status: 0, stderr: '' });
  expect(result.stdout).toContain(
    `${name}@${digest.slice(0, 19)} is pinned by its digest; no signature of its tag is looked for`,
  );
  // Configuration and the second layer.
  expect(blobsRead() - before).toBe(2);
  await disk.withMounted('COS_STATE', async (state) => {
    expect(await slotText(state, 'active', '/etc/os-release')).toContain('Tiny 2');
    expect(await slotText(state, 'active', '/usr/share/new')).toBe('v2\n');
    expect(await slotText(state, 'passive', '/etc/os-release')).toContain('Tiny 1');
  });
});

test('the tag of what is installed already is known by its digest', async () => {
  const { status, stdout } = await disk.withPartitions(['COS_STATE', 'COS_OEM', 'COS_PERSISTENT'], () =>
    holdfast('upgrade', '--no-verify', '--docker-image', `${name}:v2`),
  );
  expect(status).toBe(0);
  expect(stdout).toContain(`Up to date: the active system already is docker:${name}:v2`);
});
