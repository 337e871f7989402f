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
