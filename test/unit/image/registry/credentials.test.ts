// Where credentials come from: docker's configuration and its helpers. What is wrong with them is said without them.

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findCredentials } from '../../../../src/image/registry/credentials.ts';
import type { HoldfastError } from '../../../../src/system/errors.ts';
import { temporaryDirectory } from '../fixture.ts';

const auth = (text: string) => Buffer.from(text).toString('base64');
const USER = { kind: 'password', username: 'user', password: 'secret' };

/** Asks with this configuration and these helpers, each a shell script. */
function ask(host: string, config: unknown, helpers: Record<string, string> = {}) {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
  for (const [name, body] of Object.entries(helpers)) {
    const file = join(directory, `docker-credential-${name}`);
    writeFileSync(file, `#!/bin/sh\n[ "$1" = get ] || exit 9\nread -r server\n${body}\n`);
    chmodSync(file, 0o755);
  }
  const env = { DOCKER_CONFIG: directory, PATH: `${directory}:/usr/bin:/bin` };
  return findCredentials(host, { env });
}

describe('entries of the configuration', () => {
  test.each([
    ['quay.io', { auths: { 'quay.io': { auth: auth('user:secret') } } }, USER],
    ['quay.io', { auths: { 'https://quay.io': { auth: auth('user:secret') } } }, USER],
    ['quay.io', { auths: { 'https://quay.io/v1/': { auth: auth('user:secret') } } }, USER],
    ['quay.io', { auths: { 'quay.io': { auth: auth('user:se:cr:et\0\0') } } }, { ...USER, password: 'se:cr:et' }],
    ['quay.io', { auths: { 'quay.io': { username: 'user', password: 'secret' } } }, USER],
    [
      'quay.io',
      { auths: { 'quay.io': { auth: auth('user:x'), identitytoken: 't' } } },
      { kind: 'identity-token', token: 't' },
    ],
    ['quay.io', { auths: { 'quay.io': { registrytoken: 't' } } }, { kind: 'registry-token', token: 't' }],
    ['docker.io', { auths: { 'https://index.docker.io/v1/': { auth: auth('user:secret') } } }, USER],
    ['quay.io:5000', { auths: { 'quay.io': { auth: auth('user:secret') } } }, undefined],
    ['quay.io', { auths: { 'quay.io': {} } }, undefined],
    ['quay.io', { auths: null, credsStore: '' }, undefined],
    ['quay.io', {}, undefined],
    ['constructor', { auths: {} }, undefined],
  ])('%s %j', async (host, config, expected) => {
    expect(await ask(host, config)).toEqual(expected);
  });

  test('$HOME/.docker is read where DOCKER_CONFIG does not say otherwise, and nothing is where there is nothing', async () => {
    const home = temporaryDirectory();
    expect(await findCredentials('quay.io', { env: { HOME: home } })).toBeUndefined();
    mkdirSync(join(home, '.docker'));
    writeFileSync(
      join(home, '.docker/config.json'),
      JSON.stringify({ auths: { 'quay.io': { auth: auth('user:secret') } } }),
    );
    expect(await findCredentials('quay.io', { env: { HOME: home } })).toEqual(USER);
    expect(
      await findCredentials('quay.io', { env: { HOME: home, DOCKER_CONFIG: join(home, 'other') } }),
    ).toBeUndefined();
  });
});

