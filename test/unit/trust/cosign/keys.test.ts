// Public keys: which kinds are taken, from where, and what is said about those that aren't.

import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { HoldfastError } from '../../../../src/system/errors.ts';
import { loadCosignKey } from '../../../../src/trust/cosign/key-source.ts';
import { isSignedBy, parseCosignKey } from '../../../../src/trust/cosign/public-key.ts';
import { serve } from '../../image/registry/local-registry.ts';
import { temporaryRoot } from '../../stages/temporary-root.ts';

const pem = (key: KeyObject, type: 'spki' | 'pkcs8' = 'spki') => key.export({ type, format: 'pem' }).toString();
const P256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const PAYLOAD = Buffer.from('signed');

describe('a kind of key', () => {
  test.each<[string, { publicKey: KeyObject; privateKey: KeyObject }]>([
    ['P-256', P256],
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' })],
    ['P-521', generateKeyPairSync('ec', { namedCurve: 'P-521' })],
    ['Ed25519', generateKeyPairSync('ed25519')],
    ['RSA with 2048 bits', generateKeyPairSync('rsa', { modulusLength: 2048 })],
  ])('%s verifies its own signatures only', (_name, { publicKey, privateKey }) => {
    const { key, id } = parseCosignKey(pem(publicKey), 'os.pub');
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    const signature = sign(privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256', PAYLOAD, privateKey);
    expect(isSignedBy(key, PAYLOAD, signature)).toBe(true);
    expect(isSignedBy(key, Buffer.from('other'), signature)).toBe(false);
    expect(isSignedBy(key, PAYLOAD, Buffer.alloc(0))).toBe(false);
    expect(isSignedBy(key, PAYLOAD, Buffer.from('no signature'))).toBe(false);
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(isSignedBy(key, PAYLOAD, sign('sha256', PAYLOAD, stranger.privateKey))).toBe(false);
  });

  test.each<[string, string, string, RegExp]>([
    [
      'RSA with 1024 bits',
      pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey),
      'HF-UNSUPPORTED',
      /RSA key of 1024 bits/,
    ],
    [
      'another curve',
      pem(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey),
      'HF-UNSUPPORTED',
      /secp256k1/,
    ],
    ['X25519', pem(generateKeyPairSync('x25519').publicKey), 'HF-UNSUPPORTED', /x25519/],
    ['a private key', pem(P256.privateKey, 'pkcs8'), 'HF-CONFIG', /no public key/],
    ['no PEM', 'ssh-ed25519 AAAA', 'HF-CONFIG', /no public key in PEM/],
    ['broken PEM', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n', 'HF-CONFIG', /no public key/],
    ['nothing', '', 'HF-CONFIG', /no public key/],
  ])('%s is none', (_name, text, code, message) => {
    expect(() => parseCosignKey(text, 'os.pub')).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });

  test('the private half is called what it is, and not printed', () => {
    const text = pem(P256.privateKey, 'pkcs8');
    let error: unknown;
    try {
      parseCosignKey(text, 'cosign.key');
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ hint: expect.stringContaining('it is a private key') });
    expect(`${error}`).not.toContain(text.split('\n')[1]);
  });
});

describe('a place for a key', () => {
  const text = pem(P256.publicKey);
  const { id } = parseCosignKey(text, 'os.pub');

  test('a file, a file address, the text itself', async () => {
    const file = join(temporaryRoot().directory, 'os.pub');
    writeFileSync(file, `a comment\n${text}`);
    expect(await loadCosignKey(file)).toMatchObject({ id, from: file });
    expect(await loadCosignKey(`file://${file}`)).toMatchObject({ id, from: file });
    expect(await loadCosignKey(text)).toMatchObject({ id });
  });

  test('a web server', async () => {
    const { host } = await serve((_, response) => response.end(text));
    expect(await loadCosignKey(`http://${host}/os.pub`)).toMatchObject({ id, from: `http://${host}/os.pub` });
  });

  test('a web server that has something else, or too much', async () => {
    const page = await serve((_, response) => response.end('<html>'));
    await expect(loadCosignKey(`http://${page.host}/os.pub`)).rejects.toMatchObject({ code: 'HF-CONFIG' });
    const endless = await serve((_, response) => response.end('x'.repeat(1 << 20)));
    await expect(loadCosignKey(`http://${endless.host}/os.pub`)).rejects.toMatchObject({ code: 'HF-UNSUPPORTED' });
    const missing = await serve((_, response) => response.writeHead(404).end());
    await expect(loadCosignKey(`http://${missing.host}/os.pub`)).rejects.toMatchObject({ code: 'HF-NETWORK' });
  });

  test.each<[string, string, RegExp]>([
    ['http://keys.example/os.pub', 'HF-UNSUPPORTED', /not taken over plain HTTP/],
    ['http://localhost.evil.example/os.pub', 'HF-UNSUPPORTED', /not taken over plain HTTP/],
    ['k8s://namespace/cosign', 'HF-UNSUPPORTED', /keys that k8s: keeps are not read/],
    ['awskms:///alias/os', 'HF-UNSUPPORTED', /awskms/],
    ['hashivault://os', 'HF-UNSUPPORTED', /hashivault/],
    ['/nowhere/os.pub', 'HF-NO-SOURCE', /can't be read/],
    ['https://', 'HF-USAGE', /the web address of a key is none/],
    ['$(touch /tmp/pwned)', 'HF-NO-SOURCE', /can't be read/],
    ['/usr', 'HF-CONFIG', /can't be read/],
  ])('%s is none', async (place, code, message) => {
    await expect(loadCosignKey(place)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test('what opens an address is never printed, nor kept as the place of the key', async () => {
    const { host } = await serve((request, response) => response.end(request.path.startsWith('/os') ? text : 'none'));
    const places = ['os.pub?token=s3cret', 'os.pub?s3cret', 'none?s3cret', 'http%3A?s3cret'];
    const all = [
      ...places.map((path) => `http://${host}/${path}`),
      `HTTP://${host}/os.pub?token=s3cret`,
      'http://keys.example/os.pub?token=s3cret',
      'http://user:s3cret@keys.example/os.pub',
      'https://user:s3cret@[/os.pub',
      'ftp://user:s3cret@keys.example/os.pub',
      'hashivault://os?token=s3cret',
      'pkcs11:token=os;pin-value=s3cret',
    ];
    for (const place of all) {
      const said = await loadCosignKey(place).then(
        ({ from }) => from,
        (error: unknown) => `${error} ${error instanceof HoldfastError ? error.hint : 'not a HoldfastError'}`,
      );
      expect(said).not.toMatch(/s3cret|not a HoldfastError/);
    }
    expect(await loadCosignKey(`http://${host}/os.pub?token=s3cret`)).toMatchObject({
      from: `http://${host}/os.pub?…`,
    });
  });
});
