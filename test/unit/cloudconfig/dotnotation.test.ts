// Dot notation as it stands on the kernel command line: each word alone decides on itself, by the type of its field.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDotNotation } from '../../../src/cloudconfig/dotnotation.ts';
import { splitWords } from '../../../src/cloudconfig/words.ts';

function parse(text: string) {
  const { document, problems } = parseDotNotation(text);
  const stages = Object.fromEntries(
    [...(document?.stages ?? [])].map(([stage, steps]) => [stage, steps.map(({ values }) => values)]),
  );
  return {
    ...(document?.name === undefined ? {} : { name: document.name }),
    stages,
    problems: problems.map(({ severity, message, location }) => `${location.column} ${severity}: ${message}`),
  };
}

describe('words', () => {
  it.each([
    ['a  b\tc\nd\r\ne', ['a', 'b', 'c', 'd', 'e']],
    [`'a b' "c d" e\\ f`, ['a b', 'c d', 'e f']],
    [`a'b'"c"d ''`, ['abcd', '']],
    [`'a\\b' "a\\"b\\x" a\\b`, ['a\\b', 'a"bx', 'ab']],
    ['a #b c\nd e#f', ['a', 'd', 'e#f']],
    ['#only', []],
    ['', []],
  ])('%j are %j', (text, words) => {
    const found = splitWords(text);
    expect(found.words.map((word) => word.text)).toEqual(words);
    expect(found.unterminated).toBeUndefined();
  });
  it.each(["a b it's c", 'a b "c d', 'a b c\\', 'a b x"y\\'])('%j keeps what is before the open quote', (text) => {
    const found = splitWords(text);
    expect(found.words.map((word) => word.text)).toEqual(['a', 'b']);
    expect(found.unterminated).toBe(4);
  });
});

describe('words that are used', () => {
  it.each<[string, object]>([
    ['stages.foo[0].name=bar boo.baz root=LABEL=X quiet', { foo: [{ name: 'bar' }] }],
    ['stages.a[0].commands[0]="echo hello world"', { a: [{ commands: ['echo hello world'] }] }],
    ['stages.a[0].commands[0]=a stages.a[0].commands[2]=c', { a: [{ commands: ['a', 'c'] }] }],
    ['stages.a[0].commands[2]=c stages.a[0].commands[0]=a', { a: [{ commands: ['a', 'c'] }] }],
    ['stages.a[1].name=x', { a: [{ name: 'x' }] }],
    ['stages.a[0].environment.FOO=a=b=c', { a: [{ environment: new Map([['FOO', 'a=b=c']]) }] }],
    [
      'stages.network[0].authorized_keys.user=github:user',
      { network: [{ authorized_keys: new Map([['user', ['github:user']]]) }] },
    ],
    [
      'stages.network[0].authorized_keys.root[0]=github:me stages.network[0].authorized_keys.root[1]=gitlab:me',
      { network: [{ authorized_keys: new Map([['root', ['github:me', 'gitlab:me']]]) }] },
    ],
    ['stages.a[0].files[0].permissions=0644', { a: [{ files: [{ permissions: 0o644 }] }] }],
    ['stages.a[0].files[0].permissions=600', { a: [{ files: [{ permissions: 0o600 }] }] }],
    ['stages.a[0].files[0].owner=1000', { a: [{ files: [{ owner: 1000 }] }] }],
    ['stages.a[0].git.branch_only=true', { a: [{ git: { branch_only: true } }] }],
    ['stages.a[0].git.branch_only', { a: [{ git: { branch_only: true } }] }],
    ['stages.a[0].git.branch_only=no', { a: [{ git: { branch_only: false } }] }],
    ['stages.rootfs.before[0].name=x', { 'rootfs.before': [{ name: 'x' }] }],
    ['stages."rootfs.after"[0].name=x', { 'rootfs.after': [{ name: 'x' }] }],
    ['stages["x.y"][0].name=x', { 'x.y': [{ name: 'x' }] }],
    [`'stages["x.before"][0].name=x'`, { 'x.before': [{ name: 'x' }] }],
    ['stages.kairos-install.pre.before[0].name=x', { 'kairos-install.pre.before': [{ name: 'x' }] }],
    ['stages.after-install[0].name=x', { 'after-install': [{ name: 'x' }] }],
    ['stages.a[0].sysctl.net.ipv4.ip_forward=1', { a: [{ sysctl: new Map([['net.ipv4.ip_forward', '1']]) }] }],
    ['stages.a[0].commands="echo one"', { a: [{ commands: ['echo one'] }] }],
    [`stages.a[0].commands[0]='say "hi" \\n'`, { a: [{ commands: ['say "hi" \\n'] }] }],
    [`'stages.a[0].name=\\(1+2)'`, { a: [{ name: '\\(1+2)' }] }],
    ['stages.a[0].name=null stages.b[0].hostname=0777', { a: [{ name: 'null' }], b: [{ hostname: '0777' }] }],
    ['stages.a[0].name=x stages.a[0].name=y', { a: [{ name: 'y' }] }],
    ['stages.a[0].commands[0]=x stages.a[0].commands=y', { a: [{ commands: ['y'] }] }],
    ['stages.a[0].after[0].name=A.x stages.a[0].after[1]=B', { a: [{ after: ['A.x', 'B'] }] }],
    ['stages.a[0].users.bob.groups[0]=wheel', { a: [{ users: new Map([['bob', { groups: ['wheel'] }]]) }] }],
    ["stages.a[0].name=it stages.b[0].name=it's stages.c[0].name=no", { a: [{ name: 'it' }] }],
    ['stages.x[0].name=a # stages.x[0].hostname=b', { x: [{ name: 'a' }] }],
    ['stages=foo name.x=y .stages.a[0].name=x', {}],
    ['"stages.a[0].name=x"', { a: [{ name: 'x' }] }],
    [`'stages.a[0].name="x y"'`, { a: [{ name: 'x y' }] }],
  ])('%s', (text, stages) => {
    expect(parse(text).stages).toEqual(stages);
  });

  it('the last name is that of the document', () => {
    expect(parse('name=foo name=bar')).toEqual({ name: 'bar', stages: {}, problems: [] });
  });

  it('a step stands where its first word does, and one without a number before it moves up', () => {
    const { document } = parseDotNotation('quiet\nro stages.a[7].name=x stages.a[2].name=y stages.a[7].hostname=z\n');
    expect(document?.stages.get('a')?.map(({ index, line, column, file }) => [index, line, column, file])).toEqual([
      [0, 2, 23, 'kernel command line'],
      [1, 2, 4, 'kernel command line'],
    ]);
  });
});

