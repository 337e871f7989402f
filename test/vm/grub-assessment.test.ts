// Boot assessment in the real GRUB: its state machine as a table, all of it in one start of GRUB, and then the stories of
// a new system that panics, under our menu and under that of cOS 0.8. Under a minute.

import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Machine } from '../../lab/machine/machine.ts';
import { oldEntry } from '../../lab/old-machine/files.ts';
import { armed } from '../../src/boot/assessment.ts';
import { placeAssessment } from '../../src/boot/assessment-files.ts';
import { readGrubEnvironment, writeGrubEnvironment } from '../../src/boot/grub-environment.ts';
import { probeFilesystem } from '../../src/system/filesystems.ts';
import { runChecked } from '../../src/system/process.ts';
import { BLOCK, CASES, TRIAL } from './assessment-cases.ts';
import { GrubRounds, type Mounted, writeToSlot } from './grub-rounds.ts';

const SCRIPT = readFileSync(join(import.meta.dirname, '../../os/usr/lib/holdfast/grub_boot_assessment'), 'utf8');
/** Where the driver finds what a case needs. */
const PARTITIONS = { holdfast: 'state', cos: 'recovery', none: 'oem' } as const;

let rounds: GrubRounds;
let uuids: Record<keyof typeof PARTITIONS, string>;
let results: Map<string, string>;

beforeAll(async () => {
  rounds = await GrubRounds.prepare((line) => process.stdout.write(`    ${line}\n`));
  results = await runTable();
});
afterAll(() => rounds?.end());

const active = (directory: string) => join(directory, 'cOS/active.img');
const uuidOf = async (file: string) => (await probeFilesystem(file)).uuid ?? '';

