// What flags and settings make of each other where both speak of trust.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadPolicy, mayDowngrade, notaryFiles, type TrustFlags, trustWishes } from '../../../src/cli/trust-option.ts';
import { loadSettings } from '../../../src/lifecycle/settings.ts';
import { NO_POLICY } from '../../../src/trust/trust-rule.ts';
import { temporaryRoot } from '../stages/temporary-root.ts';

const settings = (yaml: string) =>
  loadSettings({ root: temporaryRoot({ '/etc/elemental/config.yaml': yaml }), environment: {} });

describe('the wishes', () => {
  test.each<[string, TrustFlags, string, object]>([
    ['nobody', {}, '', { cosign: false, cosignKeys: [], unverifiedBy: undefined }],
    ['--cosign-key', { cosignKey: ['a', 'b'] }, '', { cosign: true, cosignKeys: ['a', 'b'] }],
    ['a setting', {}, 'cosign: true\ncosign-key: /os.pub\n', { cosign: true, cosignKeys: ['/os.pub'] }],
    ['a key in the settings alone: nobody', {}, 'cosign-key: /os.pub\n', { cosign: false, cosignKeys: [] }],
    ['--cosign with that key', { cosign: true }, 'cosign-key: /os.pub\n', { cosign: true, cosignKeys: ['/os.pub'] }],
    ['a flag before the setting', { cosignKey: ['a'] }, 'cosign: true\ncosign-key: /os.pub\n', { cosignKeys: ['a'] }],
    ['an identity', {}, 'cosign-identity: s\ncosign-issuer: i\n', { cosignIdentity: 's', cosignIssuer: 'i' }],
    ['--no-verify', { verify: false }, '', { unverifiedBy: '--no-verify' }],
    ['a server', {}, 'trust-server: https://n\n', { variables: { DOCKER_CONTENT_TRUST_SERVER: 'https://n' } }],
    ['COSIGN_… as a key', {}, 'COSIGN_REPOSITORY: r/s\n', { variables: { COSIGN_REPOSITORY: 'r/s' } }],
    [
      'an identity of flags, not the key of the settings',
      { cosignIdentity: 's', cosignIssuer: 'i' },
      'cosign: true\ncosign-key: /os.pub\n',
      { cosign: true, cosignKeys: [], cosignIdentity: 's', cosignIssuer: 'i' },
    ],
    [
      'an issuer of a flag with the identity of the settings',
      { cosignIssuer: 'i' },
      'cosign: true\ncosign-key: /os.pub\ncosign-identity: s\n',
      { cosignKeys: [], cosignIdentity: 's', cosignIssuer: 'i' },
    ],
    [
      'a key of a flag, not the identity of the settings',
      { cosignKey: ['a'] },
      'cosign-identity: s\ncosign-issuer: i\n',
      { cosignKeys: ['a'], cosignIdentity: undefined, cosignIssuer: undefined },
    ],
    [
      'both signers of the settings',
      {},
      'cosign: true\ncosign-key: /os.pub\ncosign-identity: s\ncosign-issuer: i\n',
      { cosignKeys: ['/os.pub'], cosignIdentity: 's', cosignIssuer: 'i' },
    ],
  ])('of %s', async (_name, flags, yaml, wanted) => {
    expect(trustWishes(flags, await settings(yaml))).toMatchObject(wanted);
  });

  test.each<[TrustFlags, string]>([
    [
      { cosignKey: ['a'], cosignIdentity: 's', cosignIssuer: 'i' },
      '--cosign-key and --cosign-identity name two signers',
    ],
    [{ cosignKey: ['a'], cosignIssuer: 'i' }, '--cosign-key and --cosign-issuer name two signers'],
  ])('of %j are refused', (flags, message) => {
    expect(() => trustWishes(flags, undefined)).toThrow(expect.objectContaining({ code: 'HF-USAGE', message }));
  });

  test('a key of the settings is named with its place', async () => {
    const yaml = 'cosign: true\ncosign-key: /os.pub\n';
    expect(trustWishes({}, await settings(yaml)).cosignKeysBy).toMatch(/^cosign-key \(.*config\.yaml:2\)$/);
    expect(trustWishes({ cosignKey: ['a'] }, await settings(yaml)).cosignKeysBy).toBe('--cosign-key');
  });

  test('the setting that switches Notary off is named with its place', async () => {
    const { unverifiedBy } = trustWishes({}, await settings('no-verify: true\n'));
    expect(unverifiedBy).toMatch(/^no-verify \(.*config\.yaml:1\)$/);
  });
});

