// No text makes the parser throw or hang, and every problem points into the text.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseCloudConfig } from '../../../src/cloudconfig/document.ts';
import { editDistance, nearestWord } from '../../../src/cloudconfig/suggestion.ts';

const pieces = fc.constantFrom(
  'stages',
  'stage',
  'name',
  'boot',
  'commands',
  'files',
  'permissions',
  'if',
  'after',
  ':',
  ': ',
  '\n',
  '  ',
  '    ',
  '- ',
  '&a ',
  '*a',
  '<<',
  '[',
  ']',
  '{',
  '}',
  ',',
  '"',
  "'",
  '|\n',
  '>-\n',
  '#',
  '---\n',
  '...\n',
  '!!binary ',
  '!x ',
  '? ',
  '\t',
  '\r\n',
  '0644',
  '~',
  '%YAML 1.1\n',
  '\uFEFF',
);
const yamlLike = fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join(''));
const structured = fc
  .object({
    key: fc.constantFrom('stages', 'boot', 'name', 'commands', 'files', 'path', 'users', 'environment', 'layout'),
    maxDepth: 6,
  })
  .map((value) => JSON.stringify(value));

const cloudInit = fc
  .object({
    key: fc.constantFrom(
      'stages',
      'hostname',
      'users',
      'name',
      'groups',
      'write_files',
      'permissions',
      'runcmd',
      'growpart',
      'devices',
      'ssh_authorized_keys',
      '__proto__',
    ),
    maxDepth: 5,
  })
  .map((value) => `#cloud-config\n${JSON.stringify(value)}`);

it.each([
  ['arbitrary text', fc.string({ unit: 'binary', maxLength: 200 })],
  ['text made of YAML', yamlLike],
  ['documents with known keys at wrong places', structured],
  ['#cloud-config with known keys at wrong places', cloudInit],
  ['#cloud-config made of YAML', yamlLike.map((text) => `#cloud-config\n${text}`)],
])('never throws on %s', (_what, texts) => {
  fc.assert(
    fc.property(texts, (text) => {
      const { document, problems } = parseCloudConfig(text, 'f');
      if (document === undefined) expect(problems.some(({ severity }) => severity === 'error')).toBe(true);
      const lines = text.split('\n').length;
      for (const { location } of problems) {
        expect(location.line).toBeGreaterThan(0);
        expect(location.line).toBeLessThanOrEqual(lines);
        expect(location.column).toBeGreaterThan(0);
      }
    }),
    { numRuns: 2000 },
  );
});

it('commands come back as they were written', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1 })), (steps) => {
      const text = JSON.stringify({ stages: { s: steps.map((commands) => ({ commands })) } });
      const { document, problems } = parseCloudConfig(text, 'f');
      expect(problems).toEqual([]);
      expect(document?.stages.get('s')?.map(({ values }) => values.commands)).toEqual(steps);
    }),
  );
});

it('edit distance is a distance', () => {
  const word = fc.string({ maxLength: 8 });
  fc.assert(
    fc.property(word, word, (a, b) => {
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, b) === 0).toBe(a === b);
      expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
    }),
  );
});

it.each([
  ['comands', 'commands'],
  ['flies', 'files'],
  ['hostnme', 'hostname'],
  ['xyzzy', undefined],
])('%s is near to %s', (word, expected) => {
  expect(nearestWord(word, ['commands', 'files', 'hostname'])).toBe(expected);
});
