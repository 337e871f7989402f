// Whatever a file holds, looking at it closely ends soon and says something at most.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseCloudConfig } from '../../../src/cloudconfig/document.ts';
import { examiner } from '../../../src/cloudconfig/examiner.ts';
import type { TextRole } from '../../../src/cloudconfig/leaf.ts';
import { STEP_FIELDS } from '../../../src/cloudconfig/stepkeys.ts';

const ROLES: readonly TextRole[] = [
  'template',
  'command',
  'hostname',
  'entity',
  'pattern',
  'architecture',
  'service-manager',
  'encoding',
  'provider',
  'filesystem',
  'unit',
  'path',
  'url',
  'secret',
  'stage',
];

const pieces = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '{{',
        '}}',
        '.Values',
        ' | ',
        'trunc 4',
        '"',
        '`',
        '(',
        ')',
        '[',
        ']',
        '{1000}',
        '(?=',
        '\\Q',
        'kind: ',
      ),
      fc.constantFrom(
        'user\n',
        '*',
        '+',
        '|',
        '^',
        '$',
        '.',
        ': ',
        '- ',
        '&a ',
        '*a',
        '<<: ',
        '\n',
        '  ',
        '\0',
        '\ud800',
      ),
      fc.string({ maxLength: 5 }),
    ),
    { maxLength: 40 },
  )
  .map((parts) => parts.join(''));

it('any text in any role', () => {
  fc.assert(
    fc.property(fc.constantFrom(...ROLES), pieces, (role, text) => {
      for (const { line = 1, column = 1, message } of examiner(role, text)) {
        expect(line).toBeGreaterThan(0);
        expect(column).toBeGreaterThan(0);
        expect(message).not.toBe('');
      }
    }),
    { numRuns: 3000 },
  );
});

it('any value of any key, with a place that the file has', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.keys(STEP_FIELDS)),
      pieces,
      fc.constantFrom('plain', 'quoted', 'block'),
      (key, text, style) => {
        const value =
          style === 'quoted'
            ? JSON.stringify(text)
            : style === 'block'
              ? `|\n          ${text.replaceAll('\n', '\n          ')}`
              : text;
        const file = `stages:\n  boot:\n    - ${key}: ${value}\n    - ${key}:\n        - ${value}\n`;
        const lines = file.split(/\r?\n/).length;
        for (const { location } of parseCloudConfig(file, 'a.yaml', examiner).problems) {
          expect(location.line).toBeLessThanOrEqual(lines);
          expect(location.column).toBeGreaterThan(0);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

it.each([
  ['a pattern that repeats repetitions', 'pattern', `${'('.repeat(200)}a${'{1,20})'.repeat(200)}`],
  ['a pattern with many alternatives', 'pattern', '(a|b|ab)*'.repeat(5000)],
  ['a template that nests', 'template', '{{if 1}}'.repeat(5000)],
  ['a template with a long pipeline', 'template', `{{ 1 ${'| add 1 '.repeat(20_000)}}}`],
  ['an entity that nests', 'entity', '['.repeat(10_000)],
  ['a long word', 'encoding', 'b'.repeat(100_000)],
  ['a long stage', 'stage', 'boot.'.repeat(20_000)],
  ['a long unit', 'unit', `${'a.'.repeat(50_000)}servis`],
  ['a long host name', 'hostname', 'a-'.repeat(50_000)],
] satisfies [string, TextRole, string][])('%s', (_what, role, text) => {
  expect(examiner(role, text).length).toBeLessThanOrEqual(2);
});
