// sprig's cryptography: passwords, encryption and keys. What makes certificates is refused, in words.

import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  generateKeyPairSync,
  type KeyObject,
  scryptSync,
} from 'node:crypto';
import type { Budget } from '../budget.ts';
import { CallError } from '../templateerror.ts';
import { bufferOf } from '../values/bytes.ts';
import { bcrypt } from './bcrypt.ts';
import { type FunctionTable, fn1, fn2, type GoFunction, variadic } from './function.ts';
import { derivePassword } from './masterpassword.ts';
import { any, text, unsigned32 } from './parameters.ts';

/** Steps that a slow function counts for: a handful of them in one template is enough. */
const SLOW = 200_000;

export const secrets: FunctionTable = {
  bcrypt: fn1(text, (password, { host, budget }) => hashed(password, host.randomBytes(16), budget)),
  htpasswd: fn2(text, text, (user, password, { host, budget }) =>
    user.includes(':') ? `invalid username: ${user}` : `${user}:${hashed(password, host.randomBytes(16), budget)}`,
  ),
  derivePassword: {
    parameters: [unsigned32, text, text, text, text],
    call: ([counter, kind, password, user, site], { budget }) => {
      budget.step(SLOW);
      return derivePassword(
        unsigned32.read(counter),
        text.read(kind),
        text.read(password),
        text.read(user),
        text.read(site),
        scryptSync,
        (key, data) => createHmac('sha256', key).update(data).digest(),
      );
    },
  },
  encryptAES: fn2(text, text, (password, plain, { host, budget }) => {
    if (plain === '') return '';
    budget.text(plain.length * 2);
    const iv = host.randomBytes(16);
    const cipher = createCipheriv('aes-256-cbc', aesKey(password), iv);
    return Buffer.concat([iv, cipher.update(bufferOf(plain)), cipher.final()]).toString('base64');
  }),
  decryptAES: fn2(text, text, decrypt),
  genPrivateKey: fn1(text, (kind, { budget }) => {
    budget.step(SLOW);
    return generateKey(kind);
  }),
  ...Object.fromEntries(
    [
      'buildCustomCert',
      'genCA',
      'genCAWithKey',
      'genSelfSignedCert',
      'genSelfSignedCertWithKey',
      'genSignedCert',
      'genSignedCertWithKey',
    ].map((name) => [name, refused()]),
  ),
};

function refused(): GoFunction {
  return variadic(any, () => {
    throw new CallError('certificates are not offered here; make them with openssl in "commands"');
  });
}

function hashed(password: string, salt: Uint8Array, budget: Budget): string {
  budget.step(SLOW);
  // sprig returns the library's complaint as the text.
  if (password.length > 72) return 'failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes';
  return bcrypt(bufferOf(password), salt);
}

/** The password's first 32 bytes, with zeros behind them. */
function aesKey(password: string): Buffer {
  return Buffer.concat([bufferOf(password), Buffer.alloc(32)]).subarray(0, 32);
}

function decrypt(password: string, encrypted: string): string {
  if (encrypted === '') return '';
  const bytes = Buffer.from(encrypted, 'base64');
  try {
    const decipher = createDecipheriv('aes-256-cbc', aesKey(password), bytes.subarray(0, 16));
    return Buffer.concat([decipher.update(bytes.subarray(16)), decipher.final()]).toString('latin1');
  } catch {
    throw new CallError('the text is not what encryptAES made with this password');
  }
}

function generateKey(kind: string): string {
  const pem = (key: KeyObject, type: 'pkcs1' | 'sec1' | 'pkcs8') => key.export({ format: 'pem', type }).toString();
  switch (kind) {
    case '':
    case 'rsa':
      return pem(generateKeyPairSync('rsa', { modulusLength: 4096 }).privateKey, 'pkcs1');
    case 'ecdsa':
      return pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'sec1');
    case 'ed25519':
      return pem(generateKeyPairSync('ed25519').privateKey, 'pkcs8');
    case 'dsa':
      throw new CallError('DSA keys are not offered here; they are refused nearly everywhere');
    default:
      return `Unknown type ${kind}`;
  }
}
