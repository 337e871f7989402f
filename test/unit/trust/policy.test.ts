// The policy file: which rule speaks of which image, and that a policy that says something else than its owner meant is
// refused with the place where it does.

import { describe, expect, test } from 'vitest';
import { HoldfastError, renderLocation } from '../../../src/system/errors.ts';
import { decideTrust } from '../../../src/trust/decide.ts';
import { parsePolicy } from '../../../src/trust/policy.ts';

const NO_WISHES = { cosign: false, cosignKeys: [], variables: {} };
const FILE = '/etc/holdfast/policy.yaml';

const WHOLE = `# a whole policy
default:
  notary: true
images:
  registry.example/os/*:
    notary:
      server: https://notary.example:4443
      ca: /etc/holdfast/notary-ca.pem
      root-keys: [${'a'.repeat(64)}]
      first-use: false
    no-verify: refuse
    downgrade: refuse
    minimum-version: 1.10
  registry.example/os/edge:
    notary: false
    cosign:
      keys: [/etc/holdfast/edge.pub]
      annotations: { env: prod }
      reference: enforce
  registry.example/*:
    notary: false
    cosign:
      identities:
        - issuer: https://token.example
          subject: https://git.example/os/release.yaml@refs/heads/main
      trusted-root: /etc/holdfast/trusted_root.json
      repository: registry.example/signatures
  docker.io/library/*: { notary: false }
media:
  cosign: { keys: [/etc/holdfast/edge.pub] }
`;

