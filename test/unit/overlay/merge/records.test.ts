// Account files that both sides changed: numbers follow names, nobody's account is lost, and lines that are no records stay.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeRecords, type RecordSides } from '../../../../src/overlay/merge/records.ts';

type Texts = Record<string, { base?: string; ours?: string; theirs?: string }>;

/** Files by their name in /etc, as text. */
function merge(files: Texts) {
  const sides = new Map<string, RecordSides>();
  for (const [name, texts] of Object.entries(files)) {
    const given = Object.entries(texts).map(([side, text]) => [side, Buffer.from(text, 'latin1')]);
    sides.set(`etc/${name}`, Object.fromEntries(given));
  }
  const merged = [...mergeRecords(sides)];
  return {
    text: Object.fromEntries(
      merged.map(([path, { content }]) => [path.slice(4), Buffer.from(content).toString('latin1')]),
    ),
    conflicts: merged.flatMap(([path, { conflicts }]) =>
      conflicts.map(({ record, winner, text }) => `${path.slice(4)} ${record} (${winner}): ${text}`),
    ),
  };
}

const lines = (...all: string[]) => all.map((line) => `${line}\n`).join('');
const ROOT = 'root:x:0:0:root:/root:/bin/bash';
const SSHD = 'sshd:x:101:65534::/run/sshd:/usr/sbin/nologin';

describe('passwd', () => {
  it('keeps who the user added and who the new base added', () => {
    const { text, conflicts } = merge({
      passwd: {
        base: lines(ROOT, SSHD),
        ours: lines(ROOT, SSHD, 'bob:x:1000:1000::/home/bob:/bin/sh'),
        theirs: lines(ROOT, 'polkitd:x:998:998::/:/sbin/nologin', SSHD),
      },
    });
    expect(text).toEqual({
      passwd: lines(ROOT, 'polkitd:x:998:998::/:/sbin/nologin', SSHD, 'bob:x:1000:1000::/home/bob:/bin/sh'),
    });
    expect(conflicts).toEqual([]);
  });

  it('takes the new base’s numbers for its accounts, and the user’s shell', () => {
    const { text } = merge({
      passwd: {
        base: lines(ROOT, SSHD),
        ours: lines(ROOT.replace('bash', 'zsh'), SSHD),
        theirs: lines(ROOT, SSHD.replace('101', '105')),
      },
    });
    expect(text.passwd).toBe(lines(ROOT.replace('bash', 'zsh'), SSHD.replace('101', '105')));
  });

  it('moves an account of the user whose number the new base gave away', () => {
    const { text, conflicts } = merge({
      passwd: {
        base: lines(ROOT),
        ours: lines(ROOT, 'chrony:x:105:105::/:/bin/false', 'bob:x:1000:1000::/home/bob:/bin/sh'),
        theirs: lines(ROOT, 'polkitd:x:105:105::/:/bin/false', 'admin:x:1000:1000::/home/admin:/bin/sh'),
      },
    });
    expect(text.passwd).toBe(
      lines(
        ROOT,
        'polkitd:x:105:105::/:/bin/false',
        'admin:x:1000:1000::/home/admin:/bin/sh',
        'chrony:x:999:105::/:/bin/false',
        'bob:x:1001:1000::/home/bob:/bin/sh',
      ),
    );
    expect(conflicts).toEqual([
      'passwd chrony (new): its number 105 is polkitd’s in the new base; it is 999 now: files on other file systems (/home, /usr/local) still have 105, find them with -uid or -gid 105 and give them to 999',
      expect.stringMatching(
        /^passwd bob \(new\): its number 1000 is admin’s in the new base; it is 1001 now: .* still have 1000/,
      ),
    ]);
  });

  it('an account that both have under different numbers gets the new base’s', () => {
    const { text, conflicts } = merge({
      passwd: {
        base: lines(ROOT),
        ours: lines(ROOT, 'chrony:x:105:105::/:/bin/false'),
        theirs: lines(ROOT, 'chrony:x:107:107::/:/bin/false'),
      },
    });
    expect(text.passwd).toBe(lines(ROOT, 'chrony:x:107:107::/:/bin/false'));
    expect(conflicts).toEqual(['passwd chrony (new): its number was 105 and is 107, as in the new base']);
  });

  it('two names that share a number on purpose keep it', () => {
    const toor = 'toor:x:0:0::/root:/bin/sh';
    const { text, conflicts } = merge({ passwd: { base: lines(ROOT), ours: lines(ROOT, toor), theirs: lines(ROOT) } });
    expect(text.passwd).toBe(lines(ROOT, toor));
    expect(conflicts).toEqual([]);
  });

  it.each([
    ['removed by the user', lines(ROOT), lines(ROOT, SSHD), lines(ROOT), []],
    ['removed by the new base', lines(ROOT, SSHD), lines(ROOT), lines(ROOT), []],
    [
      'removed by the user, changed by the new base',
      lines(ROOT),
      lines(ROOT, SSHD.replace('101', '9')),
      lines(ROOT),
      ['passwd sshd (user): you removed it, the new base changed it: it stays removed'],
    ],
    [
      'changed by the user, removed by the new base',
      lines(ROOT, SSHD.replace('nologin', 'sh')),
      lines(ROOT),
      lines(ROOT, SSHD.replace('nologin', 'sh')),
      ['passwd sshd (user): you changed it, the new base removed it: yours stays'],
    ],
  ])('an account %s', (_, ours, theirs, merged, conflicts) => {
    const result = merge({ passwd: { base: lines(ROOT, SSHD), ours, theirs } });
    expect(result.text.passwd).toBe(merged);
    expect(result.conflicts).toEqual(conflicts);
  });

  it('lines that are no records stay, NIS entries last, and what the user wrote in any coding', () => {
    const { text } = merge({
      passwd: {
        base: lines('# base', ROOT, '+@old'),
        ours: lines('# base', ROOT, 'j\xf6rg:x:1000:1000:J\xf6rg:/home/j:/bin/sh', 'broken', '+@old'),
        theirs: lines('# base', '# new', ROOT, '+@old'),
      },
    });
    expect(text.passwd).toBe(
      lines('# base', '# new', ROOT, 'j\xf6rg:x:1000:1000:J\xf6rg:/home/j:/bin/sh', '+@old', 'broken'),
    );
  });
});

