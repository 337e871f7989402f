// What happens when a slot doesn't boot: the line on the console, the note in GRUB's environment block on a real file
// system, and that the chain active, passive, recovery ends.

import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  parseGrubEnvironment,
  readGrubEnvironment,
  serialiseGrubEnvironment,
  writeGrubEnvironment,
} from '../../../src/boot/grub-environment.ts';
import { runChecked } from '../../../src/system/process.ts';
import { type InitramfsHost, initramfsHost, NOTE, SHELLS } from './initramfs-shell.ts';

let host: InitramfsHost;
let stateBlock = '';
let oemBlock = '';
beforeEach(async () => {
  host = initramfsHost();
  for (const name of ['state', 'oem']) mkdirSync(join(host.directory, name));
  stateBlock = join(host.directory, 'state/grub_oem_env');
  oemBlock = join(host.directory, 'oem/grubenv');
});
afterEach(() => host.remove());

// A file system of its own in memory: what is made writable and read-only again must not be the test machine's.
const mounted = () => `
  mkdir -p /run/initramfs/cos-state /run/cos /run/holdfast
  mount -t tmpfs -o size=1M tmpfs /run/initramfs/cos-state
  cp -a '${host.directory}/state/.' /run/initramfs/cos-state
  ls -i /run/initramfs/cos-state > /run/inodes
  mount -o remount,ro /run/initramfs/cos-state`;
const looked = () => `
  grep -q 'cos-state [^ ]* ro[ ,]' /proc/self/mounts
  ls -i /run/initramfs/cos-state | cmp - /run/inodes
  cp -a /run/initramfs/cos-state/. '${host.directory}/state'`;

/** Runs the script before the emergency shell; `calls` are the programs that would have changed the machine. */
async function emergency(
  commandLine: string,
  { slot = 'active', reason = 'it is broken', shell = 'dash', before = '' } = {},
) {
  writeFileSync(join(host.directory, 'calls'), '');
  writeFileSync(join(host.directory, 'console'), '');
  const result = await host.run('emergency', [], {
    commandLine,
    shell,
    before: `${mounted()}
      ${slot === '' ? '' : `printf 1 > /run/cos/${slot}_mode`}
      ${reason === '' ? '' : `echo '${reason}' > /run/holdfast/failure`}
      ${before}`,
    after: looked(),
  });
  expect(result.stderr).toBe('');
  const calls = readFileSync(join(host.directory, 'calls'), 'utf8');
  return {
    said: readFileSync(join(host.directory, 'console'), 'utf8').trim(),
    reboots: calls.includes('systemctl --force reboot\n'),
  };
}

const block = (file: string) => Object.fromEntries(readGrubEnvironment(file));