/** One start of GRUB with a menu that goes through all cases and says what became of each. */
async function runTable(): Promise<Map<string, string>> {
  const disk = await rounds.disk(async (mounted) => {
    await writeToSlot(active(mounted.state), '/usr/lib/holdfast/assess-deadline', 'there\n');
    for (const directory of [mounted.recovery, mounted.oem]) {
      await runChecked(['mkdir', '-p', join(directory, 'cOS')]);
      // Small, with a UUID of its own.
      writeFileSync(active(directory), '');
      truncateSync(active(directory), 2 ** 20);
      await runChecked(['mkfs.ext4', '-q', '-F', active(directory)]);
    }
    await writeToSlot(active(mounted.recovery), '/system/oem/08_boot_assessment.yaml', 'name: cOS\n');
    uuids = {
      holdfast: await uuidOf(active(mounted.state)),
      cos: await uuidOf(active(mounted.recovery)),
      none: await uuidOf(active(mounted.oem)),
    };
    for (const directory of Object.values(mounted)) writeGrubEnvironment(join(directory, 'boot_assessment'), {});
    writeFileSync(join(mounted.state, 'grub_boot_assessment'), SCRIPT);
    writeFileSync(join(mounted.state, 'grub2/grub.cfg'), driver());
  });
  const machine = await Machine.boot({
    disks: [{ file: disk }],
    logFile: join(rounds.directory, 'table.log'),
    firmware: 'bios',
    memoryMiB: 256,
    cpus: 1,
    network: 'none',
    bootMenu: 'keep',
  });
  try {
    await machine.waitFor(/END OF TABLE/);
  } finally {
    await machine.powerCut();
  }
  const printed = withoutBlanks(readFileSync(machine.logFile, 'latin1'));
  return new Map([...printed.matchAll(/#([RB]\d+)=([^|]*)\|/g)].map(([, key = '', text = '']) => [key, text]));
}

/** GRUB breaks lines at 80 columns, in place of a blank where there is one. */
const withoutBlanks = (text: string) => text.replace(/\s/g, '');

function driver(): string {
  const menuNames = ['default', 'fallback', 'selected_entry', 'boot_failure', 'default_fallback'];
  const more = ['enable_boot_assessment_always', 'disable_boot_assessment', 'default_menu_entry', 'oem_root'];
  const clear = [...BLOCK, ...menuNames, ...more].map((name) => `set ${name}=`).join('\n');
  const cases = CASES.map((each, index) => {
    const { prover = 'holdfast', block = {}, menu = {} } = each;
    const lines = (values: Record<string, string>) =>
      Object.entries(values)
        .map(([name, value]) => `set ${name}='${real(value, prover)}'`)
        .join('\n');
    return `${clear}
set state_root="$${PARTITIONS[prover]}_partition"
${lines(block)}
save_env --file "($state_root)/boot_assessment" ${BLOCK.join(' ')}
${clear}
set extra_active_cmdline=own
set extra_passive_cmdline=own
set extra_recovery_cmdline=
${lines({ default: '0', fallback: '1 2', ...menu })}
source "($state_partition)/grub_boot_assessment"
echo "#R${index}=$default,$fallback,$extra_active_cmdline,$extra_passive_cmdline,$extra_recovery_cmdline|"
${clear}
load_env --file "($state_root)/boot_assessment"
echo "#B${index}=${BLOCK.map((name) => `$${name}`).join(',')}|"
`;
  });
  return `serial --unit=0 --speed=115200
terminal_output serial
set state_partition="$root"
search --no-floppy --label --set=recovery_partition COS_RECOVERY
search --no-floppy --label --set=oem_partition COS_OEM
${cases.join('')}
echo "END OF TABLE"
sleep 60
`;
}

function real(value: string, prover: keyof typeof PARTITIONS): string {
  if (value === 'GOOD') return uuids[prover];
  return value === 'OTHER' ? '0b5c7f2e-1d1a-4d8e-9a53-6ad0f3a1c000' : value;
}

describe('the state machine', () => {
  test.each(CASES.map((each, index) => ({ ...each, index })))('$title', (each) => {
    const { menu = {}, prover = 'holdfast', block = {} } = each;
    const expected = [
      each.default ?? menu['default'] ?? '0',
      each.fallback ?? menu['fallback'] ?? '1 2',
      each.active ?? 'own',
      each.passive ?? 'own',
      each.recovery ?? '',
    ];
    expect(results.get(`R${each.index}`)?.split(',')).toEqual(expected.map(withoutBlanks));
    const after: Record<string, string> = each.after ?? block;
    expect(results.get(`B${each.index}`)?.split(',')).toEqual(BLOCK.map((name) => real(after[name] ?? '', prover)));
  });
});

/** As an upgrade leaves COS_STATE. */
async function arm({ state }: Mounted): Promise<void> {
  await writeToSlot(active(state), '/usr/lib/holdfast/assess-deadline', 'there\n');
  placeAssessment(state, SCRIPT);
  writeGrubEnvironment(join(state, 'boot_assessment'), armed(await uuidOf(active(state))));
}

/** The menu of cOS 0.8, reduced to what matters here: files are searched for on all partitions. */
const MENU_0_8 = `set timeout=1
search --no-floppy --file --set=custom_blk /grubcustom
set default=0
set fallback="0 1 2"
${oldEntry('active', 'cOS')}${oldEntry('passive', 'cOS (fallback)')}if [ "$custom_blk" ]; then
  source "($custom_blk)/grubcustom"
fi
`;

const imageOf = (words: readonly string[] = []) =>
  words.find((word) => word.startsWith('cos-img/filename='))?.slice(17);

describe('a new system that panics', () => {
  test('is tried once; then the passive one boots, and again', async () => {
    const disk = await rounds.disk(async (mounted) => {
      await arm(mounted);
      writeGrubEnvironment(join(mounted.oem, 'grubenv'), { extra_passive_cmdline: 'panic=-1' });
    });
    const { commandLines } = await rounds.boot({ firmware: 'bios', disks: [disk], boots: 3 });
    expect(commandLines.map(imageOf)).toEqual(['/cOS/active.img', '/cOS/passive.img', '/cOS/passive.img']);
    const [first = [], second = [], third = []] = commandLines;
    expect(first.join(' ')).toContain(` ${TRIAL}`);
    expect(first).not.toContain('upgrade_failure');
    expect(second.slice(-2)).toEqual(['panic=-1', 'upgrade_failure']);
    expect(third.slice(-1)).toEqual(['upgrade_failure']);
    await rounds.change(disk, async ({ state }) => {
      const block = readGrubEnvironment(join(state, 'boot_assessment'));
      expect(block.get('boot_assessment_failed')).toBe(await uuidOf(active(state)));
      expect(block.get('enable_boot_assessment')).toBe('');
    });
  });

  test('is tried once under the menu of cOS 0.8 as well', async () => {
    const disk = await rounds.disk(async (mounted) => {
      writeFileSync(join(mounted.state, 'grub2/grub.cfg'), MENU_0_8);
      writeFileSync(join(mounted.state, 'grubcustom'), 'set extra_cmdline=mine=1');
      await arm(mounted);
    });
    const { commandLines } = await rounds.boot({ firmware: 'uefi', disks: [disk], boots: 2 });
    const [first = [], second = []] = commandLines;
    expect([first, second].map(imageOf)).toEqual(['/cOS/active.img', '/cOS/passive.img']);
    expect(first.join(' ')).toContain(`mine=1 ${TRIAL}`);
    expect(second).toContain('upgrade_failure');
  });
});

test('a new system that GRUB can’t load has failed, and the passive one is told', async () => {
  const disk = await rounds.disk(async (mounted) => {
    await arm(mounted);
    await writeToSlot(active(mounted.state), '/boot/vmlinuz', 'no kernel\n');
  });
  const { commandLines } = await rounds.boot({ firmware: 'bios', disks: [disk] });
  expect(imageOf(commandLines[0])).toBe('/cOS/passive.img');
  expect(commandLines[0]?.slice(-2)).toEqual(['holdfast.assess=aside', 'upgrade_failure']);
});
