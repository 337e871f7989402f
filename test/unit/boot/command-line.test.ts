// The kernel command line: splitting, and the layout's arguments under all three spellings.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseCommandLine, readLayoutArguments } from '../../../src/boot/command-line.ts';

describe('parseCommandLine', () => {
  test.each([
    ['quiet', [{ key: 'quiet' }]],
    ['a=1  b', [{ key: 'a', value: '1' }, { key: 'b' }]],
    ['root=LABEL=COS_STATE', [{ key: 'root', value: 'LABEL=COS_STATE' }]],
    ['x="two words" y', [{ key: 'x', value: 'two words' }, { key: 'y' }]],
    ['"x=two words"', [{ key: 'x', value: 'two words' }]],
    ['x="open end', [{ key: 'x', value: 'open end' }]],
    ['x=\n', [{ key: 'x', value: '' }]],
    ['', []],
  ])('splits %j', (text, words) => {
    expect(parseCommandLine(text)).toEqual(words);
  });

  test('finds every word again that was joined with spaces', () => {
    const word = fc.stringMatching(/^[a-z][a-z.]{0,8}(=[^\s"]{0,8})?$/);
    fc.assert(
      fc.property(fc.array(word), (words) => {
        const again = parseCommandLine(words.join(' ')).map(({ key, value }) =>
          value === undefined ? key : `${key}=${value}`,
        );
        expect(again).toEqual(words);
      }),
    );
  });
});

describe('readLayoutArguments', () => {
  test.each(['rd.cos', 'rd.immucore', 'elemental'])('understands %s', (prefix) => {
    const text = `${prefix}.overlay=tmpfs:5% ${prefix}.mount=LABEL=A:/a ${prefix}.mount=LABEL=B:/b ${prefix}.debugrw`;
    expect(readLayoutArguments(text)).toEqual({
      disabled: false,
      recovery: false,
      selinuxOff: false,
      check: { mode: 'auto', repair: 'preen' },
      debugRw: true,
      overlay: 'tmpfs:5%',
      mounts: ['LABEL=A:/a', 'LABEL=B:/b'],
    });
  });

  test.each([
    ['rd.cos.disable', true],
    ['rd.cos.disable=1', true],
    ['rd.cos.disable=0', false],
    ['rd.cos.disabled', false],
    ['xrd.cos.disable', false],
    ['', false],
  ])('%j: disabled is %s', (text, disabled) => {
    expect(readLayoutArguments(text).disabled).toBe(disabled);
  });

  test.each([
    ['fsck.mode=force fsck.repair=yes', { mode: 'force', repair: 'yes' }],
    ['fsck.mode=skip', { mode: 'skip', repair: 'preen' }],
    ['rd.skipfsck fsck.repair=no', { mode: 'skip', repair: 'no' }],
    ['rd.skipfsck=0', { mode: 'auto', repair: 'preen' }],
    ['fsck.mode=maybe fsck.repair=', { mode: 'auto', repair: 'preen' }],
  ])('%j: how volumes are checked', (text, check) => {
    expect(readLayoutArguments(text).check).toEqual(check);
  });

  test.each([
    ['rd.cos.volumetimeout=0', 0],
    ['rd.cos.volumetimeout=1800', 1800],
    ['rd.cos.volumetimeout=1801', undefined],
    ['rd.cos.volumetimeout=-1', undefined],
    ['rd.cos.volumetimeout=1e3', undefined],
  ])('%j: volumes are waited for %j seconds', (text, seconds) => {
    expect(readLayoutArguments(text).volumeTimeoutSeconds).toBe(seconds);
  });

  test('the OEM label, Elemental’s mode and SELinux', () => {
    expect(
      readLayoutArguments('rd.cos.oemlabel=A elemental.oemlabel=B elemental.mode=recovery selinux=0'),
    ).toMatchObject({
      oemLabel: 'A',
      elementalOemLabel: 'B',
      recovery: true,
      selinuxOff: true,
    });
  });
});
