// What the head of an answer says: a file's name, never with a directory, and whether the file is there already.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dispositionName, fileNameOf, isSameVersion, settledTime } from '../../../../src/stages/downloads/answer.ts';
import { HoldfastError } from '../../../../src/system/errors.ts';

const head = (headers: Record<string, string>, url = 'http://host/dir/tool.bin?x=/y') => ({
  url,
  status: 200,
  headers: new Headers(headers),
});

describe('the name of a file', () => {
  it.each([
    ['attachment; filename="a.txt"', 'a.txt'],
    ['attachment; filename=a.txt', 'a.txt'],
    ['attachment;filename = "a \\"b\\".txt" ; size=3', 'a "b".txt'],
    ['attachment; filename="old.txt"; filename*=UTF-8\'\'n%C3%A4me%20x.txt', 'näme x.txt'],
    ['inline', undefined],
    ['', undefined],
  ])('%s → %j', (header, expected) => {
    expect(dispositionName(header)).toBe(expected);
  });

  it.each([
    [{ 'content-disposition': 'attachment; filename="../../etc/passwd"' }, undefined, 'passwd'],
    [{ 'content-disposition': 'attachment; filename="C:\\\\x\\\\y.exe"' }, undefined, 'y.exe'],
    [{}, undefined, 'tool.bin'],
    [{}, 'http://host/a%20b', 'a b'],
    [{}, 'http://host/a%2Fetc%2Fb', 'b'],
    [{}, 'http://host/100%', '100%'],
  ])('%j of %s is %s', (headers, url, expected) => {
    expect(fileNameOf(head(headers, url), 'http://host/')).toBe(expected);
  });

  it.each([
    [{}, 'http://host/'],
    [{}, 'http://host/x/'],
    [{}, 'http://host/%2e%2e%2f%2e%2e'],
    [{}, 'http://host/a%00b'],
    [{ 'content-disposition': 'attachment; filename=".."' }, 'http://host/x'],
    [{}, `http://host/${'x'.repeat(256)}`],
  ])('%j of %s is none', (headers, url) => {
    expect(() => fileNameOf(head(headers, url), 'http://host/secret?token=1')).toThrow(
      'http://host/secret?… gives the file no name',
    );
  });

  it('is never a path, whatever the server says', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        const quoted = `attachment; filename*=UTF-8''${encodeURIComponent(Buffer.from(text).toString())}`;
        let name: string;
        try {
          name = fileNameOf(head({ 'content-disposition': quoted }, 'http://host/'), 'http://host/');
        } catch (error) {
          expect(error).toBeInstanceOf(HoldfastError);
          return;
        }
        expect(name).not.toMatch(/[/\0]/);
        expect(['', '.', '..']).not.toContain(name);
      }),
    );
  });
});

describe('the version of a file', () => {
  const changed = 'Wed, 21 Oct 2015 07:28:00 GMT';
  const mtimeMs = Date.parse(changed);
  it.each<[string, Record<string, string>, boolean]>([
    ['the same size and time', { 'content-length': '4', 'last-modified': changed }, true],
    ['another size', { 'content-length': '5', 'last-modified': changed }, false],
    ['another time', { 'content-length': '4', 'last-modified': 'Wed, 21 Oct 2015 07:28:01 GMT' }, false],
    ['no size', { 'last-modified': changed }, false],
    ['no time', { 'content-length': '4' }, false],
    ['a time that is none', { 'content-length': '4', 'last-modified': 'yesterday' }, false],
    ['a packed answer', { 'content-length': '4', 'last-modified': changed, 'content-encoding': 'gzip' }, false],
  ])('%s', (_, headers, expected) => {
    expect(isSameVersion({ size: 4, mtimeMs }, head(headers))).toBe(expected);
  });

  it.each([
    [changed, 'Wed, 21 Oct 2015 07:29:00 GMT', mtimeMs],
    [changed, 'Wed, 21 Oct 2015 07:28:59 GMT', undefined],
    [changed, undefined, undefined],
    [undefined, 'Wed, 21 Oct 2015 07:29:00 GMT', undefined],
  ])('changed %s and sent %s is settled at %s', (lastModified, date, expected) => {
    const headers = { ...(lastModified && { 'last-modified': lastModified }), ...(date && { date }) };
    expect(settledTime(head(headers))?.getTime()).toBe(expected);
  });
});