describe('the files together', () => {
  it('a first group is found by its name, however it is numbered', () => {
    const { text } = merge({
      passwd: { base: '', ours: lines('chrony:x:105:106::/:/bin/false', 'bob:x:1000:106::/:/bin/sh'), theirs: '' },
      group: { base: '', ours: lines('chrony:x:106:'), theirs: lines('messagebus:x:106:', 'chrony:x:110:') },
    });
    expect(text).toEqual({
      passwd: lines('chrony:x:105:110::/:/bin/false', 'bob:x:1000:110::/:/bin/sh'),
      group: lines('messagebus:x:106:', 'chrony:x:110:'),
    });
  });

  it('members are merged as sets', () => {
    const { text, conflicts } = merge({
      group: {
        base: lines('wheel:x:10:root,old', 'audio:x:29:'),
        ours: lines('wheel:x:10:root,old,bob', 'audio:x:29:bob'),
        theirs: lines('wheel:x:10:root,admin', 'audio:x:63:pulse'),
      },
    });
    expect(text.group).toBe(lines('wheel:x:10:root,admin,bob', 'audio:x:63:pulse,bob'));
    expect(conflicts).toEqual([]);
  });

  it('a group that the new base dropped stays for the user’s account in it', () => {
    const { text } = merge({
      passwd: { base: '', ours: lines('bob:x:1000:20::/:/bin/sh'), theirs: '' },
      group: { base: lines('dialout:x:20:', 'floppy:x:25:'), ours: lines('dialout:x:20:', 'floppy:x:25:'), theirs: '' },
    });
    expect(text.group).toBe(lines('dialout:x:20:'));
  });

  it('passwords follow the accounts, and the user’s counts', () => {
    const { text, conflicts } = merge({
      passwd: { base: lines(ROOT, SSHD), ours: lines(ROOT, SSHD, 'bob:x:1000:1::/:'), theirs: lines(ROOT) },
      shadow: {
        base: lines('root:*:19000:0:99999:7:::', 'sshd:!:19000::::::'),
        ours: lines('root:$y$mine:19500:0:99999:7:::', 'sshd:!:19000::::::', 'bob:$y$bob:19500:0:99999:7:::'),
        theirs: lines('root:$y$theirs:19600:0:99999:7:::'),
      },
    });
    expect(text.shadow).toBe(lines('root:$y$mine:19500:0:99999:7:::', 'bob:$y$bob:19500:0:99999:7:::'));
    expect(conflicts).toEqual(['shadow root (user): both changed the password: yours stays']);
  });

  it('ranges for containers stay where the user’s files are', () => {
    const { text, conflicts } = merge({
      passwd: { base: '', ours: lines('bob:x:1000:1::/:'), theirs: lines('admin:x:1001:1::/:') },
      subuid: {
        base: lines('gone:1:1'),
        ours: lines('bob:100000:65536', '0:500000:10'),
        theirs: lines('gone:1:1', 'admin:100000:65536'),
      },
    });
    expect(text.subuid).toBe(lines('admin:500010:65536', 'bob:100000:65536', '0:500000:10'));
    expect(conflicts).toEqual(['subuid admin (user): its numbers from 100000 on are bob’s; they begin at 500010 now']);
  });

  it('a file that the view lacks is left to the new tree; one that only the view has is the user’s', () => {
    const { text } = merge({ gshadow: { base: 'a:!::\n', theirs: 'a:!::\n' }, group: { ours: 'b:x:1:\n' } });
    expect(text).toEqual({ group: 'b:x:1:\n' });
  });
});