describe('a slot that does not boot', () => {
  test.each([
    ['active', '', 'fallback', 'the passive slot'],
    ['active', 'cos', 'fallback', 'the passive slot'],
    ['passive', '', 'recovery', 'the recovery system'],
    ['passive', 'fallback', 'recovery', 'the recovery system'],
  ])('%s, asked for as “%s”: the next is %s', async (slot, selected, next, name) => {
    for (const shell of SHELLS) {
      writeGrubEnvironment(stateBlock, { state_label: 'COS_STATE', next_entry: '' });
      expect(await emergency(`a holdfast.selected=${selected}`, { slot, shell })).toEqual({
        said: `holdfast: The ${slot} slot can't boot: it is broken. Restarting with ${name}; rd.shell on the kernel command line gives a shell here.`,
        reboots: true,
      });
      expect(block(stateBlock)).toEqual({
        state_label: 'COS_STATE',
        boot_failure: `${slot}:it is broken`,
        next_entry: next,
      });
      expect(statSync(stateBlock).size).toBe(1024);
      expect(await runChecked(['grub-editenv', stateBlock, 'list'])).toContain(`next_entry=${next}\n`);
    }
  });

  test('active although passive was asked for: GRUB couldn’t load that one, so recovery is next', async () => {
    writeGrubEnvironment(stateBlock, { boot_failure: 'active:an old reason' });
    expect((await emergency('holdfast.selected=fallback')).reboots).toBe(true);
    expect(block(stateBlock)).toEqual({
      boot_failure: 'passive:GRUB could not load it;active:it is broken',
      next_entry: 'recovery',
    });
  });

  test.each([
    ['active although recovery was asked for', 'holdfast.selected=recovery', 'active', 'There is nothing else to try'],
    [
      'passive although recovery was asked for',
      'holdfast.selected=recovery',
      'passive',
      'There is nothing else to try',
    ],
    ['recovery', 'holdfast.selected=', 'recovery', 'There is nothing else to try'],
    ['GRUB says nothing of next_entry', '', 'active', 'There is nothing else to try'],
    ['rd.shell', 'holdfast.selected= rd.shell', 'active', 'You asked for a shell'],
    ['rd.shell=1', 'holdfast.selected= rd.shell=1', 'active', 'You asked for a shell'],
    ['rd.cos.debug', 'holdfast.selected= rd.cos.debug', 'active', 'You asked for a shell'],
    ['rd.break=pre-mount', 'holdfast.selected= rd.break=pre-mount', 'active', 'You asked for a shell'],
  ])('the shell stays: %s', async (_, commandLine, slot, words) => {
    writeGrubEnvironment(stateBlock, { state_label: 'X' });
    const { said, reboots } = await emergency(commandLine, { slot });
    expect(said).toContain(`The ${slot} slot can't boot: it is broken. ${words}`);
    expect(reboots).toBe(false);
    expect(block(stateBlock)).toEqual({ state_label: 'X' });
  });

  test('a shell that somebody asked for without any failure gets no words', async () => {
    expect(await emergency('holdfast.selected= rd.break', { reason: '' })).toEqual({ said: '', reboots: false });
  });

  test('with rd.cos.disable it is none of our business', async () => {
    expect(await emergency('rd.cos.disable')).toEqual({ said: '', reboots: false });
  });

  test('no slot is known: the shell stays', async () => {
    const { said, reboots } = await emergency('holdfast.selected=', { slot: '' });
    expect([said, reboots]).toEqual([
      "holdfast: The system can't boot: it is broken. A shell follows; `journalctl` says more, `reboot` tries again.",
      false,
    ]);
  });

  test('the slot is known by the command line when no image was found', async () => {
    writeGrubEnvironment(stateBlock, {});
    await emergency('holdfast.selected= cos-img/filename=/cOS/passive.img', { slot: '' });
    expect(block(stateBlock)['next_entry']).toBe('recovery');
  });

  test.each([
    [
      '--quiet is-failed run-initramfs-cos\\\\x2dstate.mount',
      'the partition with the system images can not be mounted',
    ],
    ['--quiet is-failed sysroot.mount', 'the image /cOS/active.img can not be mounted'],
    ['--quiet is-failed cos-immutable-rootfs.service', 'the layout could not be mounted (holdfast mount)'],
    ['', 'the initramfs did not get to the root (failed units, none)'],
  ])('what failed, told by systemd: %s', async (call, reason) => {
    writeFileSync(join(host.directory, 'systemctl-yes'), `${call.replaceAll('\\\\', '\\')}\n`);
    writeGrubEnvironment(stateBlock, {});
    await emergency('holdfast.selected= cos-img/filename=/cOS/active.img', { reason: '' });
    expect(block(stateBlock)['boot_failure']).toBe(`active:${reason}`);
  });
});