describe('a word that can not be used is dropped alone, with a warning that names it', () => {
  it.each([
    ['stages.a[0].git.branch_only=maybe', '"maybe" is not true or false'],
    ['stages.a[0].files[0].permissions=rw', '"rw" is not a file mode'],
    ['stages.a[0].comands[0]=x', 'there is no key comands, did you mean commands?'],
    ['stages.a[0]=x', 'its field is a mapping, so a "." and a key must follow'],
    ['stages.a[0].dns=x', 'its field is a mapping, so a "." and a key must follow'],
    ['stages.a[0].name.x=y', 'its field is text, which has no part x'],
    ['stages.a[0].files.path=/x', 'before path the position in the list is missing, [0]'],
    ['stages.a[0].environment[0]=x', "its field is a mapping, not a list: [0] can't follow"],
    ['stages.a.0.name=x', 'after the stage a comes the number of a step, [0]'],
    ['stages.a.name=x', 'after the stage a comes the number of a step, [0]'],
    ['stages.a.b[0].name=x', 'a.b is no stage; if it is meant to be one, write stages["a.b"]'],
    ['stages.a[-1].name=x', '[-1] is no position in a list'],
    ['stages.a[0', 'its "[" has no "]"'],
    ['stages.a[0]name=x', 'after "]" a "." is missing'],
    ['stages..a[0].name=x', 'a name is missing in it'],
    ['stages[0].name=x', 'the name of a stage is missing'],
  ])('%s', (word, reason) => {
    const key = word.replace(/=.*/, '');
    expect(parse(`ro stages.b[0].name=x ${word} stages.c[0].name=y`)).toEqual({
      stages: { b: [{ name: 'x' }], c: [{ name: 'y' }] },
      problems: [`23 warning: the word ${key} is not used: ${reason}`],
    });
  });

  it('what cannot be used leaves no step behind', () => {
    expect(parse('stages.a[0].nothing=x').stages).toEqual({});
  });

  it('no value is in a warning', () => {
    const { problems } = parseDotNotation("stages.a[0].users.bob.passwd.x=s3cret stages.a[0].name='s3cret");
    expect(JSON.stringify(problems)).not.toContain('s3cret');
    expect(problems.map(({ message }) => message)).toEqual([
      'the word stages.a[0].users.bob.passwd.x is not used: its field is text, which has no part x',
      'a quote that begins in this word has no end; it and the words after it are not used',
    ]);
  });

  it('an open quote is only told about when something of ours is lost by it', () => {
    expect(parse("quiet it's stages").problems).toEqual([]);
  });

  it('a name where an id belongs is used with a warning', () => {
    expect(parse('stages.a[0].files[0].owner=bob')).toEqual({
      stages: { a: [{ files: [{ owner: 'bob' }] }] },
      problems: ['1 warning: stages.a[0].files[0].owner: "bob" is read as a name'],
    });
  });
});

const piece = fc.constantFrom(
  'stages',
  '.',
  '[',
  ']',
  '0',
  '1',
  '=',
  ' ',
  '"',
  "'",
  '\\',
  '#',
  'before',
  'files',
  'commands',
  'environment',
  'users',
  'after',
  'name',
  'permissions',
  '__proto__',
  'constructor',
  '-',
  '\n',
);
it.each([
  ['arbitrary text', fc.string({ unit: 'binary', maxLength: 200 })],
  ['text made of its pieces', fc.array(piece, { maxLength: 60 }).map((parts) => parts.join(''))],
  ['text that begins well', fc.array(piece, { maxLength: 30 }).map((parts) => `stages.a[0].${parts.join('')}`)],
])('never throws on %s and only warns', (_what, texts) => {
  fc.assert(
    fc.property(texts, (text) => {
      const { document, problems } = parseDotNotation(text);
      expect(document).toBeDefined();
      for (const { severity, location } of problems) {
        expect(severity).toBe('warning');
        expect(location.line).toBeLessThanOrEqual(text.split('\n').length);
        expect(location.column).toBeGreaterThan(0);
      }
    }),
    { numRuns: 3000 },
  );
});

it('many words cost no more than their number', () => {
  const words = Array.from({ length: 50_000 }, (_, index) => `stages.a[0].commands[${index}]=c${index}`);
  expect(parseDotNotation(words.join(' ')).document?.stages.get('a')?.[0]?.values.commands).toHaveLength(50_000);
});
