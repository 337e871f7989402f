// What the installer takes for an answer, and the sentence that it has for anything else.

import { describe, expect, test } from 'vitest';
import {
  checkAddress,
  checkDns,
  checkGateway,
  checkHostname,
  checkImage,
  checkKey,
  checkKnown,
  checkPassword,
  checkUser,
} from '../../../../src/cli/installer/checks.ts';
import { KEY } from './machine.ts';

const problem = (result: object) => ('problem' in result ? result.problem : undefined);

describe('host names are those of RFC 1123, as long as Linux takes them', () => {
  test.each(['kelp', 'node-1.example.org', 'a', '3com', 'A'.repeat(63)])('%s', (text) => {
    expect(checkHostname(text)).toEqual({ value: text });
  });
  test.each([
    ['', /needed/],
    ['-kelp', /hyphen/],
    ['kelp-', /hyphen/],
    ['a..b', /each dot/],
    ['kelp.', /each dot/],
    ['my host', /no " "/],
    ['kelp_1', /no "_"/],
    ['käfer', /no "ä"/],
    ['{{ .Values }}', /no "{"/],
    ['a'.repeat(65), /64 characters/],
    ['10.0.0.1', /address/],
  ])('%j is none', (text, why) => {
    expect(problem(checkHostname(text))).toMatch(why);
  });
});

describe('users', () => {
  test.each(['admin', '_svc', 'a-1', 'root'])('%s', (text) => {
    expect(checkUser(text, new Set(['root', 'daemon']))).toEqual({ value: text });
  });
  test.each([
    ['', /needed/],
    ['Admin', /small letter/],
    ['1up', /small letter/],
    ['a b', /no " "/],
    ['a:b', /no ":"/],
    ['a'.repeat(33), /32/],
    ['daemon', /of its own/],
  ])('%j is none', (text, why) => {
    expect(problem(checkUser(text, new Set(['root', 'daemon'])))).toMatch(why);
  });
});

test('a password is anything that can be typed at a prompt', () => {
  expect(checkPassword('pä$$ "{{x}}" #: ')).toEqual({ value: 'pä$$ "{{x}}" #: ' });
  expect(problem(checkPassword('a\tb'))).toMatch(/control character/);
  expect(problem(checkPassword('x'.repeat(512)))).toMatch(/511 bytes/);
});

describe('keys', () => {
  test.each([KEY, 'github:octo-cat', 'gitlab:me', 'https://example.org/keys'])('%s', (text) => {
    expect(checkKey(text)).toEqual({ value: text });
  });
  test.each([
    [KEY.slice(0, 30), /damaged/],
    [`no-pty ${KEY}`, /options/],
    ['-----BEGIN OPENSSH PRIVATE KEY-----', /private key/],
    ['hello', /Paste a line/],
    ['ftp://example.org/keys', /Paste a line/],
    ['http://example.org/keys', /https/],
    ['github:../x', /account name/],
    ['https://example.org/{{.x}}', /Braces/],
  ])('%j is none', (text, why) => {
    expect(problem(checkKey(text))).toMatch(why);
  });
});

describe('addresses', () => {
  test.each([
    ['192.0.2.10/24', '192.0.2.10/24'],
    ['10.0.0.0/31', '10.0.0.0/31'],
    ['2001:db8::5/64', '2001:db8::5/64'],
  ])('%s', (text, value) => {
    expect(checkAddress(text)).toEqual({ value });
  });
  test.each([
    ['192.0.2.10', /prefix is missing/],
    ['192.0.2.300/24', /no IP address/],
    ['192.0.2.10/33', /1 to 32/],
    ['192.0.2.10/24/1', /1 to 32/],
    ['192.0.2.0/24', /whole network/],
    ['192.0.2.255/24', /broadcast/],
    ['127.0.0.1/8', /No machine/],
    ['fe80::1%eth0/64', /no IP address/],
    ['kelp/24', /no IP address/],
  ])('%j is none', (text, why) => {
    expect(problem(checkAddress(text))).toMatch(why);
  });

  test.each([
    ['192.0.2.1', '192.0.2.10/24', undefined],
    ['none', '192.0.2.10/24', undefined],
    ['fe80::1', '2001:db8::5/64', undefined],
    ['198.51.100.1', '192.0.2.10/24', /not in the network/],
    ['192.0.2.10', '192.0.2.10/24', /itself/],
    ['fe80::1', '192.0.2.10/24', /IPv4/],
    ['router', '192.0.2.10/24', /no IP address/],
  ])('the gateway %s of %s', (text, address, why) => {
    if (why === undefined) expect(checkGateway(text, address)).toHaveProperty('value');
    else expect(problem(checkGateway(text, address))).toMatch(why);
  });

  test('name servers', () => {
    expect(checkDns('192.0.2.1, 2001:db8::1')).toEqual({ value: ['192.0.2.1', '2001:db8::1'] });
    expect(checkDns('none')).toEqual({ value: [] });
    expect(problem(checkDns('dns.example.org'))).toMatch(/by address/);
    expect(problem(checkDns('1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4'))).toMatch(/three/);
  });
});

test('what is there to choose from, with the one that is meant', () => {
  const zones = new Set(['UTC', 'Europe/Berlin']);
  expect(checkKnown('UTC', zones, 'time zone')).toEqual({ value: 'UTC' });
  expect(problem(checkKnown('berlin', zones, 'time zone'))).toBe(
    'There is no time zone "berlin"; is Europe/Berlin meant?',
  );
});

test('images are what --system takes', () => {
  expect(checkImage('docker:example.org/os:1')).toEqual({ value: 'docker:example.org/os:1' });
  expect(problem(checkImage('channel:system/cos'))).toMatch(/not supported/);
});