describe('places', () => {
  const login = (username: string, ...keys: string[]) =>
    JSON.stringify({ auths: Object.fromEntries(keys.map((key) => [key, { auth: auth(`${username}:secret`) }])) });

  /** Which of the places is asked for a name. */
  async function ask(
    files: Record<string, string>,
    env: Record<string, string>,
    host = 'quay.io',
    repository = 'os/base',
  ) {
    const home = temporaryDirectory();
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(home, name, '..'), { recursive: true });
      writeFileSync(join(home, name), text);
    }
    const inHome = Object.fromEntries(Object.entries(env).map(([key, value]) => [key, value.replace('~', home)]));
    const found = await findCredentials(host, {
      env: { HOME: home, XDG_RUNTIME_DIR: `${home}/run`, ...inHome },
      repository,
    });
    return found?.kind === 'password' ? found.username : undefined;
  }
  const FILES = {
    'own.json': login('own', 'quay.io'),
    '.docker/config.json': login('docker', 'quay.io'),
    'run/containers/auth.json': login('runtime', 'quay.io', 'other.io'),
    '.config/containers/auth.json': login('home', 'quay.io', 'other.io', 'third.io'),
    'xdg/containers/auth.json': login('xdg', 'third.io'),
  };

  test.each<[string, string, Record<string, string>, string | undefined]>([
    ["docker's file first", 'quay.io', {}, 'docker'],
    ["then podman's of this session", 'other.io', {}, 'runtime'],
    ["then podman's of the user", 'third.io', {}, 'home'],
    ['wherever that is', 'third.io', { XDG_CONFIG_HOME: '~/xdg' }, 'xdg'],
    ['the environment before all of them', 'quay.io', { DOCKER_AUTH_CONFIG: login('env', 'quay.io') }, 'env'],
    ['for what it knows', 'other.io', { DOCKER_AUTH_CONFIG: login('env', 'quay.io') }, 'runtime'],
    [
      'one named file alone',
      'quay.io',
      { REGISTRY_AUTH_FILE: '~/own.json', DOCKER_AUTH_CONFIG: login('env', 'quay.io') },
      'own',
    ],
    ['also when it knows nothing', 'other.io', { REGISTRY_AUTH_FILE: '~/own.json' }, undefined],
    ['or is not there', 'quay.io', { REGISTRY_AUTH_FILE: '~/gone.json' }, undefined],
  ])('%s: %s %j', async (_, host, env, expected) => {
    expect(await ask(FILES, env, host)).toBe(expected);
  });

  test.each([
    ['os/base', 'base'],
    ['os/other', 'os'],
    ['os', 'os'],
    ['osx/base', 'all'],
    ['base', 'all'],
  ])('a login for a part of a registry counts there: %s', async (repository, expected) => {
    const auths = {
      'quay.io': { auth: auth('all:x') },
      'quay.io/os': { auth: auth('os:x') },
      'quay.io/os/base': { auth: auth('base:x') },
    };
    expect(await ask({ 'run/containers/auth.json': JSON.stringify({ auths }) }, {}, 'quay.io', repository)).toBe(
      expected,
    );
  });

  test('what the environment brings is not quoted when it is wrong', async () => {
    const error = await findCredentials('quay.io', { env: { DOCKER_AUTH_CONFIG: '{"auths": "secret' } }).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({ code: 'HF-CONFIG', message: '$DOCKER_AUTH_CONFIG is not JSON' });
  });
});

describe('helpers', () => {
  const GIVES = 'echo "{\\"ServerURL\\":\\"$server\\",\\"Username\\":\\"$server\\",\\"Secret\\":\\"secret\\"}"';
  test.each([
    ['quay.io', { credHelpers: { 'quay.io': 'one' }, credsStore: 'two' }, { ...USER, username: 'quay.io' }],
    ['docker.io', { credsStore: 'one' }, { ...USER, username: 'https://index.docker.io/v1/' }],
    ['docker.io', { credHelpers: { 'docker.io': 'one' } }, { ...USER, username: 'https://index.docker.io/v1/' }],
    ['other.io', { credHelpers: { 'quay.io': 'one' } }, undefined],
  ])('%s %j', async (host, config, expected) => {
    expect(await ask(host, config, { one: GIVES, two: 'exit 1' })).toEqual(expected);
  });

  test('one that knows nothing leaves the question to the entries', async () => {
    const config = { credsStore: 'one', auths: { 'quay.io': { auth: auth('user:secret') } } };
    const unknown = 'echo "credentials not found in native keychain"; exit 1';
    expect(await ask('quay.io', config, { one: unknown })).toEqual(USER);
    expect(await ask('other.io', config, { one: unknown })).toBeUndefined();
  });

  test('an identity token has a user name of its own', async () => {
    const helper = 'echo \'{"Username":"<token>","Secret":"t"}\'';
    expect(await ask('quay.io', { credsStore: 'one' }, { one: helper })).toEqual({
      kind: 'identity-token',
      token: 't',
    });
  });
});

describe('what is wrong is said, and never with a secret', () => {
  test.each([
    ['{"auths": {"quay.io": {"auth": "c2VjcmV0"', {}, 'HF-CONFIG', 'config.json is not JSON'],
    [{ auths: { 'quay.io': { auth: 42 } } }, {}, 'HF-CONFIG', 'auths.quay.io.auth is not what it should be'],
    [{ auths: { 'quay.io': { auth: auth('secret') } } }, {}, 'HF-CONFIG', 'has no usable "auth" for quay.io'],
    [{ credsStore: '../../bin/x' }, {}, 'HF-CONFIG', "names a credential helper that can't be one"],
    [{ credsStore: 'missing' }, {}, 'HF-TOOL-MISSING', 'docker-credential-missing is not installed'],
    [{ credsStore: 'one' }, { one: 'echo secret; echo secret >&2; exit 3' }, 'HF-COMMAND', 'it failed with status 3'],
    [{ credsStore: 'one' }, { one: 'echo secret' }, 'HF-COMMAND', 'did not answer as a credential helper does'],
    [{ credsStore: 'one' }, { one: 'kill -9 $$' }, 'HF-COMMAND', 'was ended by SIGKILL'],
  ])('%j %j', async (config, helpers, code, message) => {
    const error = await ask('quay.io', config, helpers as Record<string, string>).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code, message: expect.stringContaining(message) });
    const { hint, outputTail, stack } = error as HoldfastError;
    expect(`${hint}${outputTail}${stack}${(error as HoldfastError).cause}`).not.toMatch(/secret\b/);
  });
});
