// One machine, two boots, everything that a boot of an installed system promises: all stages with the right root and in
// order, what is writable and what remains, the examples of the documentation as they stand there, what stage files ask for
// (stage-files.ts), and a failing stage that everybody sees until it is mended. About three minutes.

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installDemo } from '../../lab/demo/installed.ts';
import { ensureExecutable } from '../../lab/executable.ts';
import { Machine } from '../../lab/machine/machine.ts';
import { runChecked } from '../../src/system/process.ts';
import { DiskImage, settledTraces } from '../system/lifecycle/disk-image.ts';
import { ACCOUNTS, describeStageFiles, describeStageFilesAgain, SPOKEN, SYSTEM } from './stage-files.ts';
import { allStages, MARKERS, markerStages, parseMarkers } from './stage-markers.ts';

const log = (line: string) => process.stdout.write(`    ${line}\n`);
const before = await settledTraces();
const CORPUS = join(import.meta.dirname, '../fixtures/corpus');
let directory: string;
let machine: Machine;
let identity: string;

/** Kept over reboots in place of the image's own: a bind mount, as the documentation has it for /root. */
const LAYOUT = `stages:
  rootfs.after:
    - name: "Kept directories"
      environment_file: /run/cos/cos-layout.env
      environment:
        PERSISTENT_STATE_PATHS: "/root /etc/lab"
        PERSISTENT_STATE_BIND: "true"
`;
const FAILING = `stages:
  boot:
    - name: "Broken on purpose"
      commands:
        - echo "last words" >&2; exit 7
`;
const EXTRA = `stages:
  boot:
    - commands: ["echo from cos.setup > /run/from-cos-setup"]
`;

/** A disk that was in another machine: the same labels, a stage file, and a boot menu's block of its own. */
async function makeStrayDisk(file: string): Promise<void> {
  const tree = join(directory, 'stray');
  mkdirSync(tree);
  writeFileSync(join(tree, '99_stray.yaml'), 'stages:\n  rootfs:\n    - commands: ["touch /run/stray"]\n');
  await runChecked(['grub-editenv', join(tree, 'grubenv'), 'set', 'saved_entry=recovery']);
  const labels = ['COS_OEM', 'COS_RECOVERY', 'COS_STATE', 'COS_PERSISTENT'];
  const mib = 64;
  writeFileSync(file, '');
  truncateSync(file, (labels.length + 1) * mib * 2 ** 20);
  const table = labels.map((label, index) => `start=${(index * mib + 1) * 2048}, size=${mib * 2048}, name=${label}`);
  await runChecked(['sfdisk', '--quiet', file], { input: `label: gpt\n${table.join('\n')}\n` });
  for (const [index, label] of labels.entries()) {
    const offset = `offset=${(index * mib + 1) * 2 ** 20}`;
    await runChecked(['mkfs.ext4', '-q', '-F', '-L', label, '-d', tree, '-E', offset, file, `${mib}M`]);
  }
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-boot-'));
  const disk = join(directory, 'disk.img');
  const system = join(directory, 'system.yaml');
  writeFileSync(system, SYSTEM);
  await runChecked([await ensureExecutable(log), 'validate', '--strict', system, ACCOUNTS]);
  await installDemo(disk, { cloudInit: [system, ACCOUNTS], log });
  const data = join(directory, 'data.img');
  writeFileSync(data, '');
  truncateSync(data, 1024 ** 3);
  await DiskImage.at(disk).withMounted(
    'COS_OEM',
    (oem) => {
      for (const stage of ['rootfs', 'initramfs', 'fs', 'boot', 'network', 'reconcile']) {
        cpSync(join(CORPUS, `seed-stage-${stage}/root/oem/example.yaml`), join(oem, `80_seed_${stage}.yaml`));
      }
      writeFileSync(join(oem, '90_markers.yaml'), markerStages());
      writeFileSync(join(oem, '91_layout.yaml'), LAYOUT);
      writeFileSync(join(oem, '95_failing.yaml'), FAILING);
    },
    { writable: true },
  );
  await makeStrayDisk(join(directory, 'stray.img'));
  machine = await Machine.boot({
    disks: [
      { file: join(directory, 'stray.img'), serial: 'stray' },
      { file: disk, serial: 'system' },
      { file: data, serial: 'data' },
    ],
    logFile: join(directory, 'console.log'),
    network: 'restricted',
  });
  await machine.login();
  await machine.runChecked('systemctl is-system-running --wait || true');
});
afterAll(async () => {
  await machine?.powerCut();
  rmSync(directory, { recursive: true, force: true });
});

const guest = (script: string) => machine.runChecked(script);
const markers = async () => parseMarkers(await guest(`cat ${MARKERS}`));

