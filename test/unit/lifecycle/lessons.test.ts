// What happened to users of the originals, and must not happen here; each test is named after it. Those that need a disk
// are in test/system/lifecycle/lessons.test.ts.

import { readFileSync } from 'node:fs';
import { load } from 'js-yaml';
import { describe, expect, test } from 'vitest';
import { formatState, parseState } from '../../../src/slots/state-file.ts';

const NOW = '2026-11-20T10:00:00.000Z';

describe('entries of state.yaml without labels broke later upgrades (elemental-toolkit#1827, harvester#4526)', () => {
  const broken = `date: ""
state:
  label: ""
  active: { source: "docker://registry.example/os:1", label: "", fs: ext2 }
  passive: { source: "docker://registry.example/os:0" }
recovery: { label: "", recovery: { source: "docker://registry.example/os:0", label: "" } }
oem: { label: "" }
`;

  test('the systems in it are known, and every label is there when it is written again', () => {
    const state = parseState(broken);
    expect(state.active?.source).toBe('docker://registry.example/os:1');
    expect(load(formatState(state, NOW))).toMatchObject({
      state: { label: 'COS_STATE', active: { label: 'COS_ACTIVE' }, passive: { label: 'COS_PASSIVE' } },
      recovery: { label: 'COS_RECOVERY', recovery: { label: 'COS_SYSTEM' } },
      oem: { label: 'COS_OEM' },
      persistent: { label: 'COS_PERSISTENT' },
      efi: { label: 'COS_GRUB' },
    });
  });

  test('a file that a power cut left empty is an empty record, not a failure', () => {
    expect(parseState('')).toEqual({});
    expect(load(formatState({}, NOW))).toMatchObject({ state: { label: 'COS_STATE' } });
  });
});

test.each([
  'os/etc/cos/grub.cfg',
  'os/etc/cos/bootargs.cfg',
  'src/boot/assessment.ts',
  'src/boot/grub-program.ts',
  'src/boot/install-grub.ts',
])('a search of GRUB that looks at floppy drives hangs (harvester#2115): %s', (file) => {
  const text = readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
  const searches = text.match(/\bsearch (?:--?\w.*)$/gm) ?? [];
  expect(searches).not.toEqual([]);
  for (const search of searches) expect(search).toContain('--no-floppy');
});

test('a loop device of an entry that failed is let go before the next one (elemental-toolkit#1745)', () => {
  const menu = readFileSync(new URL('../../../os/etc/cos/grub.cfg', import.meta.url), 'utf8');
  const commands = menu.match(/\bloopback (?:-d )?loop0/g) ?? [];
  expect(commands.at(-1)).toBe('loopback loop0');
  expect(commands.filter((command) => command === 'loopback loop0')).toHaveLength(1);
  expect(commands).toContain('loopback -d loop0');
});
