// Names of images in registries: the same text must mean the same image as for docker.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatRegistryName, parseRegistryName } from '../../../../src/image/registry/name.ts';

const D = `sha256:${'ab'.repeat(32)}`;

describe('a name', () => {
  test.each([
    ['alpine', 'docker.io', 'library/alpine', 'latest', undefined],
    ['alpine:3.19', 'docker.io', 'library/alpine', '3.19', undefined],
    ['user/app', 'docker.io', 'user/app', 'latest', undefined],
    ['docker.io/alpine', 'docker.io', 'library/alpine', 'latest', undefined],
    ['index.docker.io/user/app:v1', 'docker.io', 'user/app', 'v1', undefined],
    ['quay.io/os', 'quay.io', 'os', 'latest', undefined],
    ['quay.io/a/b/c:v1', 'quay.io', 'a/b/c', 'v1', undefined],
    ['localhost/os:v1', 'localhost', 'os', 'v1', undefined],
    ['localhost:5000/os', 'localhost:5000', 'os', 'latest', undefined],
    ['registry:5000/os:v1', 'registry:5000', 'os', 'v1', undefined],
    ['127.0.0.1:5000/os', '127.0.0.1:5000', 'os', 'latest', undefined],
    ['[::1]:5000/os:v1', '[::1]:5000', 'os', 'v1', undefined],
    ['MyHost/os', 'MyHost', 'os', 'latest', undefined],
    [`quay.io/os@${D}`, 'quay.io', 'os', undefined, D],
    [`quay.io/os:v1@${D}`, 'quay.io', 'os', 'v1', D],
    [`os@${D}`, 'docker.io', 'library/os', undefined, D],
    ['a.b/c.d/e_f/g__h/i---j', 'a.b', 'c.d/e_f/g__h/i---j', 'latest', undefined],
    [`quay.io/os:${'a'.repeat(128)}`, 'quay.io', 'os', 'a'.repeat(128), undefined],
  ])('%s', (text, host, repository, tag, digest) => {
    expect(parseRegistryName(text)).toEqual({ host, repository, tag, digest });
  });

  test.each([
    ['', 'HF-USAGE'],
    ['quay.io/', 'HF-USAGE'],
    ['quay.io/OS', 'HF-USAGE'],
    ['OS', 'HF-USAGE'],
    ['quay.io//os', 'HF-USAGE'],
    ['quay.io/os/', 'HF-USAGE'],
    ['quay.io/../os', 'HF-USAGE'],
    ['quay.io/a..b', 'HF-USAGE'],
    ['quay.io/-a', 'HF-USAGE'],
    ['quay.io/a___b', 'HF-USAGE'],
    ['quay.io/os:', 'HF-USAGE'],
    ['quay.io/os:v 1', 'HF-USAGE'],
    [`quay.io/os:${'a'.repeat(129)}`, 'HF-USAGE'],
    ['user:secret@quay.io/os', 'HF-IMAGE'],
    ['quay.io/os@sha256:00', 'HF-IMAGE'],
    [`quay.io/os@sha512:${'ab'.repeat(64)}`, 'HF-UNSUPPORTED'],
    ['quay.io:port/os', 'HF-USAGE'],
    ['quay.io:123456/os', 'HF-USAGE'],
    ['a/b?c=d', 'HF-USAGE'],
    ['quay.io/os#x', 'HF-USAGE'],
    ['-quay.io/os', 'HF-USAGE'],
    ['a.0/os', 'HF-USAGE'],
    ['ab'.repeat(32), 'HF-USAGE'],
    [`quay.io/${'a/'.repeat(140)}os`, 'HF-USAGE'],
  ])('%s is none', (text, code) => {
    expect(() => parseRegistryName(text)).toThrow(expect.objectContaining({ code }));
  });

  test('whatever is understood means the same when it is written out, and can be part of an address', () => {
    const word = fc.stringMatching(/^[a-zA-Z0-9._:@/-]{1,30}$/);
    const text = fc.oneof(
      fc.string(),
      word,
      fc.tuple(word, word, word).map(([a, b, c]) => `${a}.io/${b}:${c}`),
    );
    fc.assert(
      fc.property(text, (given) => {
        let name: ReturnType<typeof parseRegistryName>;
        try {
          name = parseRegistryName(given);
        } catch (error) {
          expect(error).toMatchObject({ name: 'HoldfastError' });
          return;
        }
        expect(parseRegistryName(formatRegistryName(name))).toEqual(name);
        const url = new URL(`https://${name.host}/v2/${name.repository}/manifests/${name.tag ?? ''}`);
        expect(url.pathname).toBe(`/v2/${name.repository}/manifests/${name.tag ?? ''}`);
        expect([url.username, url.search, url.hash]).toEqual(['', '', '']);
      }),
      { numRuns: 2000 },
    );
  });
});