describe('which rule counts', () => {
  const policy = parsePolicy(WHOLE, FILE);

  test.each([
    ['registry.example/os/base', 'registry.example/os/*'],
    ['registry.example/os/deep/er', 'registry.example/os/*'],
    ['registry.example/os/edge', 'registry.example/os/edge'],
    ['registry.example/os', 'registry.example/*'],
    ['registry.example/osx/base', 'registry.example/*'],
    ['registry.example:5000/os/base', 'default'],
    ['other.example/registry.example/os/base', 'default'],
    ['docker.io/library/alpine', 'docker.io/library/*'],
    ['docker.io/acme/os', 'default'],
  ])('for %s it is %s', (repository, name) => {
    expect(policy.forRepository(repository).from).toMatch(
      new RegExp(`^${FILE}:\\d+ \\(${name.replaceAll('*', '\\*')}\\)$`),
    );
  });

  // All of them reach the same registry, and a rule that speaks of it must not be passed by.
  test.each([
    ['Registry.Example/os/base', 'registry.example/os/*'],
    ['registry.example:443/os/base', 'registry.example/os/*'],
    ['REGISTRY.example:0443/os/edge', 'registry.example/os/edge'],
    ['index.docker.io/library/alpine', 'docker.io/library/*'],
    ['Index.Docker.IO:443/alpine', 'docker.io/library/*'],
    ['registry-1.docker.io/library/alpine', 'docker.io/library/*'],
    ['registry.example:444/os/base', 'default'],
    ['registry.example.evil/os/base', 'default'],
  ])('for %s, however it is written, it is %s', (repository, name) => {
    expect(policy.forRepository(repository).from).toContain(`(${name})`);
  });

  test.each(['Registry.Example/os/base', 'registry.example:443/os/base', 'registry.example:0443/os/base'])(
    'no spelling lets %s in with --no-verify',
    (repository) => {
      const wishes = { ...NO_WISHES, unverifiedBy: '--no-verify' };
      expect(() => decideTrust(`${repository}:v1`, (each) => policy.forRepository(each), wishes, {})).toThrow(
        `does not let ${repository}:v1 in with --no-verify`,
      );
    },
  );

  test.each([
    ['Registry.Example/os/*', 'registry.example/os/base', true],
    ['registry.example:443/*', 'registry.example/os/base', true],
    ['registry.example/os/base', 'registry.example:00443/os/base', true],
    ['registry.example:05000/os/*', 'Registry.Example:5000/os/base', true],
    ['registry.example:5000/os/*', 'registry.example/os/base', false],
    ['127.1/os/*', '127.0.0.1/os/base', true],
    ['[::1]:5000/os/*', '[0:0:0:0:0:0:0:1]:5000/os/base', true],
    ['docker.io/alpine', 'docker.io/library/alpine', true],
    ['Docker.io/alpine', 'docker.io/library/alpine', true],
    ['docker.io/acme/*', 'docker.io/acme/os', true],
    ['docker.io/acme/*', 'docker.io/library/acme', false],
  ])('the pattern %s and %s: %s', (pattern, repository, fits) => {
    const { mayDowngrade } = parsePolicy(`images: { '${pattern}': { downgrade: refuse } }`, FILE).forRepository(
      repository,
    );
    expect(mayDowngrade).toBe(!fits);
  });

  test('the name that is signed stays as it was written', () => {
    const { notary } = decideTrust('Registry.Example/os/x:v1', (each) => policy.forRepository(each), NO_WISHES, {});
    expect(notary?.gun).toBe('Registry.Example/os/x');
  });

  test('a rule says all that it says', () => {
    expect(policy.forRepository('registry.example/os/base')).toEqual({
      from: `${FILE}:5 (registry.example/os/*)`,
      notary: {
        server: 'https://notary.example:4443',
        caFile: '/etc/holdfast/notary-ca.pem',
        rootKeys: ['a'.repeat(64)],
        rootCaFile: undefined,
        firstUse: false,
      },
      cosign: undefined,
      mayBeUnverified: false,
      mayDowngrade: false,
      // Not the number 1.1.
      minimumVersion: '1.10',
    });
    expect(policy.forRepository('registry.example/app')).toMatchObject({
      notary: undefined,
      cosign: {
        keys: [],
        identities: [
          { issuer: 'https://token.example', subject: 'https://git.example/os/release.yaml@refs/heads/main' },
        ],
        trustedRoot: '/etc/holdfast/trusted_root.json',
        repository: 'registry.example/signatures',
        enforceReference: false,
        requireLog: false,
      },
    });
    expect(policy.forRepository('registry.example/os/edge').cosign).toMatchObject({
      annotations: { env: 'prod' },
      enforceReference: true,
    });
  });

  test('what a rule leaves out is as without a policy', () => {
    expect(policy.forRepository('docker.io/acme/os')).toMatchObject({
      notary: { firstUse: true },
      cosign: undefined,
      mayBeUnverified: true,
      mayDowngrade: true,
    });
  });

  test('an image on a medium has a rule of its own, never with Notary', () => {
    expect(policy.forMedia()).toMatchObject({ notary: undefined, cosign: { keys: ['/etc/holdfast/edge.pub'] } });
    expect(parsePolicy('', FILE).forMedia()).toMatchObject({ notary: undefined, cosign: undefined });
  });

  test('of media, references may be left at warn', () => {
    const text = 'media: { cosign: { keys: [a], reference: warn } }';
    expect(parsePolicy(text, FILE).forMedia().cosign).toMatchObject({ enforceReference: false });
  });

  test.each(['', '# nothing\n', '{}', 'images: {}\n'])('an empty policy (%j) is the same as none', (text) => {
    expect(parsePolicy(text, FILE).forRepository('registry.example/os')).toEqual({
      from: undefined,
      notary: { firstUse: true },
      cosign: undefined,
      mayBeUnverified: true,
      mayDowngrade: true,
      minimumVersion: undefined,
    });
  });
});

