// Stage files as nobody would write them: every key of the table with right, odd and wrong values, and real files with
// pieces changed. Made from a number, so that a failure names the file that it needs.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Shape } from '../../../src/cloudconfig/decoding.ts';
import { ACTION_FIELDS, type ActionKey, CONDITION_FIELDS, STEP_FIELDS } from '../../../src/cloudconfig/stepkeys.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures');

/** A small random source (mulberry32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** A whole number below `bound`. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }

  of<T>(values: readonly [T, ...T[]] | readonly T[]): T {
    const value = values[this.below(values.length)];
    if (value === undefined) throw new Error('there is nothing to choose from');
    return value;
  }

  once(among: number): boolean {
    return this.below(among) === 0;
  }
}

const WORDS = [
  ...[
    '',
    ' ',
    '~',
    'null',
    'yes',
    '0644',
    '"',
    "'",
    '/',
    '..',
    '../../../../etc/passwd',
    '/etc/../../x',
    '/proc/self/root/x',
  ],
  ...[
    '/a/b',
    '/out/file',
    '/loop/x',
    '/etc/passwd',
    '/etc/hosts',
    '/pipe',
    '/deep/x/y/z',
    '/etc',
    '/dev/null',
    'x'.repeat(300),
  ],
  ...[
    'root',
    'bob',
    '-x',
    '--help',
    'a:b',
    'a\nb',
    'a\u0000b',
    '\u001b[31m',
    'ü€',
    '\ud800',
    '__proto__',
    'constructor',
  ],
  ...['{{', '{{ .Values.os.name }}', '{{ range .x }}', '{{ until 99999999 }}', '(a+)+$', '[', '(?i)x', '(?!x)', '\\'],
  ...[
    'kind: user\nusername: bob',
    'kind: group\ngroup_name: x\ngid: -1',
    'kind: "shadow"\nusername: root\npassword: x',
  ],
  ...[
    'b64',
    'gz+b64',
    'aGVsbG8=',
    'H4sIAAAAAAAA',
    'https://example.invalid/k',
    'github:x',
    'file:///etc/passwd',
    'ssh-ed25519 AAAA x',
  ],
] as const;
const NUMBERS = [0, 1, -1, 420, 644, 0o755, 1e9, 1e300, -0.5, 4294967296] as const;

/** A value as JSON text: mostly of the shape's kind. */
function valueFor(shape: Shape<unknown>, dice: Dice, depth: number): string {
  if (depth > 6 || dice.once(12)) return oddValue(dice);
  const { form } = shape;
  const some = (make: () => string) => Array.from({ length: dice.below(4) }, make).join(',');
  switch (form.kind) {
    case 'list':
      return `[${some(() => valueFor(form.of, dice, depth + 1))}]`;
    case 'map':
      return `{${some(() => `${text(dice)}:${valueFor(form.of, dice, depth + 1)}`)}}`;
    case 'struct': {
      const names = Object.keys(form.fields).filter(() => !dice.once(2));
      const pairs = names.map((name) => `"${name}":${valueFor(form.fields[name] ?? shape, dice, depth + 1)}`);
      return `{${pairs.join(',')}}`;
    }
    case 'boolean':
      return dice.of(['true', 'false', 'yes', 'off']);
    case 'number':
    case 'mode':
    case 'id':
      return dice.once(3) ? dice.of(['0644', '0o755', '"0600"', '01777', '644']) : String(dice.of(NUMBERS));
    default:
      return text(dice);
  }
}

function text(dice: Dice): string {
  return JSON.stringify(dice.of(WORDS));
}

function oddValue(dice: Dice): string {
  return dice.of([
    'null',
    '[]',
    '{}',
    '[null]',
    '[[[]]]',
    '"x"',
    '7',
    'true',
    '{"a":{"b":[1]}}',
    '*a',
    '&a [1]',
    '!!binary "aGk="',
  ]);
}

/** A step with some of these keys, as YAML in flow style. */
export function stepOf(dice: Dice, keys: readonly string[]): string {
  const fields: Readonly<Record<string, Shape<unknown>>> = STEP_FIELDS;
  const chosen = [dice.of(keys), ...keys.filter(() => dice.once(8))];
  const pairs = [...new Set(chosen)].flatMap((key) => {
    const shape = fields[key];
    return shape === undefined ? [] : [`"${key}": ${valueFor(shape, dice, 0)}`];
  });
  return `{${pairs.join(', ')}}`;
}

export const ACTION_KEYS = Object.keys(ACTION_FIELDS) as readonly ActionKey[];
const ALL_KEYS = [...ACTION_KEYS, ...Object.keys(CONDITION_FIELDS), 'name', 'after'];

/** A whole stage file. */
export function stageFileOf(dice: Dice): string {
  const stages = Array.from({ length: 1 + dice.below(2) }, () => dice.of(['boot', 'network', 'a.before', '', 'name']));
  const lines = stages.map(
    (stage) =>
      `  ${JSON.stringify(stage)}:\n${Array.from({ length: dice.below(4) }, () => `    - ${stepOf(dice, ALL_KEYS)}\n`).join('')}`,
  );
  const head = dice.once(5) ? '#cloud-config\nusers: [default, {name: bob, groups: "a, b"}]\n' : '';
  return `${head}${dice.of(['stages', 'stage', 'stages'])}:\n${lines.join('')}`;
}

let files: readonly string[] | undefined;

/** Every stage file among the fixtures. */
function realFiles(): readonly string[] {
  files ??= ['cloud-config/good', 'cloud-config/bad', 'corpus'].flatMap((directory) =>
    readdirSync(join(FIXTURES, directory), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.ya?ml$/.test(entry.name) && !entry.name.includes('bomb'))
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8')),
  );
  return files;
}

const PIECES = [
  '\n',
  '  ',
  ': ',
  '- ',
  '{',
  '}',
  '[',
  ']',
  '"',
  "'",
  '|',
  '>',
  '#',
  '&a ',
  '*a',
  '<<: ',
  '\t',
  '---\n',
  '{{',
  '}}',
  '!!',
  '%',
  '\u0000',
  '\uFEFF',
];

/** A real file with up to four places changed: a piece put in, a stretch taken out or doubled. */
export function mutatedFileOf(dice: Dice): string {
  let result = dice.of(realFiles());
  for (let change = 0; change <= dice.below(4); change += 1) {
    const at = dice.below(result.length + 1);
    const length = dice.below(30);
    const [before, after] = [result.slice(0, at), result.slice(at)];
    const kind = dice.below(3);
    if (kind === 0) result = before + dice.of(PIECES) + after;
    else if (kind === 1) result = before + after.slice(length);
    else result = before + after.slice(0, length) + after;
  }
  return result;
}

/** A text put together from YAML's own signs. */
export function noiseOf(dice: Dice): string {
  const parts = ['stages:', 'boot:', 'files', 'commands', 'x', '0644', ...PIECES];
  return Array.from({ length: dice.below(80) }, () => dice.of(parts)).join('');
}
