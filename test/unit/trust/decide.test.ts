// Who is asked about an image: every combination of name, policy, flags, settings and environment that means something.

import { describe, expect, test } from 'vitest';
import { parseDigest } from '../../../src/image/digest.ts';
import { decideMediaTrust, decideTrust, type TrustVariables, type TrustWishes } from '../../../src/trust/decide.ts';
import { parsePolicy } from '../../../src/trust/policy.ts';
import { NO_RULE } from '../../../src/trust/trust-rule.ts';

const D = parseDigest(`sha256:${'ab'.repeat(32)}`, 'a digest');
const NAME = 'registry.example/os/base';

const POLICY = parsePolicy(
  `images:
  registry.example/signed/*:
    notary: { server: https://notary.example, first-use: false }
    cosign: { keys: [/policy.pub], repository: registry.example/signatures }
    no-verify: refuse
  registry.example/open/*: { notary: false }
  registry.example/key/*: { notary: false, cosign: { keys: [/policy.pub] } }
media: { cosign: { keys: [/media.pub] } }
`,
  '/policy.yaml',
);

const wishes = (change: Partial<TrustWishes> = {}): TrustWishes => ({
  cosign: false,
  cosignKeys: [],
  variables: {},
  ...change,
});
const decide = (reference: string, change: Partial<TrustWishes> = {}, environment: TrustVariables = {}) =>
  decideTrust(reference, (repository) => POLICY.forRepository(repository), wishes(change), environment);
const asked = ({ notary, cosign, pinned, unverified }: ReturnType<typeof decide>) => ({
  notary: notary && `${notary.gun}:${notary.tag}`,
  cosign: cosign.map(({ keys, identities }) => [...keys, ...identities.map(({ subject }) => subject)].join()),
  pinned,
  unverified,
});

