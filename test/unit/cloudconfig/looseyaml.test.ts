// Files that go-yaml, and so the originals, read although the YAML standard forbids them: each means the same as a
// strictly written one, and errors in them still point at the line of the file.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseCloudConfig } from '../../../src/cloudconfig/document.ts';
import { tightenYaml } from '../../../src/cloudconfig/looseyaml.ts';
import type { StepValues } from '../../../src/cloudconfig/stepkeys.ts';

function stepOf(text: string): { values: StepValues | undefined; problems: string[] } {
  const { document, problems } = parseCloudConfig(text, '/oem/x.yaml');
  return {
    values: document?.stages.get('boot')?.[0]?.values,
    problems: problems.map(({ message, location: { line, column } }) => `${line}:${column} ${message}`),
  };
}

const step = (...lines: string[]) => ['stages:', '  boot:', '    - name: x', ...lines, ''].join('\n');

test.each<[string, string, Partial<StepValues>]>([
  [
    'a bracket closes in the column of its key',
    step('      commands: [', '        "a",', '        "b"', '      ]'),
    { commands: ['a', 'b'] },
  ],
  [
    'a list in brackets goes on at the margin',
    step('      commands: [', 'a,', '# the second', '', 'b c', 'd]'),
    { commands: ['a', 'b c d'] },
  ],
  [
    'a mapping in braces closes in the column of its key',
    step('      dns: {', '        nameservers: [', '        1.1.1.1', '        ]', '      }'),
    { dns: { nameservers: ['1.1.1.1'] } },
  ],
  [
    'brackets are indented with tabs',
    step('      commands: [', '\t"a",', '\t"b"', '\t]', '      hostname: h'),
    { commands: ['a', 'b'], hostname: 'h' },
  ],
  [
    'a text in double quotes goes on at the margin',
    step('      commands:', '        - "echo \\', 'a', '', 'b"', '        - c'),
    { commands: ['echo a\nb', 'c'] },
  ],
  [
    'a text in single quotes goes on at the margin',
    step("      commands: ['it''s", "over']", '      hostname: h'),
    { commands: ["it's over"], hostname: 'h' },
  ],
  [
    'a comment touches the quote or bracket before it',
    step('      commands: ["a"#one', '        ,#two', '        b]#three', '      hostname: "h"#four'),
    { commands: ['a', 'b'], hostname: 'h' },
  ],
  [
    'a comment touches the sign of a block',
    step('      commands:', '        - |#why', '          a', '        - b'),
    { commands: ['a\n', 'b'] },
  ],
  [
    'a single quote is escaped in double quotes',
    step('      commands: ["echo \\\'a\\\' \\"b\\""]'),
    { commands: ['echo \'a\' "b"'] },
  ],
  [
    'a lone dash stands in brackets',
    step('      commands: [tar, -xf, -]', '      modules: [-, a-b]'),
    { commands: ['tar', '-xf', '-'], modules: ['-', 'a-b'] },
  ],
  [
    'blocks and plain texts around it hold brackets and quotes of their own',
    step(
      '      name: it\'s [ "odd',
      '        and [longer',
      '      commands:',
      '      - |',
      '        if [ "$a" ]; then echo "',
      '        x"; fi',
      '      - >2-',
      '          [ folded',
      '      - echo [ "a" # [',
      '      - [',
      '      ]',
      '      modules: [',
      '      a]',
    ).replace('      - [\n      ]\n', ''),
    {
      name: 'it\'s [ "odd and [longer',
      commands: ['if [ "$a" ]; then echo "\nx"; fi\n', '  [ folded', 'echo [ "a"'],
      modules: ['a'],
    },
  ],
])('%s', (_what, text, wanted) => {
  const { values, problems } = stepOf(text.replace('    - name: x\n      name:', '    - name:'));
  expect(problems).toEqual([]);
  expect(values).toMatchObject(wanted);
});

