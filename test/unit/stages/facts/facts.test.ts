// What is asked when, and what changes between two texts.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { Facts } from '../../../../src/stages/facts.ts';
import { temporaryRoot } from '../temporary-root.ts';

const ID = '0123456789abcdef0123456789abcdef';
const data = z.object({
  UUID: z.string(),
  Random: z.string(),
  MachineID: z.string(),
  ProtectedID: z.string(),
  Values: z.object({ Random: z.string(), ProtectedID: z.string(), node: z.record(z.string(), z.unknown()) }),
});
const read = (facts: Facts) => data.parse(facts.templateData());

it('random texts are new for each text and the same within one', () => {
  const facts = new Facts(temporaryRoot());
  const raw = facts.templateData();
  const once = data.parse(raw);
  expect(data.parse(raw)).toEqual(once);
  expect(once.Random).toMatch(/^[0-9a-z]{32}$/);
  expect(once.Values.Random).toBe(once.Random);
  expect(once.UUID).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  const next = read(facts);
  expect([next.Random === once.Random, next.UUID === once.UUID]).toEqual([false, false]);
});

it('the protected id is the one that yip makes of the machine id', () => {
  // echo -n yip | openssl dgst -sha256 -hmac abc
  const expected = 'f06a8e323ff9feba6068b1ec2e07d71a3e5766181ca7e0933a87617561ced493';
  const { MachineID, ProtectedID, Values } = read(new Facts(temporaryRoot({ 'etc/machine-id': 'abc\n' })));
  expect(MachineID).toBe('abc');
  expect(ProtectedID).toBe(expected);
  expect(Values.ProtectedID).toBe(expected);
  expect(read(new Facts(temporaryRoot())).ProtectedID).toBe('');
});

it('the machine id is read anew, the host name is that of the beginning', () => {
  const root = temporaryRoot({ 'proc/sys/kernel/hostname': 'before\n', 'etc/machine-id': 'uninitialized\n' });
  const facts = new Facts(root);
  expect([read(facts).MachineID, read(facts).Values.node]).toEqual(['', { hostname: 'before' }]);
  writeFileSync(join(root.directory, 'etc/machine-id'), `${ID}\n`);
  writeFileSync(join(root.directory, 'proc/sys/kernel/hostname'), 'after\n');
  expect([read(facts).MachineID, read(facts).Values.node]).toEqual([ID, { hostname: 'before', machineid: ID }]);
});

it('a tree without anything has facts too, and none of them is empty', () => {
  const { Values } = z
    .object({ Values: z.record(z.string(), z.unknown()) })
    .parse(new Facts(temporaryRoot()).templateData());
  const { sysinfo, Random, kernel, node, cpu, ...rest } = Values;
  expect(rest).toEqual({
    os: {},
    product: { uuid: '00000000-0000-0000-0000-000000000000' },
    board: {},
    chassis: {},
    bios: {},
    memory: {},
    storage: [],
    network: [],
    ProtectedID: '',
  });
  // The running machine's own, where the tree doesn't say.
  expect(kernel).toMatchObject({ release: expect.any(String), architecture: expect.any(String) });
  expect(cpu).toEqual({ threads: expect.any(Number) });
});
