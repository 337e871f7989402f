// Every kind of key with every method: only those that belong together count, with the hash, padding and shape that Notary
// uses, and each key once.

import { constants, createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Field } from '../../../../src/trust/notary/field.ts';
import { parseJson } from '../../../../src/trust/notary/json.ts';
import { type PublicKey, readKey } from '../../../../src/trust/notary/key.ts';
import { countSigners } from '../../../../src/trust/notary/signature.ts';
import { TrustError } from '../../../../src/trust/trust-error.ts';
import { certificate } from './x509.ts';

const MESSAGE = Buffer.from('{"_type":"Targets"}');

/** A key as a file lists it, under its own name or another. */
function listed(keytype: string, bytes: Buffer, id?: string): PublicKey {
  const entry = `{"keytype":"${keytype}","keyval":{"private":null,"public":"${bytes.toString('base64')}"}}`;
  const own = createHash('sha256').update(entry).digest('hex');
  return readKey(new Field(parseJson(Buffer.from(entry)), 'root.json of x/y', 'root'), id ?? own, 'targets');
}

const spki = (key: KeyObject) => createPublicKey(key).export({ format: 'der', type: 'spki' });
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).privateKey;
const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength }).privateKey;
const count = (key: PublicKey, method: string, bytes: Buffer) =>
  countSigners({ signatures: [{ keyId: key.id, method, bytes }], signedBytes: MESSAGE }, [key]);

const p1363 = (key: KeyObject, hash = 'sha256') => sign(hash, MESSAGE, { key, dsaEncoding: 'ieee-p1363' });
const pss = (key: KeyObject, saltLength = 32, hash = 'sha256') =>
  sign(hash, MESSAGE, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength });

const [p256, p384, p521, koblitz] = [ec('prime256v1'), ec('secp384r1'), ec('secp521r1'), ec('secp256k1')];
const [rsa2048, rsa1024] = [rsa(2048), rsa(1024)];
const edwards = generateKeyPairSync('ed25519').privateKey;
const raw = spki(edwards).subarray(-32);
const withCertificate = (key: KeyObject) => Buffer.from(certificate({ names: ['x/y'], key }));

describe('counts', () => {
  test.each<[string, PublicKey, string, Buffer]>([
    ['ecdsa on P-256', listed('ecdsa', spki(p256)), 'ecdsa', p1363(p256)],
    ['ecdsa on P-384, with SHA-256 too', listed('ecdsa', spki(p384)), 'ecdsa', p1363(p384)],
    ['ecdsa on P-521, with SHA-256 too', listed('ecdsa', spki(p521)), 'ecdsa', p1363(p521)],
    ['ecdsa by a certificate', listed('ecdsa-x509', withCertificate(p256)), 'ecdsa', p1363(p256)],
    ['eddsa', listed('ed25519', raw), 'eddsa', sign(null, MESSAGE, edwards)],
    ['rsapss', listed('rsa', spki(rsa2048)), 'rsapss', pss(rsa2048)],
    ['rsapss by a certificate', listed('rsa-x509', withCertificate(rsa2048)), 'rsapss', pss(rsa2048)],
    ['rsapkcs1v15', listed('rsa', spki(rsa2048)), 'rsapkcs1v15', sign('sha256', MESSAGE, rsa2048)],
  ])('%s', (_, key, method, signature) => {
    expect(count(key, method, signature)).toBe(1);
    const broken = Buffer.from(signature);
    broken[broken.length - 1] = (broken.at(-1) ?? 0) ^ 1;
    expect(count(key, method, broken)).toBe(0);
    expect(count(key, method, signature.subarray(1))).toBe(0);
    expect(count(key, method, Buffer.alloc(0))).toBe(0);
  });
});

describe('does not count', () => {
  test.each<[string, PublicKey, string, Buffer]>([
    ['ecdsa in DER', listed('ecdsa', spki(p256)), 'ecdsa', sign('sha256', MESSAGE, p256)],
    ['ecdsa with SHA-384', listed('ecdsa', spki(p384)), 'ecdsa', p1363(p384, 'sha384')],
    ['ecdsa on another curve', listed('ecdsa', spki(koblitz)), 'ecdsa', p1363(koblitz)],
    ['ecdsa by an RSA key', listed('rsa', spki(rsa2048)), 'ecdsa', pss(rsa2048)],
    ['rsapss with another salt', listed('rsa', spki(rsa2048)), 'rsapss', pss(rsa2048, 20)],
    ['rsapss with SHA-512', listed('rsa', spki(rsa2048)), 'rsapss', pss(rsa2048, 32, 'sha512')],
    ['rsapss under the name of the other', listed('rsa', spki(rsa2048)), 'rsapkcs1v15', pss(rsa2048)],
    ['rsapss by a short key', listed('rsa', spki(rsa1024)), 'rsapss', pss(rsa1024)],
    ['rsapss by an ecdsa key', listed('ecdsa', spki(p256)), 'rsapss', p1363(p256)],
    ['eddsa by an ecdsa key', listed('ecdsa', spki(p256)), 'eddsa', p1363(p256)],
    ['an RSA key that says it is ecdsa', listed('ecdsa', spki(rsa2048)), 'rsapss', pss(rsa2048)],
    ['a certificate of the other kind', listed('rsa-x509', withCertificate(p256)), 'ecdsa', p1363(p256)],
    ['a method that is not known', listed('ecdsa', spki(p256)), 'none', Buffer.alloc(64)],
    ['a type of key that is not known', listed('dilithium', spki(p256)), 'ecdsa', p1363(p256)],
    ['a key that is none', listed('ecdsa', Buffer.from('key')), 'ecdsa', p1363(p256)],
    ['a key that is too long', listed('ed25519', Buffer.concat([raw, raw])), 'eddsa', sign(null, MESSAGE, edwards)],
    ['zeros', listed('ecdsa', spki(p256)), 'ecdsa', Buffer.alloc(64)],
  ])('%s', (_, key, method, signature) => expect(count(key, method, signature)).toBe(0));
});

test('one key counts once, among any number of entries', () => {
  const [one, other] = [listed('ecdsa', spki(p256)), listed('ed25519', raw)];
  const entry = (keyId: string, bytes: Buffer, method = 'ecdsa') => ({ keyId, method, bytes });
  const signatures = [
    entry('unknown', p1363(p256)),
    entry(one.id, Buffer.alloc(64)),
    entry(one.id, p1363(p256)),
    entry(one.id, p1363(p256)),
  ];
  expect(countSigners({ signatures, signedBytes: MESSAGE }, [one, other])).toBe(1);
  signatures.push(entry(other.id, sign(null, MESSAGE, edwards), 'eddsa'));
  expect(countSigners({ signatures, signedBytes: MESSAGE }, [one, other])).toBe(2);
});

test('a key under another name than its own is refused', () => {
  const named = () => listed('ecdsa', spki(p256), '00'.repeat(32));
  expect(named).toThrow(TrustError);
  expect(named).toThrow(expect.objectContaining({ reason: 'key-id-mismatch', role: 'targets' }));
});