test('JSON that is indented with tabs is a stage file', () => {
  const config = { name: 'x', stages: { boot: [{ name: 'a', commands: ['echo "a"', 'b'], sysctl: { 'a.b': '1' } }] } };
  const { values, problems } = stepOf(JSON.stringify(config, null, '\t'));
  expect(problems).toEqual([]);
  expect(values).toMatchObject({ name: 'a', commands: ['echo "a"', 'b'] });
});

test('problems of a loosely written file are at the place in the file', () => {
  const text = step('      commands: [', '"a", {b: c},', '      ]', '      file: []', '      files: [', '{paht: /x}]');
  expect(stepOf(text).problems).toEqual([
    '7:7 the key "file" is not known and has no effect',
    '9:2 files[0]: the key "paht" is not known and has no effect',
    '9:1 files[0]: no permissions are given, 0644 is used',
    '5:6 commands[1]: this must be text, not a mapping',
  ]);
});

test('an error behind a loosely written list is told with its own place', () => {
  const text = step('      commands: [', '      a', '      ]', '      hostname: "a" b');
  expect(stepOf(text).problems).toEqual([expect.stringMatching(/^7:21 the YAML is broken/)]);
});

test.each([
  [['      commands: [', '        a', '      hostname: h'], '4:17'],
  [['      commands: [', '        {a: b},', '        [', '        c', '        ],', '      hostname: h'], '4:17'],
  [['      commands: [a, [b]', '      modules: [c]', '      hostname: h'], '4:17'],
  [['      modules: [', '      c]', '      dns: {nameservers: [a]', '      hostname: h'], '6:12'],
])('a bracket that is never closed is shown where it opens: %j', (lines, place) => {
  expect(stepOf(step(...lines)).problems).toEqual([
    `${place} the YAML is broken: the bracket that opens here is not closed`,
  ]);
});

test.each([
  ['|', 'echo a'],
  ['|+', 'echo a'],
  ['>', 'echo a'],
  ['|-', 'echo a'],
])('a block %s at the end of a file without a line break has none either', (sign, wanted) => {
  expect(stepOf(`stages: {boot: [{hostname: h}]}\n`).values?.hostname).toBe('h');
  const text = step('      commands:', `        - ${sign}`, '          echo a').trimEnd();
  expect(stepOf(text).values?.commands).toEqual([wanted]);
  const ended = stepOf(`${text}\n`).values?.commands;
  expect(ended).toEqual([sign === '|-' ? wanted : `${wanted}\n`]);
});

test('blanks alone in the last line are no line of a block', () => {
  const text = step('      commands:', '        - |', '          echo a');
  expect(stepOf(`${text}        `).values?.commands).toEqual(['echo a\n']);
});

test('a file whose later lines are indented less than its first is used up to there', () => {
  const text = '  stages:\n    boot:\n      - hostname: h\nname: x\nother: [\n';
  const { values, problems } = stepOf(text);
  expect(values?.hostname).toBe('h');
  expect(problems).toEqual([
    '4:1 this line is indented less than the first one: YAML ends here, and what follows is not used',
  ]);
});

test.each(['name: y\nstages:\n  boot: []\n}x: y\n', '# a\n---\n%: x\nname: y\n]\n', 'a: b\n  \n]c: d\n'])(
  'a sign that ends nothing breaks a file as a whole: %j',
  (text) => {
    const { document, problems } = parseCloudConfig(text, 'x');
    expect(document).toBeUndefined();
    expect(problems).toMatchObject([{ severity: 'error', message: expect.stringContaining('the YAML is broken: ') }]);
  },
);