describe('the first boot', () => {
  test('no unit has failed, although a stage has', async () => {
    expect(await guest('systemctl --failed --no-legend --plain')).toBe('');
    expect(await guest('systemctl is-system-running')).toBe('running\n');
  });

  test('every stage ran once, before and after included, in order', async () => {
    const stages = (await markers()).map(({ stage }) => stage);
    expect(stages.slice(0, 12)).toEqual(allStages(['pre-rootfs', 'rootfs', 'initramfs', 'fs']));
    // These two wait for different things: people and the network.
    const rest = stages.slice(12);
    for (const stage of ['boot', 'network']) {
      expect(rest.filter((name) => name.split('.')[0] === stage)).toEqual(allStages([stage]));
    }
    expect(rest).toHaveLength(6);
  });

  test('each stage had the root and the writable places that the documentation says', async () => {
    const of = Object.fromEntries((await markers()).map((marker) => [marker.stage, marker]));
    for (const stage of allStages(['pre-rootfs', 'rootfs'])) {
      // No /usr/local of the machine yet; `/` and all in it is the initramfs, the image can not be written.
      expect(of[stage]).toMatchObject({ root: 'initramfs', writable: expect.arrayContaining(['/', '/oem']) });
      expect(of[stage]?.writable).not.toContain('/sysroot/usr');
    }
    for (const stage of allStages(['initramfs', 'fs', 'boot', 'network'])) {
      const root = stage.startsWith('initramfs') ? 'new-root' : 'running';
      expect(of[stage]).toMatchObject({ root, writable: ['/etc', '/var', '/oem', '/usr/local'] });
    }
    for (const { modes } of await markers()) expect(modes).toEqual(['active_mode']);
    expect(await guest('ls /run/elemental; stat -c "%a %s" /run/cos/active_mode')).toMatch(/^active_mode\n600 1\n$/m);
  });

  test('the examples of the documentation did what they say', async () => {
    const layout = await guest('cat /run/cos/cos-layout.env');
    expect(layout).toContain('VOLUMES="LABEL=COS_OEM:/oem LABEL=COS_PERSISTENT:/usr/local"');
    expect(layout).toContain('OVERLAY="tmpfs:25%"');
    expect(await guest('findmnt -no FSTYPE /run/overlay')).toBe('tmpfs\n');
    await guest('test -e /etc/something_important && test -e /usr/local/something');
  });

  test('reconcile waits for its timer, and does its example once', async () => {
    const timer = await guest('systemctl show -p TimersMonotonic -p ActiveState cos-setup-reconcile.timer');
    expect(timer).toMatch(/OnBootUSec=5min/);
    expect(timer).toMatch(/OnUnitActiveUSec=1h/);
    expect(timer).toContain('ActiveState=active');
    await guest('test ! -e /run/sentinel');
    for (let run = 0; run < 2; run++) await guest('systemctl start cos-setup-reconcile.service');
    const stages = (await markers()).map(({ stage }) => stage).filter((stage) => stage.startsWith('reconcile'));
    expect(stages).toEqual([...allStages(['reconcile']), ...allStages(['reconcile'])]);
    await guest('test -e /run/sentinel');
  });

  test('the examples for installation, upgrade and reset run as conditions and shell say', async () => {
    for (const hook of [
      'before-install',
      'after-install',
      'before-upgrade',
      'after-upgrade',
      'before-reset',
      'after-reset',
    ]) {
      const name = `seed-stage-${hook}`;
      await machine.putFile(`/run/seeds/${name}.yaml`, readFileSync(join(CORPUS, name, 'root/oem/example.yaml')));
      const { steps } = JSON.parse(
        await guest(`holdfast cloud-init --json --stage ${hook} /run/seeds/${name}.yaml | tail -n 1`),
      );
      expect(steps.map((step: { outcome: string }) => step.outcome)).toEqual(['ok', 'skipped']);
    }
  });

  test('the kernel arguments name the partition, the image and its kind', async () => {
    const words = (await guest('cat /proc/cmdline')).trim().split(' ');
    expect(words).toEqual(
      expect.arrayContaining([
        'root=LABEL=COS_STATE',
        'cos-img/filename=/cOS/active.img',
        'cos.label=COS_ACTIVE',
        'panic=5',
      ]),
    );
    // Nobody has asked for a root overlay.
    await guest('test ! -e /run/cos/rootoverlay');
  });

  test('fstab says what is mounted, and nothing else', async () => {
    const table = (await guest("grep -v '^#' /etc/fstab"))
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/));
    expect(table.every((fields) => fields.length === 6)).toBe(true);
    for (const [, mountPoint] of table) await guest(`mountpoint -q ${mountPoint}`);
    expect(table.map(([, mountPoint]) => mountPoint)).toEqual(
      expect.arrayContaining(
        ['/', '/run/overlay', '/etc', '/var', '/oem', '/usr/local', '/root', '/etc/lab'].filter(
          (path) => path !== '/etc/lab',
        ),
      ),
    );
    expect(await guest('findmnt -no OPTIONS / | tr , "\\n" | grep -x ro')).toBe('ro\n');
  });

  test('who the machine is: an id of its own, host keys as soon as a server wants them', async () => {
    expect(await guest('cat /etc/machine-id')).toMatch(/^[0-9a-f]{32}\n$/);
    await guest('systemctl start ssh');
    identity = await guest(
      'cat /etc/machine-id; ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub; cat /proc/sys/kernel/hostname',
    );
    expect(identity).toContain('ED25519');
  });
});

