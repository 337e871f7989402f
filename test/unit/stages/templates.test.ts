// Templates in the texts of a step: which facts they see, and what becomes of a broken one.

import { hostname, release } from 'node:os';
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
  ])('%s', async (text, expected) => {
    expect(await expandTemplate(text, { facts: factsWith() })).toEqual({
      kind: 'expanded',
      text: expected,
      warnings: [],
    });
  });
  it.each(['{{ .Names }}', '{{ .Values.nosuch.x }}', '{{ .Values.os.nosuch }}'])('%s has no value', async (text) => {
    expect(await expandTemplate(text, { facts: factsWith() })).toEqual({
      kind: 'expanded',
      text: '<no value>',
      warnings: [`the template ${text} has no value; "<no value>" is put in its place`],
    });
  });
  it('a machine id that is not set yet is none', async () => {
    expect(await expandTemplate('x{{ .MachineID }}', { facts: factsWith('uninitialized\n') })).toMatchObject({
      text: 'x',
    });
  });
});

it.each(['{{', '{{ }}', '{{ "open }}', '{{-.MachineID}}', '{{ .Values.os.name }} and {{ nofunc }}'])(
  '%s is left as it is and said to be broken',
  async (text) => {
    expect(await expandTemplate(text, { facts: factsWith() })).toEqual({
      kind: 'broken',
      text,
      reason: expect.stringMatching(/^1:\d+: /),
    });
  },
);