test.each<[string[], string, string, string]>([
  [
    ['      hostname: "h', '      commands: ["a"]'],
    '4:17',
    'the quote that opens here is closed in the next line',
    'is " missing at the end of this line?',
  ],
  [
    ["      hostname: 'h", '      modules: [a]', "      commands: ['a']"],
    '4:17',
    'the quote that opens here is closed 2 lines below',
    "is ' missing at the end of this line?",
  ],
  [
    ['      commands:', '      - "echo a" && b'],
    '5:18',
    'something follows a text in quotes',
    "to have quotes inside of a text, put all of it into the other ones: '…'",
  ],
  [
    ["      commands: ['a' | b]"],
    '4:22',
    'something follows a text in quotes',
    'to have quotes inside of a text, put all of it into the other ones: "…"',
  ],
  [
    ['      commands:', '      - "a" && b', '      - c', '      hostname: "h"'],
    '5:13',
    'something follows a text in quotes',
    "to have quotes inside of a text, put all of it into the other ones: '…'",
  ],
  [['      hostname: "h'], '4:17', 'the quote that opens here is not closed', 'add " at the end of the text'],
  [['      commands: [%y, a]'], '4:18', "a text can't begin with %", 'put it in quotes'],
  [['      hostname: @h'], '4:17', "a text can't begin with @", 'put it in quotes'],
])('%j says at %s: %s', (lines, place, message, hint) => {
  const { problems } = parseCloudConfig(step(...lines), 'x');
  expect(problems.map(({ location, ...rest }) => [`${location.line}:${location.column}`, rest])).toEqual([
    [place, { severity: 'error', message: `the YAML is broken: ${message}`, hint }],
  ]);
});

test.each([
  ['if: [ -f /x ]', 'this must be text, not a list', 'put text that begins with [ in quotes'],
  ['hostname: {{ .MachineID }}', 'this must be text, not a mapping', 'put text that begins with { in quotes'],
])('%s is answered with the quotes that are missing', (line, message, hint) => {
  const { problems } = parseCloudConfig(step(`      ${line}`), 'x');
  expect(problems).toMatchObject([{ message: `${line.split(':')[0]}: ${message}`, hint }]);
});

test('what JSON says survives any line breaks and tabs between its parts', () => {
  const blank = fc.constantFrom('', ' ', '\n', '\n\t', '\n  ', '\n \t ', '\r\n');
  const value = fc.letrec((tie) => ({
    node: fc.oneof({ maxDepth: 4 }, tie('text'), tie('list'), tie('map')),
    text: fc.string({ unit: fc.constantFrom(...'ab [{\'":,#-\n') }),
    list: fc.array(tie('node'), { maxLength: 4 }),
    map: fc.dictionary(fc.constantFrom('a', 'b c', '#', '-', '"'), tie('node'), { maxKeys: 3 }),
  }));
  fc.assert(
    fc.property(
      fc.array(value.text, { maxLength: 4 }),
      value.map,
      fc.infiniteStream(blank),
      (texts, foreign, blanks) => {
        const json = JSON.stringify({ boot: [{ commands: texts, foreign }] });
        // Between parts only: a part is a text with its quotes, or one sign.
        const parts = json.match(/"(?:[^"\\]|\\.)*"|./g) ?? [];
        // A colon must follow its key on the same line.
        const spread = parts.map((part, at) => {
          if (part === ':') return ': ';
          return parts[at + 1] === ':' ? part : `${part}${blanks.next().value}`;
        });
        const text = `stages: ${spread.join('')}\nname: y\n`;
        const { document, problems } = parseCloudConfig(text, 'x');
        expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
        expect(document?.name).toBe('y');
        expect(document?.stages.get('boot')?.[0]?.values.commands).toEqual(texts);
      },
    ),
  );
});

test('offsets can be traced back, and growth has a limit', () => {
  const text = 'a: [\n"b", #c\n]\n';
  const loose = tightenYaml(text, 100);
  expect(loose?.text).toBe('a: [\n "b", #c\n ]\n');
  const back = (sign: string) => loose?.original(loose.text.indexOf(sign));
  expect(['[', '"', 'b', '#', ']'].map(back)).toEqual(['[', '"', 'b', '#', ']'].map((sign) => text.indexOf(sign)));
  expect(tightenYaml(text, 1)).toBeUndefined();
  expect(tightenYaml('a: [b]\n', 100)).toBeUndefined();
});

test('never closed brackets of great size take no time', () => {
  const text = `a: ${'['.repeat(50_000)}\n${'b\n'.repeat(200_000)}`;
  expect(tightenYaml(text, 1 << 20)).toBeUndefined();
});
