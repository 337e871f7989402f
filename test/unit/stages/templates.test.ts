// What of Go's templates is expanded, and that everything else is told apart and left as it is.

import { hostname, release } from 'node:os';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Facts } from '../../../src/stages/facts.ts';
import { expandTemplate } from '../../../src/stages/templates.ts';
import { temporaryRoot } from './temporary-root.ts';

const MACHINE_ID = '0123456789abcdef0123456789abcdef';
const factsWith = (machineId = `${MACHINE_ID}\n`) =>
  new Facts(
    temporaryRoot({
      'etc/os-release': 'PRETTY_NAME="Demo 1"\nID=demo\nVERSION_ID=1\n',
      'etc/machine-id': machineId,
    }),
  );

describe('expanded', () => {
  it.each([
    ['no template }}', 'no template }}'],
    ['{{ .Values.os.name }}', 'Demo 1'],
    ['{{.Values.os.vendor}}-{{.Values.os.version}}', 'demo-1'],
    ['{{ .Values.node.hostname }}', hostname()],
    ['{{ .Values.kernel.release }}', release()],
    ['{{ .Values.node.machineid }}', MACHINE_ID],
    ['a {{- .MachineID -}} b', `a${MACHINE_ID}b`],
    ['{{ "{{" }}x{{ `}}` }}', '{{x}}'],
    ['{{ "a \\" b" }}', 'a " b'],
    ['a{{/* note */}}b', 'ab'],
  ])('%s', (text, expected) => {
    expect(expandTemplate(text, factsWith())).toEqual({ kind: 'expanded', text: expected, warnings: [] });
  });
  it.each(['{{ .Names }}', '{{ .Values.nosuch.x }}', '{{ .Values.os.nosuch }}'])('%s has no value', (text) => {
    expect(expandTemplate(text, factsWith())).toEqual({
      kind: 'expanded',
      text: '<no value>',
      warnings: [`the template ${text} has no value; "<no value>" is put in its place`],
    });
  });
  it('a machine id that is not set yet is none', () => {
    expect(expandTemplate('x{{ .MachineID }}', factsWith('uninitialized\n'))).toMatchObject({ text: 'x' });
  });
});

it.each([
  '{{ trunc 4 .MachineID }}',
  '{{ .Values.os.name | upper }}',
  '{{ if true }}x{{ end }}',
  '{{ .Values.memory.size }}',
  '{{ .Values.Random }}',
  '{{ .Values }}',
  '{{ .Values.os }}',
  '{{ . }}',
  '{{',
  '{{ }}',
  '{{ "open }}',
  '{{-.MachineID}}',
  '{{ .Values.os.name }} and {{ nofunc }}',
])('%s is left as it is and said to be unsupported', (text) => {
  const expansion = expandTemplate(text, factsWith());
  expect(expansion.kind).toBe('unsupported');
  expect(expansion.text).toBe(text);
});

it('text without an opening is never changed, and nothing makes the expansion throw', () => {
  const facts = factsWith();
  const piece = fc.constantFrom(
    '{{',
    '}}',
    ' ',
    '-',
    '.Values',
    '.os',
    '"',
    '`',
    '/*',
    '*/',
    'x',
    '\n',
    '|',
    '.MachineID',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('');
      const expansion = expandTemplate(text, facts);
      if (!text.includes('{{')) expect(expansion).toEqual({ kind: 'expanded', text, warnings: [] });
      if (expansion.kind === 'unsupported') expect(expansion.text).toBe(text);
    }),
    { numRuns: 1000 },
  );
});