describe('the note', () => {
  /** `before` can prepare the blocks' places; /oem is what the test machine has there. */
  async function note(args: readonly string[], { before = '', shell = 'dash' } = {}) {
    return await host.run(NOTE, args, {
      commandLine: '',
      shell,
      before: `${mounted()}\n${before}`,
      after: `${looked()}
cat /run/holdfast/boot_failure 2> /dev/null || true`,
    });
  }
  const oemMounted = () => `mkdir -p /run/holdfast; ln -s '${host.directory}/oem.img' /run/holdfast/oem`;
  async function oemImage(): Promise<void> {
    writeGrubEnvironment(oemBlock, { saved_entry: 'cos' });
    const image = join(host.directory, 'oem.img');
    await runChecked(['truncate', '--size=1M', image]);
    await runChecked(['mkfs.ext4', '-q', '-F', '-d', join(host.directory, 'oem'), image]);
  }
  async function oemBlockNow(): Promise<Record<string, string>> {
    const copy = join(host.directory, 'copy');
    await runChecked(['debugfs', '-R', `dump /grubenv ${copy}`, join(host.directory, 'oem.img')]);
    return block(copy);
  }

  test.each([
    ['there is none', () => {}],
    ['is no block of GRUB’s', () => writeFileSync(stateBlock, 'x'.repeat(1024))],
    ['has another size', () => writeFileSync(stateBlock, '# GRUB Environment Block\n####')],
  ])('goes to the OEM partition when the one on the state partition: %s', async (_, damage) => {
    damage();
    const was = existsSync(stateBlock) ? readFileSync(stateBlock) : undefined;
    await oemImage();
    expect((await note(['failed', 'active', 'why', 'fallback'], { before: oemMounted() })).status).toBe(0);
    expect(await oemBlockNow()).toEqual({ saved_entry: 'cos', boot_failure: 'active:why', next_entry: 'fallback' });
    expect(existsSync(stateBlock) ? readFileSync(stateBlock) : undefined).toEqual(was);
  });

  test('fails when there is no block at all, and nothing is promised', async () => {
    expect((await note(['failed', 'active', 'why', 'fallback'])).status).toBe(1);
    expect(existsSync(stateBlock)).toBe(false);
    const { said, reboots } = await emergency('holdfast.selected=');
    expect(said).toContain("GRUB can't be told to try the passive slot next, so a shell follows");
    expect(reboots).toBe(false);
  });

  test('a reason is harmless, whatever it holds', async () => {
    writeGrubEnvironment(stateBlock, {});
    await note(['failed', 'active', `a;b:c\n"next_entry=x" \\ $(reboot) é ${'long '.repeat(60)}`, 'fallback']);
    const { boot_failure: failure = '', ...rest } = block(stateBlock);
    expect(rest).toEqual({ next_entry: 'fallback' });
    expect(failure).toMatch(/^active:a b c next_entry x (?:[A-Za-z0-9 ./_,()'-])*$/);
    expect(failure.length).toBeLessThanOrEqual('active:'.length + 100);
  });

  test('in a full block only what boots next is noted', async () => {
    writeGrubEnvironment(stateBlock, { extra_cmdline: 'x'.repeat(930) });
    expect((await note(['failed', 'active', 'y'.repeat(90), 'fallback'])).status).toBe(0);
    expect(block(stateBlock)).toEqual({ extra_cmdline: 'x'.repeat(930), next_entry: 'fallback' });
    writeGrubEnvironment(stateBlock, { extra_cmdline: 'x'.repeat(975), next_entry: undefined });
    const full = readFileSync(stateBlock);
    expect((await note(['failed', 'active', 'y', 'fallback'])).status).toBe(1);
    expect(readFileSync(stateBlock)).toEqual(full);
  });

  test('`read` says what was noted; `booted` takes out what this slot made good', async () => {
    writeGrubEnvironment(stateBlock, { a: '1', boot_failure: 'active:one;passive:two' });
    expect((await note(['read'])).stdout).toBe('active:one;passive:two\n');
    expect((await note(['booted', 'passive'])).stdout).toBe('active:one\n');
    expect(block(stateBlock)).toEqual({ a: '1', boot_failure: 'active:one' });
    expect((await note(['booted', 'active'])).stdout).toBe('');
    expect(block(stateBlock)).toEqual({ a: '1' });
    const settled = readFileSync(stateBlock);
    expect((await note(['booted'], { before: 'printf 1 > /run/cos/active_mode' })).status).toBe(0);
    expect(readFileSync(stateBlock)).toEqual(settled);
  });

  test('a next_entry that GRUB could not erase is taken out, one that was set since is not', async () => {
    writeGrubEnvironment(stateBlock, { boot_failure: 'active:one', next_entry: 'fallback' });
    await note(['booted', 'passive']);
    expect(block(stateBlock)['next_entry']).toBe('fallback');
    await note(['booted', 'passive'], { before: 'echo fallback > /run/holdfast/next_entry_left' });
    expect(block(stateBlock)).toEqual({ boot_failure: 'active:one' });
  });

  test('every variable of a block survives, whatever it holds', async () => {
    const value = fc.string({
      unit: fc.constantFrom('a', ' ', '=', '\\', '\n', '#', '"', "'", '$', '`', '%', ';', 'é'),
      maxLength: 40,
    });
    const names = fc
      .stringMatching(/^[a-z][a-z0-9_]{0,8}$/)
      .filter((name) => !/^(?:boot_failure|next_entry)$/.test(name));
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(names, value, { maxKeys: 5 }),
        fc.constantFrom(...SHELLS),
        async (variables, shell) => {
          writeFileSync(stateBlock, serialiseGrubEnvironment(new Map(Object.entries(variables))));
          const was = Object.fromEntries(parseGrubEnvironment(readFileSync(stateBlock)));
          expect((await note(['failed', 'passive', 'why', 'recovery'], { shell })).status).toBe(0);
          expect(block(stateBlock)).toEqual({ ...was, boot_failure: 'passive:why', next_entry: 'recovery' });
        },
      ),
      { numRuns: 40 },
    );
  });
});