describe('a policy that can be misunderstood is refused', () => {
  const rule = (text: string) => `images:\n  registry.example/os:\n    ${text}\n`;
  test.each<[string, string, RegExp, string]>([
    ['an unknown key', rule('cosing: { keys: [a] }'), /unknown key "cosing"/, ':3:5'],
    ['an unknown key in a choice', rule('notary: { servr: https://a }'), /unknown key "servr"/, ':3:15'],
    ['an unknown key at the top', 'image: {}\n', /unknown key "image"/, ':1:1'],
    ['a number as a switch', rule('notary: 1'), /images\.registry\.example\/os\.notary/, ':3:5'],
    ['a yes', rule('notary: yes'), /images\.registry\.example\/os\.notary/, ':3:5'],
    ['neither keys nor identities', rule('cosign: {}'), /neither keys nor identities/, ':3:5'],
    [
      'no trusted root for identities',
      rule('cosign: { identities: [{ issuer: a, subject: b }] }'),
      /trusted-root/,
      ':3:5',
    ],
    ['half an identity', rule('cosign: { identities: [{ issuer: a }], trusted-root: /r }'), /subject/, ':3:28'],
    ['no keys in a list of keys', rule('cosign: { keys: [] }'), /keys/, ':3:15'],
    ['a root key that is none', rule('notary: { root-keys: [abc] }'), /64 lower-case hex/, ':3:27'],
    ['an unknown word', rule('downgrade: never'), /downgrade/, ':3:5'],
    ['a key that is given twice', rule('notary: true\n    notary: false'), /"notary" is given twice/, ':4:5'],
    ['an alias', 'default: &a { notary: true }\nmedia: *a\n', /no aliases/, ':2:8'],
    ['a tag', 'default: !policy { notary: true }\n', /no tags/, ':1:'],
    ['a second document', 'default: {}\n---\ndefault: { notary: false }\n', /goes on after its end/, ':3:1'],
    ['a list', '- default\n', /is not what it should be/, ':1:1'],
    ['broken YAML', 'default: {\n', /./, ':1:'],
    ['a name with a tag', 'images:\n  registry.example/os:v1: {}\n', /it has a tag/, ':2:3'],
    ['a name without a registry', 'images:\n  os/base: {}\n', /begin with a registry/, ':2:3'],
    ['a star in the middle', 'images:\n  registry.example/*/os: {}\n', /names no images/, ':2:3'],
    ['a registry alone', 'images:\n  registry.example: {}\n', /without a repository/, ':2:3'],
    ['a star alone', "images:\n  '*': {}\n", /begin with a registry/, ':2:3'],
    ['upper case', 'images:\n  registry.example/OS: {}\n', /lower case/, ':2:3'],
    ['a rule without lines', 'images:\n  registry.example/os:\n', /"registry\.example\/os" is empty/, ':2:3'],
    ['a default without lines', 'default:\n  # notary: true\n', /"default" is empty/, ':1:1'],
    ['media without lines', 'default: {}\nmedia: ~\n', /"media" is empty/, ':2:1'],
    ['cosign without lines', rule('cosign:\n    # keys: [a]'), /"cosign" is empty/, ':3:5'],
    ['a pin without keys', rule('notary: { root-keys: }'), /"root-keys" is empty/, ':3:15'],
    ['a pin of nothing', rule('notary: { root-ca: null }'), /"root-ca" is empty/, ':3:15'],
    ['an empty switch', rule('no-verify: ~'), /"no-verify" is empty/, ':3:5'],
    ['an empty version', rule('minimum-version:'), /"minimum-version" is empty/, ':3:5'],
    ['an empty text', rule('minimum-version: ""'), /minimum-version/, ':3:5'],
    ['an empty entry', rule('cosign: { keys: [a, ~] }'), /an entry of the list is empty/, ':3:25'],
    [
      'a repository that media do not have',
      'media:\n  cosign: { keys: [a], reference: enforce }\n',
      /media\.cosign\.reference: an image on a medium has no repository/,
      ':2:24',
    ],
    [
      'one image twice',
      'images:\n  docker.io/alpine: {}\n  index.docker.io/library/alpine: {}\n',
      /"index\.docker\.io\/library\/alpine" names the same images as "docker\.io\/alpine"/,
      ':3:3',
    ],
    [
      'one beginning twice',
      'images:\n  registry.example/os/*: {}\n  Registry.Example:443/os/*: {}\n',
      /names the same images as "registry\.example\/os\/\*"/,
      ':3:3',
    ],
    ['__proto__', rule('__proto__: { notary: false }'), /unknown key "__proto__"/, ':3:5'],
  ])('%s', (_what, text, message, place) => {
    let error: unknown;
    try {
      parsePolicy(text, FILE);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(HoldfastError);
    if (!(error instanceof HoldfastError) || error.location === undefined) throw error;
    expect(error.code).toBe('HF-CONFIG');
    expect(error.message).toMatch(message);
    expect(renderLocation(error.location)).toContain(FILE + place);
  });
});