describe('another disk with the same labels, before ours', () => {
  test('is left alone', async () => {
    const mounts = await guest('findmnt -nro SOURCE,TARGET');
    const system = (await guest('basename "$(readlink -f /dev/disk/by-id/virtio-system)"')).trim();
    for (const place of ['/run/initramfs/cos-state', '/oem', '/usr/local']) {
      expect(mounts).toMatch(new RegExp(`^/dev/${system}\\d ${place}$`, 'm'));
    }
    await guest('test ! -e /run/stray');
  });
});

describe('a stage that fails', () => {
  test('is one line on the console', () => {
    const lines = readFileSync(machine.logFile, 'utf8').split(/\r?\n/);
    expect(lines.filter((line) => /holdfast: Stage boot.*\(see: holdfast status\)/.test(line))).toHaveLength(1);
  });

  test('is in the journal with file, line and output', async () => {
    const journal = await guest('journalctl -b -o cat -u cos-setup-boot.service');
    expect(journal).toContain('/oem/95_failing.yaml:3');
    expect(journal).toContain('last words');
  });

  test('is in the status and in both banners', async () => {
    const status = await guest('holdfast status');
    expect(status).toContain('/oem/95_failing.yaml:3');
    expect(status).toContain('Broken on purpose');
    expect(await guest('cat /run/holdfast/login.issue')).toContain('holdfast status');
    expect(await guest('cat /run/motd.d/*')).toContain('holdfast status');
  });

  test('is forgotten when it has gone well', async () => {
    await guest('rm /oem/95_failing.yaml && holdfast run-stage boot --strict');
    expect(await guest('holdfast status')).not.toContain('95_failing');
    expect(await guest('cat /run/holdfast/login.issue /run/motd.d/* 2> /dev/null || true')).toBe('');
  });
});

describe('what stage files ask for', () => describeStageFiles(() => machine));

describe('the second boot, with debugrw, a forced check, and a file and a stage of the command line', () => {
  beforeAll(async () => {
    await guest('echo mine > /etc/mine; echo mine > /var/mine; echo kept > /root/kept; echo kept > /usr/local/kept');
    await machine.putFile('/usr/local/extra.yaml', EXTRA);
    await guest(
      `holdfast grubenv set 'extra_active_cmdline=rd.cos.debugrw fsck.mode=force fsck.repair=yes cos.setup=/usr/local/extra.yaml ${SPOKEN}'`,
    );
    await machine.reboot();
    await machine.runChecked('systemctl is-system-running --wait || true');
  });

  test('no unit has failed and no stage', async () => {
    expect(await guest('systemctl --failed --no-legend --plain')).toBe('');
    expect(await guest('cat /run/holdfast/login.issue 2> /dev/null || true')).toBe('');
  });

  test('what is ephemeral is gone, what is persistent is there, and it is the same machine', async () => {
    await guest('test ! -e /etc/mine && test ! -e /var/mine');
    expect(await guest('cat /root/kept /usr/local/kept')).toBe('kept\nkept\n');
    await guest('systemctl start ssh');
    expect(
      await guest(
        'cat /etc/machine-id; ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub; cat /proc/sys/kernel/hostname',
      ),
    ).toBe(identity);
  });

  test('everything can be written', async () => {
    await guest(
      'echo debug > /usr/bin/debug && rm /usr/bin/debug && touch /run/initramfs/cos-state/x && rm /run/initramfs/cos-state/x',
    );
  });

  test('the file systems were checked', async () => {
    const journal = await guest('journalctl -b -o cat -u holdfast-oem.service');
    expect(journal).toMatch(/COS_OEM: \d+\/\d+ files/);
    // The last boot had unmounted it: there is nothing to replay and nothing to mend.
    expect(journal).not.toMatch(/recovering journal|MODIFIED|had errors/);
  });

  test('cos.setup= was read', async () => {
    expect(await guest('cat /run/from-cos-setup')).toBe('from cos.setup\n');
  });

  describeStageFilesAgain(() => machine);

  test('it switches off, and this machine is as it was', async () => {
    await machine.powerOff();
    expect(await settledTraces()).toEqual(before);
  });
});
