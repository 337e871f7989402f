import { expect, test } from 'vitest';
import { parseBaseAddress, parseConfigAddress } from '../../../src/media/netboot-address.ts';

test.each([
  ['http://192.168.1.10', 'http://192.168.1.10/'],
  ['http://192.168.1.10/os', 'http://192.168.1.10/os/'],
  ['https://boot.example:8443/os/v2/', 'https://boot.example:8443/os/v2/'],
  ['tftp://10.0.0.1/os', 'tftp://10.0.0.1/os/'],
  ['http://boot.example/a b/ü', 'http://boot.example/a%20b/%C3%BC/'],
  // What iPXE would take for a setting of its own.
  ['http://boot.example/{x}', 'http://boot.example/%7Bx%7D/'],
])('%s', (text, address) => {
  expect(parseBaseAddress(text)).toBe(address);
});

test.each([
  'boot.example/os',
  'file:///srv/os',
  'http://boot.example/os?x=1',
  'http://boot.example/os#x',
  'http://boot.example/$x',
  "http://boot.example/'x",
  '',
])('%j is no address of the files', (text) => {
  expect(() => parseBaseAddress(text)).toThrow(expect.objectContaining({ code: 'HF-USAGE' }));
});

test('a password is refused, and not repeated', () => {
  expect(() => parseBaseAddress('http://me:secret@boot.example/')).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('secret') }),
  );
});

test.each([
  ['http://boot.example/x.yaml', 'http://boot.example/x.yaml'],
  ['https://boot.example/x?role=db&n=1', 'https://boot.example/x?role=db&n=1'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a setting of iPXE
  ['http://boot.example/${net0/mac:hexhyp}.yaml?id=${uuid}', 'http://boot.example/${net0/mac:hexhyp}.yaml?id=${uuid}'],
])('a stage file at %s', (text, address) => {
  expect(parseConfigAddress(text)).toBe(address);
});

test.each(['ftp://boot.example/x', 'http://boot.example/$x', 'http://me:secret@boot.example/x', "http://x/a'b"])(
  'no stage file at %s',
  (text) => {
    expect(() => parseConfigAddress(text)).toThrow(expect.objectContaining({ code: 'HF-USAGE' }));
  },
);