const account = fc.record({
  name: fc.constantFrom(...'abcdefgh'),
  id: fc.integer({ min: 100, max: 106 }),
  shell: fc.constantFrom('/a', '/b'),
});
const table = fc.uniqueArray(account, { selector: ({ name }) => name, maxLength: 8 }).map((accounts) => {
  const taken = new Set<number>();
  return accounts.flatMap(({ name, id, shell }) => {
    if (taken.has(id)) return [];
    taken.add(id);
    return [`${name}:x:${id}:${id}::/:${shell}`];
  });
});
const byName = (text: string) =>
  new Map(
    text
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => [line.split(':')[0], line.split(':')]),
  );

describe('on generated accounts', () => {
  it('nobody is lost, no two share a number, and a second merge changes nothing', () => {
    fc.assert(
      fc.property(table, table, table, (base, ours, theirs) => {
        const sides = { base: lines(...base), ours: lines(...ours), theirs: lines(...theirs) };
        const merged = merge({ passwd: sides }).text.passwd ?? '';
        const [was, mine, yours, result] = [sides.base, sides.ours, sides.theirs, merged].map(byName);
        for (const name of mine?.keys() ?? []) if (!was?.has(name)) expect(result?.has(name)).toBe(true);
        for (const [name, fields] of yours ?? []) {
          if (!was?.has(name) && !mine?.has(name)) expect(result?.get(name)).toEqual(fields);
        }
        for (const name of was?.keys() ?? []) if (!mine?.has(name)) expect(result?.has(name)).toBe(false);
        const numbers = [...(result?.values() ?? [])].map((fields) => fields[2]);
        expect(new Set(numbers).size).toBe(numbers.length);
        expect(merge({ passwd: sides }).text.passwd).toBe(merged);
        expect(merge({ passwd: { base: sides.theirs, ours: merged, theirs: sides.theirs } }).text.passwd).toBe(merged);
      }),
    );
  });

  it('any bytes: what was merged once stays as it is, and the user’s lines that are no records are in it', () => {
    const bytes = fc.string({ unit: fc.constantFrom(...'ab:01\n#+-\xff'), maxLength: 60 });
    const name = fc.constantFrom('passwd', 'group', 'shadow', 'subuid');
    fc.assert(
      fc.property(bytes, bytes, bytes, name, (base, ours, theirs, file) => {
        const once = merge({ [file]: { base, ours, theirs } }).text[file] ?? '';
        expect(merge({ [file]: { base: once, ours: once, theirs: once } }).text[file]).toBe(once);
        const own = ours.split('\n').filter((line) => line.startsWith('#') && !base.split('\n').includes(line));
        expect(once.split('\n')).toEqual(expect.arrayContaining(own));
      }),
    );
  });
});
