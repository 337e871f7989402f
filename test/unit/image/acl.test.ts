import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseAcl } from '../../../src/image/acl.ts';
import { parsePax } from '../../../src/image/pax.ts';
import { paxRecord } from './tarball.ts';

/** user::rw- user:1000:r-- group::r-- mask::r-- other::r-- */
const ACCESS = '0200000001000600ffffffff02000400e803000004000400ffffffff10000400ffffffff20000400ffffffff';

const hexOf = (text: string) => {
  const acl = parseAcl(text);
  return 'value' in acl ? acl.value.toString('hex') : acl.problem;
};

describe('a list in words', () => {
  test.each([
    ['as GNU tar writes it', 'user::rw-,user:1000:r--,group::r--,mask::r--,other::r--'],
    [
      'in lines, with what is in effect',
      'user::rw-\nuser:1000:r--\t#effective:r--\ngroup::r--\nmask::r--\nother::r--\n',
    ],
    ['as star writes it, with numbers behind names', 'user::rw-,user:lisa:r--:1000,group::r--,mask::r--,other::r--'],
    ['in another order and with short words', 'o::r--, m::r--, g::r--, u:1000:r--, u::rw-'],
  ])('%s', (_, text) => {
    expect(hexOf(text)).toBe(ACCESS);
  });

  test.each([
    ['without its other part', 'user::rw-,group::r--', 'user, group and other must be there once'],
    ['with names but no mask', 'user::rw-,user:5:r--,group::r--,other::r--', 'a list with names needs a mask'],
    [
      'with a name that has no number',
      'user::rw-,user:lisa:r--,group::r--,mask::r--,other::---',
      'it names "lisa", without its number',
    ],
    ['of something else', 'owner@:rw-p:deny', '"owner@:rw-p:deny" is no entry'],
    ['of an unknown kind', 'users::rwx', '"users" is no kind of entry'],
  ])('%s is refused', (_, text, problem) => {
    expect(parseAcl(text)).toEqual({ problem });
  });

  test('whatever it is, it is a value of the right length or a problem', () => {
    const word = fc.constantFrom(
      'user',
      'group',
      'mask',
      'other',
      'u',
      ':',
      '::',
      'rwx',
      'r--',
      '---',
      ',',
      '7',
      '\n',
      'x',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), (words) => {
        const acl = parseAcl(words.join(''));
        if ('value' in acl) expect((acl.value.length - 4) % 8).toBe(0);
        else expect(acl.problem).not.toBe('');
      }),
    );
  });
});

describe('in a PAX header', () => {
  const pax = (...records: [string, string | Buffer][]) =>
    parsePax(Buffer.concat(records.map(([key, value]) => paxRecord(key, value))));

  test('it becomes an attribute, but not where the attribute itself is there or the mode says it all', () => {
    const text = 'user::rw-,user:1000:r--,group::r--,mask::r--,other::r--';
    const { xattrs } = pax(['SCHILY.acl.access', text], ['SCHILY.acl.default', 'user::rwx,group::r-x,other::---']);
    expect(xattrs.get('system.posix_acl_access')?.toString('hex')).toBe(ACCESS);
    expect(xattrs.get('system.posix_acl_default')?.length).toBe(4 + 3 * 8);
    const own = Buffer.from('own');
    const both: [string, string | Buffer][] = [
      ['SCHILY.acl.access', text],
      ['SCHILY.xattr.system.posix_acl_access', own],
    ];
    for (const records of [both, both.toReversed()]) {
      expect(pax(...records).xattrs.get('system.posix_acl_access')).toEqual(own);
    }
    expect(pax(['SCHILY.acl.access', 'user::rw-,group::r--,other::r--'])).toMatchObject({
      xattrs: new Map(),
      unapplied: [],
    });
  });

  test('one that can not be applied is told of', () => {
    expect(pax(['SCHILY.acl.access', 'user:lisa:r--']).unapplied).toEqual(['SCHILY.acl.access']);
  });
});
