// A machine is installed from a disc: somebody answers the installer's questions on the serial console, each of them wrong
// at first. Then its active image is gone, and `cos-upgrade` is typed on the disc's system: the machine boots its active system,
// and nobody has touched the passive one. About three minutes, two boots. An install that asks nobody is in the story of the
// network.

import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chooseEntry, driveWith, makeLiveMedium } from '../../lab/live-medium.ts';
import { Machine } from '../../lab/machine/machine.ts';
import { settledTraces } from '../system/lifecycle/disk-image.ts';

const log = (line: string) => process.stdout.write(`    ${line}\n`);
const before = await settledTraces();
const INSTALL_MS = 900_000;
/** Shows in the slot, and on the machine, what a hook of an upgrade on a live system sees. */
const HOOK = `stages:
  after-upgrade-chroot:
    - commands: ["cat /oem/mark /usr/local/mark > /usr/share/marks"]
`;
let directory: string;
let iso: string;
let machine: Machine | undefined;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-live-'));
  ({ iso } = await makeLiveMedium(directory, log));
});
afterAll(async () => {
  await machine?.powerCut();
  rmSync(directory, { recursive: true, force: true });
});

/** A machine with an empty disk and the disc in its drive. */
async function switchOn(): Promise<Machine> {
  const disk = join(directory, 'disk.img');
  writeFileSync(disk, '');
  truncateSync(disk, 8 * 1024 ** 3);
  machine = await Machine.boot({
    disks: [{ file: disk, serial: 'target' }],
    logFile: join(directory, 'console.log'),
    network: 'restricted',
    bootMenu: 'keep',
    extraArguments: driveWith(iso),
    memoryMiB: 1536,
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

describe('the installer', () => {
  test('is where the login would be, and takes no answer that can’t be used', async () => {
    const guest = await switchOn();
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
    await answer('It is reboot, poweroff or stay.', 'stay');
    await guest.waitFor(/1 {2}disk +\/dev\/vda, 8\.0 GiB, empty: IT WILL BE ERASED/);
    await answer('changes an answer: ', 'yes');
    await answer('The word is "erase"', 'erase');
    await guest.waitFor('Installed Holdfast demo 1 on /dev/vda', { timeoutMs: INSTALL_MS });
    // It was typed unseen.
    expect(readFileSync(guest.logFile, 'latin1')).not.toMatch(/one thing|another thing|a long secret|\$6\$/);
  });
});

describe('a machine without its active image, on the disc’s system', () => {
  const STATE = '/run/look';
  /** Any write to the file would change its times. */
  const passive = () =>
    running().runChecked(
      `mkdir -p ${STATE} && mount -o ro LABEL=COS_STATE ${STATE} && stat -c '%i %s %y %z' ${STATE}/cOS/passive.img; umount ${STATE}`,
    );
  let untouched: string;

  test('it is known what is installed, and what is wrong with it', async () => {
    const guest = running();
    // The installer leaves its terminal to the login.
    await guest.login();
    await guest.putFile('/run/90_hook.yaml', HOOK);
    await guest.runChecked(`mkdir -p ${STATE}
      mount LABEL=COS_OEM ${STATE} && cp /run/90_hook.yaml ${STATE}/ && echo oem > ${STATE}/mark && umount ${STATE}
      mount LABEL=COS_PERSISTENT ${STATE} && echo local > ${STATE}/mark && umount ${STATE}
      mount LABEL=COS_STATE ${STATE} && rm ${STATE}/cOS/active.img && umount ${STATE}`);
    untouched = await passive();
    const status = await guest.runChecked('holdfast status');
    expect(status).toContain('live system, from a medium or the network');
    expect(status).toMatch(/active\.img (is|does)/);
    expect((await guest.run('holdfast reset')).status).toBe(33);
  });

  test('cos-upgrade, as it is typed, makes it anew from the disc, and the passive system is left alone', async () => {
    const guest = running();
    const { status, stdout } = await guest.run('cos-upgrade', { timeoutMs: INSTALL_MS });
    expect(stdout).toMatch(/this is a live system: what is upgraded is the system that is installed on \/dev\/vda\d/);
    expect(stdout).toContain('Upgrade done, now you might want to reboot');
    expect(status).toBe(0);
    const state = await guest.runChecked('holdfast state');
    expect(state).toMatch(/active:[\s\S]*fromAction: upgrade[\s\S]*passive:[\s\S]*fromAction: install/);
    expect(await guest.runChecked('findmnt --noheadings /dev/vda4 || true')).toBe('');
    expect(await passive()).toBe(untouched);
  });
});

describe('from its disk', () => {
  test('the machine boots its active system, which is as the installer was told', async () => {
    const guest = running();
    await guest.reboot();
    expect(await guest.runChecked('cat /proc/cmdline; ls /run/cos')).toMatch(/active\.img[\s\S]*^active_mode$/m);
    expect(await guest.runChecked('cat /usr/share/marks')).toBe('oem\nlocal\n');
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
    const status = await guest.runChecked('holdfast status');
    expect(status).toMatch(/^active +Holdfast demo 1/m);
    expect(status).not.toMatch(/FAILED|PROBLEM/);
    await guest.powerOff();
    expect(await settledTraces()).toEqual(before);
  });
});