describe('who is asked', () => {
  const nobody = { notary: undefined, cosign: [], pinned: undefined, unverified: undefined };
  test.each<[string, Partial<TrustWishes>, Partial<ReturnType<typeof asked>>]>([
    ['os/base:v1', {}, { notary: 'docker.io/os/base:v1' }],
    ['alpine', {}, { notary: 'docker.io/library/alpine:latest' }],
    [`${NAME}:v1`, {}, { notary: `${NAME}:v1` }],
    [`${NAME}@${D}`, {}, { pinned: D }],
    [`${NAME}:v1@${D}`, {}, { notary: `${NAME}:v1`, pinned: D }],
    [`${NAME}:v1`, { unverifiedBy: '--no-verify' }, { unverified: '--no-verify' }],
    [`${NAME}@${D}`, { unverifiedBy: '--no-verify' }, { pinned: D }],
    [`${NAME}:v1@${D}`, { unverifiedBy: '--no-verify' }, { pinned: D }],
    [`${NAME}:v1`, { cosignKeys: ['a', 'b'] }, { notary: `${NAME}:v1`, cosign: ['a,b'] }],
    // It doesn't switch cosign off.
    [`${NAME}:v1`, { unverifiedBy: '--no-verify', cosignKeys: ['a'] }, { cosign: ['a'] }],
    [`${NAME}@${D}`, { cosignKeys: ['a'] }, { pinned: D, cosign: ['a'] }],
    [`${NAME}:v1`, { cosignIssuer: 'i', cosignIdentity: 's' }, { notary: `${NAME}:v1`, cosign: ['s'] }],
    // Two signers, two signatures.
    [
      `${NAME}:v1`,
      { cosignKeys: ['a'], cosignIssuer: 'i', cosignIdentity: 's' },
      { notary: `${NAME}:v1`, cosign: ['a', 's'] },
    ],
    ['registry.example/open/os:v1', {}, { unverified: 'policy /policy.yaml:6 (registry.example/open/*)' }],
    ['registry.example/key/os:v1', {}, { cosign: ['/policy.pub'] }],
    // The command's demand comes on top of the policy's, and a bare --cosign is satisfied by it.
    ['registry.example/key/os:v1', { cosignKeys: ['a'] }, { cosign: ['/policy.pub', 'a'] }],
    ['registry.example/key/os:v1', { cosign: true }, { cosign: ['/policy.pub'] }],
    ['registry.example/key/os:v1', { unverifiedBy: '--no-verify' }, { cosign: ['/policy.pub'] }],
    ['registry.example/signed/os:v1', {}, { notary: 'registry.example/signed/os:v1', cosign: ['/policy.pub'] }],
    [`registry.example/signed/os@${D}`, {}, { pinned: D, cosign: ['/policy.pub'] }],
  ])('about %s with %j', (reference, change, wanted) => {
    expect(asked(decide(reference, change))).toEqual({ ...nobody, ...wanted });
  });

  test.each<[string, Partial<TrustWishes>, TrustVariables, string]>([
    ['the variable', {}, { COSIGN_PUBLIC_KEY_LOCATION: '/env.pub' }, '/env.pub'],
    ['a setting of its name', { variables: { COSIGN_PUBLIC_KEY_LOCATION: '/set.pub' } }, {}, '/set.pub'],
    [
      'the variable before the setting',
      { variables: { COSIGN_PUBLIC_KEY_LOCATION: '/set.pub' } },
      { COSIGN_PUBLIC_KEY_LOCATION: '/env.pub' },
      '/env.pub',
    ],
    [
      'a setting, where the variable is empty',
      { variables: { COSIGN_PUBLIC_KEY_LOCATION: '/set.pub' } },
      { COSIGN_PUBLIC_KEY_LOCATION: '' },
      '/set.pub',
    ],
    ['the flag before all', { cosignKeys: ['/flag.pub'] }, { COSIGN_PUBLIC_KEY_LOCATION: '/env.pub' }, '/flag.pub'],
  ])('--cosign takes the key of %s', (_name, change, environment, key) => {
    expect(asked(decide(`${NAME}:v1`, { cosign: true, ...change }, environment)).cosign).toEqual([key]);
  });

  test('it is said who names the key', () => {
    const from = (change: Partial<TrustWishes>) => decide(`${NAME}:v1`, change).cosign.map((demand) => demand.from);
    expect(from({ cosignKeys: ['a'] })).toEqual(['--cosign-key']);
    expect(from({ cosignKeys: ['a'], cosignKeysBy: 'cosign-key (config.yaml:2)' })).toEqual([
      'cosign-key (config.yaml:2)',
    ]);
  });

  test('a key in the environment alone asks for nothing', () => {
    expect(decide(`${NAME}:v1`, {}, { COSIGN_PUBLIC_KEY_LOCATION: '/env.pub' }).cosign).toEqual([]);
  });
});

describe('where is asked', () => {
  test.each<[string, TrustVariables, string | undefined]>([
    [`${NAME}:v1`, {}, undefined],
    [`${NAME}:v1`, { DOCKER_CONTENT_TRUST_SERVER: 'https://env.example' }, 'https://env.example'],
    // The policy speaks of this image, the variable of all.
    ['registry.example/signed/os:v1', { DOCKER_CONTENT_TRUST_SERVER: 'https://env.example' }, 'https://notary.example'],
  ])('the Notary server for %s with %j', (reference, environment, server) => {
    expect(decide(reference, {}, environment).notary?.configuredServer).toBe(server);
  });

  test('signatures of cosign are in COSIGN_REPOSITORY, unless the policy names a place', () => {
    const environment = { COSIGN_REPOSITORY: 'raccos/releases-green' };
    expect(decide(`${NAME}:v1`, { cosignKeys: ['a'] }, environment).cosign[0]?.repository).toBe(
      'raccos/releases-green',
    );
    const places = decide('registry.example/signed/os:v1', { cosignKeys: ['a'] }, environment).cosign;
    expect(places.map(({ repository }) => repository)).toEqual([
      'registry.example/signatures',
      'raccos/releases-green',
    ]);
  });

  test('what the policy pins goes along', () => {
    expect(decide('registry.example/signed/os:v1').notary).toMatchObject({ firstUse: false });
    expect(decide(`${NAME}:v1@${D}`).notary).toMatchObject({ firstUse: true, mustBe: D });
  });
});

