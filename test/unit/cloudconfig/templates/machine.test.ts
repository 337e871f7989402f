// Functions that ask the machine, or chance: the environment, the clock, time zones, addresses, random texts and keys.

import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { bcrypt } from '../../../../src/cloudconfig/templates/functions/bcrypt.ts';
import { parseZone } from '../../../../src/cloudconfig/templates/time/zone.ts';
import { FIXTURES, outcome, testHost } from './host.ts';

it.each([
  ['{{ env "HOME" }}|{{ env "NOSUCH" }}|{{ env "EMPTY" }}|{{ env "NAME" | upper }}', '/root|||GRÜN'],
  [`{{ expandenv "a$HOME-$\{NAME}-$NOSUCH-$\{}$" }}`, 'a/root-grün--$'],
  ['{{ getHostByName "known.example" }}', '192.0.2.1'],
  ['{{ getHostByName "nosuch.example" }}', expect.stringContaining('lookup nosuch.example: no such host')],
  ['{{ now }}', '2024-02-29 12:30:45.5 +0000 UTC'],
  ['{{ now | date "2006-01-02" }} {{ now | unixEpoch }} {{ htmlDate now }}', '2024-02-29 1709209845 2024-02-29'],
  ['{{ now | dateModify "-36h" | ago }} {{ now | dateModify "-26h" | durationRound }}', '36h0m0s 1d'],
  ['{{ ago 1709209800 }}', '46s'],
])('%s', async (text, expected) => {
  expect(await outcome(text)).toEqual(expected);
});

it("dates are shown in the machine's own zone", async () => {
  const berlin = readFileSync(join(FIXTURES, 'zones/Europe/Berlin'));
  const text = '{{ now | date "15:04 MST" }} {{ toDate "2006-01-02 15:04" "2024-07-01 12:00" | unixEpoch }} {{ now }}';
  expect(await outcome(text, {}, { localZone: () => berlin })).toBe(
    '13:30 CET 1719828000 2024-02-29 13:30:45.5 +0100 CET',
  );
});

it.each([
  ['nothing', new Uint8Array()],
  ['text', Buffer.from('no zone at all, but long enough for a header of the file format')],
  ['a zone that is cut off', readFileSync(join(FIXTURES, 'zones/Europe/Berlin')).subarray(0, 500)],
])('a file that is %s is no zone', (_, bytes) => {
  expect(parseZone('x', bytes)).toBeUndefined();
});

describe('random texts', () => {
  it.each([
    ['{{ randAlphaNum 40 }}', /^[0-9A-Za-z]{40}$/],
    ['{{ randAlpha 40 }}', /^[A-Za-z]{40}$/],
    ['{{ randNumeric 40 }}', /^[0-9]{40}$/],
    ['{{ randAscii 40 }}', /^[ -~]{40}$/],
    ['{{ randBytes 6 }}', /^[A-Za-z0-9+/]{8}$/],
    ['{{ uuidv4 }}', /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/],
    ['{{ shuffle "aébc" | splitList "" | sortAlpha | join "" }}', /^abcé$/],
    ['{{ randInt 5 8 }}', /^[567]$/],
  ])('%s', async (text, pattern) => {
    const results = new Set<string>();
    for (let time = 0; time < 20; time++) results.add(await outcome(text));
    for (const result of results) expect(result).toMatch(pattern);
  });
  it('use every letter', async () => {
    const letters = new Set(await outcome('{{ randAlphaNum 5000 }}'));
    expect(letters.size).toBe(62);
  });
});

/** The bytes of a salt as it stands in a hash. */
function saltOf(text: string): Buffer {
  const own = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  const usual = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  return Buffer.from([...text].map((letter) => usual.charAt(own.indexOf(letter))).join(''), 'base64');
}

describe('secrets', () => {
  it('bcrypt gives the known answers of other implementations', () => {
    expect(bcrypt(Buffer.from('allmine'), saltOf('XajjQvNhvvRt5GSeFk1xFe'))).toBe(
      '$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga',
    );
  });
  it('keys can be read', async () => {
    for (const kind of ['ecdsa', 'ed25519']) {
      const key = createPrivateKey(await outcome(`{{ genPrivateKey "${kind}" }}`));
      expect(key.asymmetricKeyType).toBe(kind === 'ecdsa' ? 'ec' : 'ed25519');
    }
  });
  it('what is encrypted can be read with the password only', async () => {
    const text = '{{ $c := encryptAES "key" "grün" }}{{ decryptAES "key" $c }}|{{ decryptAES "other" $c }}';
    expect(await outcome(text)).not.toMatch(/\|grün$/);
    expect(await outcome('{{ encryptAES "key" "grün" | decryptAES "key" }}')).toBe('grün');
  });
  it('are new each time', async () => {
    expect(await outcome('{{ bcrypt "x" }}')).not.toBe(await outcome('{{ bcrypt "x" }}'));
    expect(testHost.randomBytes(16)).not.toEqual(testHost.randomBytes(16));
  });
});
