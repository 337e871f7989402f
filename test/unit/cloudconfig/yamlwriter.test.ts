// Stage files as YAML: what is written is what is read, whatever the values, and it looks as a person would write it.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Shape } from '../../../src/cloudconfig/decoding.ts';
import { parseCloudConfig } from '../../../src/cloudconfig/document.ts';
import { ACTION_FIELDS, CONDITION_FIELDS } from '../../../src/cloudconfig/stepkeys.ts';
import { writeStageFile } from '../../../src/cloudconfig/yamlwriter.ts';

const text = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 10 }),
  fc.constantFrom(
    'yes',
    '0644',
    '~',
    'null',
    '1_000',
    '- a',
    'a: b',
    '# c',
    ' lead',
    'trail ',
    '\ta',
    'a\r\nb',
    '"',
    "'",
  ),
  fc
    .array(fc.constantFrom('a', ' b', '', '# c', '- d', '\te', '---', '...', 'f: g', '{{ h }}'), { maxLength: 6 })
    .map((lines) => lines.join('\n')),
);
// A lone surrogate is no text that a file can hold, and U+FEFF at the start of a file is no content.
const wellFormed = text.filter((value) => !/[\ud800-\udfff]/.test(value));
const key = fc.stringMatching(/^[a-z][a-z0-9._-]{0,8}$/);

/** Values of a shape as an author may write them, with what is read of them. */
function valuesOf({ form }: Shape<unknown>): fc.Arbitrary<unknown> {
  switch (form.kind) {
    case 'text':
      return wellFormed;
    case 'content':
      return fc.oneof(wellFormed, fc.uint8Array({ maxLength: 20 }));
    case 'number':
      return fc.integer({ min: form.min, max: form.max });
    case 'mode':
      return fc.integer({ min: 0, max: 0o7777 });
    case 'id':
      return fc.integer({ min: 0, max: 70_000 });
    case 'boolean':
      return fc.boolean();
    case 'step-name':
      return wellFormed;
    case 'list':
      return fc.array(valuesOf(form.of), { maxLength: 3 });
    case 'map':
      return fc.dictionary(key, valuesOf(form.of), { maxKeys: 3 });
    case 'struct':
      return structsOf(form.fields);
  }
}

function structsOf(fields: Readonly<Record<string, Shape<unknown>>>): fc.Arbitrary<unknown> {
  const values = Object.entries(fields).map(([name, shape]) => [name, valuesOf(shape)] as const);
  return fc.record(Object.fromEntries(values), { requiredKeys: [] });
}

/** What was read as an author writes it: maps as objects, bytes as bytes. */
function asWritten(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([name, item]) => [name, asWritten(item)]));
  if (value instanceof Uint8Array) return Uint8Array.from(value);
  if (Array.isArray(value)) return value.map(asWritten);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, asWritten(item)]));
}

it('any step is read back as it was written', () => {
  const step = structsOf({ ...CONDITION_FIELDS, ...ACTION_FIELDS });
  fc.assert(
    fc.property(step, wellFormed, (values, comment) => {
      const written = writeStageFile({ name: 'x', stages: { boot: [values] } }, comment.replaceAll(/[^ -~\n]/g, ''));
      const { document, problems } = parseCloudConfig(written, 'a.yaml');
      expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
      expect(asWritten(document?.stages.get('boot')?.[0]?.values)).toEqual(asWritten(values));
    }),
    { numRuns: 300 },
  );
});

it('as a person would write it', () => {
  const config = {
    name: 'Site',
    stages: {
      boot: [
        {
          name: 'One',
          if: '! command -v vim',
          commands: ['apt-get update', 'set -e\necho two\n'],
          files: [{ path: '/a', content: '  indented\nb', permissions: 0o600 }],
          environment: { A: '007', B: 7, C: 'yes' },
          hostname: undefined,
        },
      ],
    },
  };
  expect(writeStageFile(config, 'Made for a test.\nTwo lines.')).toBe(`# Made for a test.
# Two lines.
name: Site
stages:
  boot:
    - name: One
      if: "! command -v vim"
      commands:
        - apt-get update
        - |
          set -e
          echo two
      files:
        - path: /a
          content: |2-
              indented
            b
          permissions: 0600
      environment:
        A: "007"
        B: 7
        C: "yes"
`);
});

it('a file with keys of cloud-init gets their header, on the first line', () => {
  const written = writeStageFile({ hostname: 'a', write_files: [{ path: '/a', permissions: 0o600 }] }, 'x');
  expect(written).toBe('#cloud-config\n# x\nhostname: a\nwrite_files:\n  - path: /a\n    permissions: 0600\n');
  expect(parseCloudConfig(written, 'a').problems).toEqual([]);
});

describe('modes', () => {
  it.each([
    [0o644, '0644'],
    ['0644', '0644'],
    ['644', '0644'],
    ['0o1777', '01777'],
    [0, '0000'],
  ])('%j is written %s', (permissions, written) => {
    expect(writeStageFile({ stages: { boot: [{ files: [{ permissions }] }] } })).toContain(`permissions: ${written}\n`);
  });

  it('keys of other tools that are called the same stay as they are', () => {
    expect(writeStageFile({ install: { permissions: 420 } })).toBe('install:\n  permissions: 420\n');
  });
});

describe('what YAML can’t hold is refused with its place', () => {
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  it.each([
    [{ stages: { boot: [{ commands: [() => 1] }] } }, 'stages.boot[0].commands[0]: a function has no form in YAML'],
    [{ a: new Date(0) }, 'a: an object of Date has no form in YAML'],
    [{ a: [undefined] }, 'a[0]: an item of a list is undefined'],
    [{ a: Number.NaN }, 'a: NaN is no whole number'],
    [{ a: 1.5 }, 'a: 1.5 is no whole number'],
    [{ a: 1n }, 'a: 1 has no form in YAML'],
    [circle, 'self: it contains itself'],
    [['a'], 'a stage file is an object with "stages"'],
    [null, 'a stage file is an object with "stages"'],
    [
      { stages: { boot: [{ files: [{ permissions: 'rw' }] }] } },
      'stages.boot[0].files[0].permissions: "rw" is no file mode',
    ],
    [{ stages: { boot: [{ files: [{ permissions: 99999 }] }] } }, 'stages.boot[0].files[0].permissions: 99999 is no'],
  ])('%#', (config, message) => {
    expect(() => writeStageFile(config)).toThrow(message);
  });
});