test.each<[TrustFlags, NodeJS.ProcessEnv, object]>([
  [{}, { HOME: '/home/me' }, { tlsDirectory: '/home/me/.docker/tls' }],
  [{}, {}, { tlsDirectory: '/root/.docker/tls' }],
  [{ trustCa: '/ca.pem' }, { DOCKER_CONFIG: '/etc/docker' }, { tlsDirectory: '/etc/docker/tls', caFile: '/ca.pem' }],
])('certificates with %j and %j', (flags, environment, wanted) => {
  expect(notaryFiles(flags, undefined, environment)).toEqual(wanted);
});

test.each<[TrustFlags, string, boolean]>([
  [{}, '', false],
  [{}, 'allow-downgrade: true\n', true],
  [{ allowDowngrade: true }, 'allow-downgrade: false\n', true],
])('an older version with %j and %j: %j', async (flags, yaml, wanted) => {
  expect(mayDowngrade(flags, await settings(yaml))).toBe(wanted);
});

test('a policy that was named must be there', async () => {
  await expect(loadPolicy({ policy: '/nowhere/policy.yaml' })).rejects.toMatchObject({ code: 'HF-NO-SOURCE' });
});

describe('the policy of the machine', () => {
  const RULE = 'default: { no-verify: refuse }\n';
  test.each<[string, (etc: string) => void, boolean | RegExp]>([
    ['is read', (etc) => writeFileSync(join(etc, 'policy.yaml'), RULE), true],
    ['need not be there', () => {}, false],
    [
      'may be a link',
      (etc) => {
        writeFileSync(join(etc, 'other.yaml'), RULE);
        symlinkSync('other.yaml', join(etc, 'policy.yaml'));
      },
      true,
    ],
    ['is no link that leads nowhere', (etc) => symlinkSync('gone.yaml', join(etc, 'policy.yaml')), /can't be read/],
    ['is no link to itself', (etc) => symlinkSync('policy.yaml', join(etc, 'policy.yaml')), /can't be read/],
    ['is no directory', (etc) => mkdirSync(join(etc, 'policy.yaml')), /can't be read/],
  ])('%s', async (_name, prepare, wanted) => {
    const etc = temporaryRoot().directory;
    prepare(etc);
    const policy = loadPolicy({}, join(etc, 'policy.yaml'));
    if (wanted instanceof RegExp) {
      await expect(policy).rejects.toMatchObject({ code: 'HF-CONFIG', message: expect.stringMatching(wanted) });
    } else expect((await policy).forRepository('registry.example/os').mayBeUnverified).toBe(!wanted);
  });

  test('is not missing where its directory is a link that leads nowhere', async () => {
    const etc = temporaryRoot().directory;
    symlinkSync('/oem/not/mounted', join(etc, 'holdfast'));
    await expect(loadPolicy({}, join(etc, 'holdfast/policy.yaml'))).rejects.toMatchObject({ code: 'HF-CONFIG' });
    symlinkSync('loop', join(etc, 'loop'));
    await expect(loadPolicy({}, join(etc, 'loop/policy.yaml'))).rejects.toMatchObject({ code: 'HF-CONFIG' });
    // Below a file, and below nothing, there can't be one.
    writeFileSync(join(etc, 'file'), '');
    for (const path of ['file/policy.yaml', 'no/where/policy.yaml']) {
      expect(await loadPolicy({}, join(etc, path))).toBe(NO_POLICY);
    }
  });
});
