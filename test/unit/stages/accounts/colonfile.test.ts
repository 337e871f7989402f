// Files of colon-separated records: what isn't asked for stays byte for byte, whatever it is.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ColonFile } from '../../../../src/stages/accounts/colonfile.ts';

const group = (text: string) => new ColonFile(Buffer.from(text), 4);
const textOf = (file: ColonFile) => Buffer.from(file.toBytes()).toString('utf8');

it.each([
  ['an empty file', '', 'new:x:1:\n'],
  ['a whole file', 'a:x:0:\n', 'a:x:0:\nnew:x:1:\n'],
  ['a file without a last line break', 'a:x:0:', 'a:x:0:\nnew:x:1:\n'],
  ['a blank line at the end', 'a:x:0:\n\n', 'a:x:0:\n\nnew:x:1:\n'],
  ['NIS entries', 'a:x:0:\n+nis:::\n+:::\n', 'a:x:0:\nnew:x:1:\n+nis:::\n+:::\n'],
  ['NIS entries without a last line break', 'a:x:0:\n+', 'a:x:0:\nnew:x:1:\n+'],
  ['a commented record of the same name', '#new:x:7:\n', '#new:x:7:\nnew:x:1:\n'],
  ['a record of that name', 'new:y:5:a\nb:x:2:', 'new:x:1:\nb:x:2:'],
  ['two records of that name', 'new:y:5:a\nnew:z:6:\n', 'new:x:1:\nnew:z:6:\n'],
  ['a record that is too short', 'new:\n', 'new:x:1:\n'],
])('a record is put into %s', (_, before, after) => {
  const file = group(before);
  file.put(['new', 'x', '1', '']);
  expect(textOf(file)).toBe(after);
});

it('fields that are not given keep their bytes, also those that are no UTF-8', () => {
  const file = new ColonFile(Buffer.from('bob:x:1:1:J\xfcrgen:/home/bob:/bin/sh\n', 'latin1'), 7);
  file.put(['bob', undefined, '2', undefined, undefined, '/home/bö']);
  expect(Buffer.from(file.toBytes()).toString('latin1')).toBe(
    `bob:x:2:1:J\xfcrgen:${Buffer.from('/home/bö').toString('latin1')}:/bin/sh\n`,
  );
});

it.each([
  ['a:x:0:\nb:x:1:\nc:x:2:\n', 'a:x:0:\nc:x:2:\n'],
  ['a:x:0:\nb:x:1:', 'a:x:0:\n'],
  ['b:x:1:\nb:x:2:\n# b\n', '# b\n'],
  ['b:x:1:\n', ''],
])('taking b out of %j leaves %j', (before, after) => {
  const file = group(before);
  expect(file.remove('b')).toBe(true);
  expect(textOf(file)).toBe(after);
});

it('taking out what is not there changes nothing, not even the first line', () => {
  const file = group('root:x:0:\n');
  expect(file.remove('b')).toBe(false);
  expect(file.changed).toBe(false);
});

const line = fc.oneof(
  fc.constantFrom('', ' ', '# comment: with colon', '+', '+::::', '-bad:::', 'no record', 'a:x:0:', 'b:y:1:c,d', 'a:z'),
  fc.string(),
);

it('a file that is only looked at keeps its bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const file = new ColonFile(bytes, 4);
      file.find('a');
      expect([...file.toBytes()]).toEqual([...bytes]);
      expect(file.changed).toBe(false);
    }),
  );
});

it('whatever is put and taken out, other lines stay in order, and a second time changes nothing', () => {
  const edit = fc.record({ name: fc.constantFrom('a', 'b', 'zz'), put: fc.boolean() });
  fc.assert(
    fc.property(fc.array(line), fc.array(edit), (lines, edits) => {
      const text = lines.map((content) => content.replaceAll('\n', ' ')).join('\n');
      const apply = (file: ColonFile) => {
        for (const { name, put } of edits) put ? file.put([name, 'x', '1', '']) : file.remove(name);
        return textOf(file);
      };
      const others = (whole: string) => whole.split('\n').filter((part) => part !== '' && !/^(?:a|b|zz):/.test(part));
      const once = apply(group(text));
      expect(others(once)).toEqual(others(text));
      if (edits.every(({ put }) => put)) {
        const again = group(once);
        apply(again);
        expect(again.changed).toBe(false);
      }
    }),
  );
});