describe('what is refused', () => {
  test.each<[string, string, Partial<TrustWishes>, TrustVariables, string]>([
    ['cosign without anybody', `${NAME}:v1`, { cosign: true }, {}, 'identity-required'],
    ['keyless without an identity', `${NAME}:v1`, { cosign: true }, { COSIGN_EXPERIMENTAL: '1' }, 'identity-required'],
    ['half an identity', `${NAME}:v1`, { cosignIdentity: 's' }, {}, 'identity-required'],
    ['the other half', `${NAME}:v1`, { cosignIssuer: 'i' }, {}, 'identity-required'],
    ['no name', 'quay.io/Upper/case:1', {}, {}, 'invalid-reference'],
  ])('%s', (_name, reference, change, environment, reason) => {
    expect(() => decide(reference, change, environment)).toThrow(expect.objectContaining({ code: 'HF-TRUST', reason }));
  });

  test('--no-verify where the policy does not listen to it', () => {
    expect(() => decide('registry.example/signed/os:v1', { unverifiedBy: '--no-verify' })).toThrow(
      '/policy.yaml:2 (registry.example/signed/*) does not let registry.example/signed/os:v1 in with --no-verify',
    );
  });

  test.each(['0', 'yes', 'TRUE', '2'])('COSIGN_EXPERIMENTAL=%s is no yes', (value) => {
    expect(() => decide(`${NAME}:v1`, { cosign: true }, { COSIGN_EXPERIMENTAL: value })).toThrow(
      'a signature of cosign',
    );
  });
});

describe('what is said', () => {
  const said = (...args: Parameters<typeof decide>) =>
    decide(...args).notices.map(({ level, text }) => `${level}: ${text}`);
  test.each<[string, string, Partial<TrustWishes>, TrustVariables, string[]]>([
    ['nothing', `${NAME}:v1`, {}, {}, []],
    [
      '--no-verify',
      `${NAME}:v1`,
      { unverifiedBy: '--no-verify' },
      {},
      [`warning: ${NAME}:v1 is not verified: --no-verify trusts the registry and whoever may write to it`],
    ],
    [
      '--no-verify with cosign',
      `${NAME}:v1`,
      { unverifiedBy: '--no-verify', cosignKeys: ['a'] },
      {},
      [`warning: ${NAME}:v1 is not verified: --no-verify trusts the registry; cosign is asked all the same`],
    ],
    [
      'a policy that asks nobody',
      'registry.example/open/os:v1',
      {},
      {},
      [
        'warning: registry.example/open/os:v1 is not verified: /policy.yaml:6 (registry.example/open/*) asks for no signature',
      ],
    ],
    [
      'a digest',
      `${NAME}@${D}`,
      {},
      {},
      [`info: ${NAME}@${D.slice(0, 19)} is pinned by its digest; no signature of its tag is looked for`],
    ],
    [
      'variables without effect',
      `${NAME}:v1`,
      {},
      { COSIGN_SKIP: 'quay', DOCKER_CONTENT_TRUST: '0' },
      [
        expect.stringMatching(/^warning: COSIGN_SKIP has no effect/),
        expect.stringMatching(/^warning: DOCKER_CONTENT_TRUST=0 has no effect/),
      ],
    ],
    ['a variable that agrees', `${NAME}:v1`, {}, { DOCKER_CONTENT_TRUST: '1' }, []],
  ])('about %s', (_name, reference, change, environment, notices) => {
    expect(said(reference, change, environment)).toEqual(notices);
  });
});

test('of an image on a medium only cosign is asked, where somebody wants it', () => {
  const media = (rule = NO_RULE, change: Partial<TrustWishes> = {}) =>
    asked(decideMediaTrust('oci-layout:/mnt:v1', rule, wishes(change), {}));
  const nobody = { notary: undefined, cosign: [], pinned: undefined, unverified: 'local source' };
  expect(media()).toEqual(nobody);
  expect(media(NO_RULE, { unverifiedBy: '--no-verify' })).toEqual(nobody);
  expect(media(POLICY.forMedia())).toEqual({ ...nobody, cosign: ['/media.pub'], unverified: undefined });
  expect(media(NO_RULE, { cosignKeys: ['a'] })).toEqual({ ...nobody, cosign: ['a'], unverified: undefined });
});
