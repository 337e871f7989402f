// A machine is installed from a disc: somebody answers the installer's questions on the serial console, each of them wrong
// at first, and logs in on what comes of it. About three minutes. An install that asks nobody is in the story of the network.

import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chooseEntry, driveWith, makeLiveMedium } from '../../lab/live-medium.ts';
import { type BootOptions, Machine } from '../../lab/machine/machine.ts';
import { settledTraces } from '../system/lifecycle/disk-image.ts';

const log = (line: string) => process.stdout.write(`    ${line}\n`);
const before = await settledTraces();
const INSTALL_MS = 900_000;
let directory: string;
let iso: string;
let machine: Machine | undefined;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-live-install-'));
  ({ iso } = await makeLiveMedium(directory, log));
});
afterAll(async () => {
  await machine?.powerCut();
  rmSync(directory, { recursive: true, force: true });
});

/** A machine with an empty disk and the disc in its drive. */
async function switchOn(name: string, disc: string, options: Partial<BootOptions> = {}): Promise<Machine> {
  await machine?.powerCut();
  const disk = join(directory, `${name}.img`);
  writeFileSync(disk, '');
  truncateSync(disk, 8 * 1024 ** 3);
  machine = await Machine.boot({
    disks: [{ file: disk, serial: 'target' }],
    logFile: join(directory, `${name}.log`),
    network: 'restricted',
    bootMenu: 'keep',
    extraArguments: driveWith(disc),
    memoryMiB: 1536,
    ...options,
  });
  return machine;
}

function running(): Machine {
  if (machine === undefined) throw new Error('the test before this one failed');
  return machine;
}

/** The hash that /etc/shadow has for a user says whether this is the password. */
const hasPassword = (user: string, password: string) =>
  `hash=$(getent shadow ${user} | cut -d: -f2) && [ "$hash" = "$(perl -e 'print crypt($ARGV[0], $ARGV[1])' '${password}' "$hash")" ]`;

describe('asked', () => {
  test('the installer is where the login would be, and takes no answer that can’t be used', async () => {
    const guest = await switchOn('asked', iso);
    await chooseEntry(guest, 1);
    const answer = async (prompt: string, line: string) => {
      await guest.waitFor(prompt);
      guest.send(`${line}\r`);
    };
    await answer('a number: ', '7');
    await answer('There is no disk "7" in the list.', '?');
    await answer('Nothing is written before', '1');
    await answer('Host name: ', 'my host');
    await answer('and no " ".', 'kelp');
    await answer('User [admin]: ', 'Me');
    await answer('begins with a small letter.', 'me');
    await answer('empty for none): ', '');
    await answer('no other: ', 'ssh-ed25519 AAAA');
    await answer('was all of the line pasted?', '<');
    await answer('empty for none): ', 'one thing');
    await answer('again: ', 'another thing');
    await answer('The two are not the same.', 'a long secret');
    await answer('again: ', 'a long secret');
    await answer('no other: ', 'github:..');
    await answer('There is no such account name.', '');
    await answer('[dhcp]: ', 'token ring');
    await answer('It is dhcp or static.', 'static');
    await answer('Network interface [', '');
    await answer('192.0.2.10/24: ', '10.0.2.77');
    await answer('The length of the network', '10.0.2.77/24');
    await answer('Gateway [none]: ', '192.0.2.1');
    await answer('is not in the network', '10.0.2.2');
    await answer('Name servers [none]: ', 'dns');
    await answer('by address.', '10.0.2.3');
    await answer('Time zone [UTC]: ', 'berlin');
    await answer('is Europe/Berlin meant?', 'Europe/Berlin');
    await answer('System to install [medium]: ', 'channel:system/cos');
    await answer('System to install [medium]: ', '');
    await answer('[reboot]: ', 'sleep');
    await answer('It is reboot, poweroff or stay.', '');
    await guest.waitFor(/1 {2}disk +\/dev\/vda, 8\.0 GiB, empty: IT WILL BE ERASED/);
    await answer('changes an answer: ', 'yes');
    await answer('The word is "erase"', 'erase');
    await guest.waitFor('Installed Holdfast demo 1 on /dev/vda', { timeoutMs: INSTALL_MS });
    // It was typed unseen.
    expect(readFileSync(guest.logFile, 'latin1')).not.toMatch(/one thing|another thing|a long secret|\$6\$/);
  });

  test('the machine restarts from its disk as it was told', async () => {
    const guest = running();
    await guest.waitForReset(0);
    await guest.login();
    expect(await guest.runChecked('cat /proc/cmdline; ls /run/cos')).toMatch(/active\.img[\s\S]*^active_mode$/m);
    expect(await guest.runChecked('hostname')).toBe('kelp\n');
    expect((await guest.run(hasPassword('me', 'a long secret'))).status).toBe(0);
    expect((await guest.run(hasPassword('me', 'another thing'))).status).not.toBe(0);
    expect(await guest.runChecked('readlink -f /etc/localtime')).toContain('Europe/Berlin');
    expect(
      await guest.runChecked('ip -o -4 address; ip route; networkctl dns 2>&1; cat /etc/systemd/network/05-*'),
    ).toMatch(/10\.0\.2\.77\/24[\s\S]*default via 10\.0\.2\.2/);
    await guest.runChecked('holdfast validate /oem/99_custom.yaml && test "$(stat -c %a /oem/99_custom.yaml)" = 600');
    await guest.runChecked('systemctl is-system-running --wait || true');
    expect(await guest.runChecked('systemctl --failed --no-legend --plain')).toBe('');
    expect(await guest.runChecked('holdfast status')).not.toMatch(/FAILED|PROBLEM/);
    await guest.powerOff();
  });
});

describe('afterwards', () => {
  test('this machine is as it was', async () => {
    expect(await settledTraces()).toEqual(before);
  });
});
