// Templates in the texts of a step: which facts they see, and what becomes of a broken one.

import { readFileSync, writeFileSync } from 'node:fs';
import { hostname, release } from 'node:os';
import { join } from 'node:path';
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

it('functions see the time zone and the environment of the root', async () => {
  const root = temporaryRoot({ 'etc/os-release': 'ID=demo\n', 'usr/share/zoneinfo/Europe/.keep': '' });
  const zone = readFileSync(join(import.meta.dirname, '../../fixtures/templates/zones/Asia/Tokyo'));
  for (const path of ['/etc/localtime', '/usr/share/zoneinfo/Tokyo']) writeFileSync(root.resolve(path), zone);
  const text =
    '{{ date "15:04 MST" 0 }} {{ dateInZone "15:04 MST" 0 "Tokyo" }} {{ dateInZone "15:04 MST" 0 "Europe" }} {{ env "HOME" }} {{ env "HOOK" }}';
  expect(await expandTemplate(text, { facts: new Facts(root), root, env: { HOOK: 'x' } })).toEqual({
    kind: 'expanded',
    text: '09:00 JST 09:00 JST 00:00 UTC /root x',
    warnings: [],
  });
});

it('a character that is cut in two is warned about', async () => {
  expect(await expandTemplate('{{ trunc 1 "é" }}', { facts: factsWith() })).toMatchObject({
    text: '\ufffd',
    warnings: ['its template cuts a character in two; what is left of it is replaced by U+FFFD'],
  });
});

it('the facts of both contexts of the originals are there, and random ones are new for each text', async () => {
  const facts = factsWith();
  const text = '{{ .Random }} {{ .Values.Random }} {{ .UUID }} {{ .ProtectedID | len }} {{ trunc 4 .MachineID }}';
  const first = await expandTemplate(text, { facts });
  expect(first.text).toMatch(/^([0-9a-z]{32}) \1 [0-9a-f-]{36} 64 0123$/);
  expect(await expandTemplate(text, { facts })).not.toEqual(first);
});
