// The overlay argument in GRUB's two blocks: it is added where it counts, taken out wherever it stands, and every other word
// survives.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { changeVariables, readGrubEnvironment, writeGrubEnvironment } from '../../../src/boot/grub-environment.ts';
import { argumentOf, configuredOverlay, planArgument, writeArgument } from '../../../src/overlay/grub-argument.ts';

const set = 'UUID=0a-1b:/persist.img';
const word = `rd.live.overlay=${set}`;
const map = (values: Record<string, string>) => new Map(Object.entries(values));

test.each<[string, Record<string, string>, Record<string, string> | undefined, unknown]>([
  ['nothing is set', {}, {}, { tool: {}, owner: { extra_active_cmdline: word, extra_passive_cmdline: word } }],
  [
    'there is no OEM partition',
    { extra_cmdline: 'console=ttyS1' },
    undefined,
    { tool: { extra_active_cmdline: word, extra_passive_cmdline: word }, owner: {} },
  ],
  [
    'the tool’s words are hidden by the owner’s variable, so they are taken along',
    { extra_active_cmdline: 'a=1 "b=x y"' },
    {},
    { tool: {}, owner: { extra_active_cmdline: `a=1 "b=x y" ${word}`, extra_passive_cmdline: word } },
  ],
  [
    'another overlay is replaced, wherever it stands',
    { extra_cmdline: 'overlay=/dev/sdx:/old quiet', extra_passive_cmdline: 'rd.live.overlay=/dev/sdy:/older' },
    { extra_active_cmdline: 'x rd.live.overlay=/dev/sdz:/other rd.live.overlay.readonly y' },
    {
      tool: { extra_cmdline: 'quiet', extra_passive_cmdline: undefined },
      owner: { extra_active_cmdline: `x rd.live.overlay.readonly y ${word}`, extra_passive_cmdline: word },
    },
  ],
  ['it is there already', {}, { extra_active_cmdline: word, extra_passive_cmdline: word }, { tool: {}, owner: {} }],
])('when %s', (_, tool, owner, expected) => {
  expect(planArgument(map(tool), owner && map(owner), set)).toEqual(expected);
});

test('taken out, nothing of it is left, and the owner’s variable goes on hiding the tool’s', () => {
  expect(
    planArgument(
      map({ extra_active_cmdline: 'a' }),
      map({ extra_active_cmdline: word, extra_passive_cmdline: `q ${word}`, other: word }),
      undefined,
    ),
  ).toEqual({ tool: {}, owner: { extra_active_cmdline: '', extra_passive_cmdline: 'q' } });
});

test('added and taken out again, every other word is as it was', () => {
  const words = fc
    .array(fc.constantFrom('quiet', 'console=ttyS0', '"a=b c"', 'rd.live.overlay.readonly', 'x='), { maxLength: 3 })
    .map((list) => list.join(' '));
  const block = fc.record(
    { extra_cmdline: words, extra_active_cmdline: words, extra_passive_cmdline: words },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(block, block, (toolValues, ownerValues) => {
      const [tool, owner] = [map({ ...toolValues }), map({ ...ownerValues })];
      const effective = (a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>) =>
        ['extra_cmdline', 'extra_active_cmdline', 'extra_passive_cmdline'].map(
          (name) => b.get(name) ?? a.get(name) ?? '',
        );
      const before = effective(tool, owner);
      const on = planArgument(tool, owner, set);
      const [toolOn, ownerOn] = [changeVariables(tool, on.tool), changeVariables(owner, on.owner)];
      for (const slot of ['active', 'passive'] as const) {
        expect(argumentOf(toolOn, ownerOn, slot).request).toEqual({
          kind: 'use',
          device: 'UUID=0a-1b',
          path: '/persist.img',
        });
      }
      const off = planArgument(toolOn, ownerOn, undefined);
      const [toolOff, ownerOff] = [changeVariables(toolOn, off.tool), changeVariables(ownerOn, off.owner)];
      expect(argumentOf(toolOff, ownerOff, 'active').request).toEqual({ kind: 'absent' });
      expect(effective(toolOff, ownerOff)).toEqual(before);
    }),
  );
});

const directory = mkdtempSync(join(tmpdir(), 'holdfast-grub-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('the blocks on the disk', async () => {
  const blocks = { stateDirectory: join(directory, 'state'), oemDirectory: join(directory, 'oem') };
  mkdirSync(blocks.stateDirectory);
  mkdirSync(blocks.oemDirectory);
  writeGrubEnvironment(join(blocks.oemDirectory, 'grubenv'), { timeout: '3' });
  expect(configuredOverlay(blocks)).toBeUndefined();
  expect(await writeArgument(blocks, set)).toBe(true);
  expect(await writeArgument(blocks, set)).toBe(false);
  expect(configuredOverlay(blocks)).toEqual({ device: 'UUID=0a-1b', path: '/persist.img', text: word });
  expect(configuredOverlay(blocks, 'passive')?.path).toBe('/persist.img');
  expect(readFileSync(join(blocks.oemDirectory, 'grubenv')).length).toBe(1024);
  expect(await writeArgument(blocks, undefined)).toBe(true);
  expect(readGrubEnvironment(join(blocks.oemDirectory, 'grubenv'))).toEqual(map({ timeout: '3' }));

  writeFileSync(join(blocks.oemDirectory, 'grubenv'), 'damaged');
  await expect(writeArgument(blocks, set)).rejects.toThrow('no GRUB environment block');
  await expect(writeArgument(blocks, 'LABEL=a b:/p')).rejects.toThrow();
  writeFileSync(join(blocks.oemDirectory, 'grubenv'), '');
});

test('an argument that doesn’t fit, or that GRUB would split, is refused', async () => {
  expect(() => planArgument(map({}), map({}), 'PARTLABEL=a b:/p')).toThrow('has a blank or a quote');
  const blocks = { stateDirectory: join(directory, 'state'), oemDirectory: undefined };
  await expect(writeArgument(blocks, `/dev/${'x'.repeat(500)}:/p`)).rejects.toThrow('1024');
});
