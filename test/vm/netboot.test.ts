// A machine with an empty disk starts over the network, by the iPXE in its network card: it gets everything from a web server,
// runs live, takes its stage file from there and installs itself as that says, asking nobody and once. Another one is brought
// a root with one byte changed, and says so before anything of it runs. About four minutes.

import { closeSync, mkdtempSync, openSync, readSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DEMO_KERNEL_ARGUMENTS } from '../../lab/demo/content.ts';
import { ensureDemoImages } from '../../lab/demo/images.ts';
import { ensureExecutable } from '../../lab/executable.ts';
import { type BootOptions, Machine } from '../../lab/machine/machine.ts';
import { type PackageServer, servePackages } from '../../lab/packages/server.ts';
import { runChecked } from '../../src/system/process.ts';

const log = (line: string) => process.stdout.write(`    ${line}\n`);
/** Where the guest finds the web server. */
const ADDRESS = '10.0.2.100';
const INSTALL_MS = 900_000;
const CONFIG = `#cloud-config
install:
  auto: true
  device: auto
  force: true
  bundels: []
hostname: wrack
stages:
  initramfs:
    - users: { me: { passwd: "plain text", shell: /bin/bash } }
  network:
    - name: "A mark"
      commands: ["echo fetched > /run/from-the-network"]
`;

let directory: string;
let served: string;
let server: PackageServer;
let built: { memoryMiB: number; rootDigest: string; root: string };
let machine: Machine | undefined;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-netboot-'));
  served = join(directory, 'served');
  const { layout } = await ensureDemoImages({ log });
  const config = join(directory, 'config.yaml');
  writeFileSync(config, CONFIG);
  const executable = await ensureExecutable(log);
  const options = [
    ...['--output', served, '--url', `http://${ADDRESS}/`, '--cloud-config', config],
    // The fastest to pack.
    ...['--compression', 'lz4', '--extra-cmdline', DEMO_KERNEL_ARGUMENTS],
  ];
  const printed = await runChecked([executable, 'build-netboot', `oci-layout:${layout}:v1`, ...options, '--json']);
  built = JSON.parse(printed.trim().split('\n').at(-1) ?? '');
  server = await servePackages({ directory: served });
});
afterAll(async () => {
  await machine?.powerCut();
  await server?.close();
  rmSync(directory, { recursive: true, force: true });
});

/** A machine with an empty disk and nothing on its network but the web server. */
async function boot(name: string, firmware: BootOptions['firmware']): Promise<Machine> {
  const disk = join(directory, `${name}.img`);
  writeFileSync(disk, '');
  truncateSync(disk, 12 * 1024 ** 3);
  machine = await Machine.boot({
    disks: [{ file: disk, serial: 'target' }],
    logFile: join(directory, `${name}.log`),
    // To run it takes what the builder says; an install reads and writes more than that holds.
    memoryMiB: built.memoryMiB + 1024,
    network: 'restricted',
    forwards: [{ address: ADDRESS, port: server.port }],
    networkBoot: `http://${ADDRESS}/boot.ipxe`,
    ...(firmware && { firmware }),
  });
  return machine;
}

function running(): Machine {
  if (machine === undefined) throw new Error('the test before this one failed');
  return machine;
}

describe('a machine with UEFI and an empty disk', () => {
  test('runs from the network', async () => {
    expect(built.root).toBe('initrd');
    const guest = await boot('uefi', 'uefi');
    await guest.login();
    const fetched = await guest.runChecked(
      'for i in $(seq 300); do [ ! -e /run/from-the-network ] || break; sleep 1; done; cat /run/from-the-network',
    );
    expect(fetched).toBe('fetched\n');
    // Firmware and kernel come by one way, the stage file by another: the running system's own.
    const files = [...new Set(server.requests)].sort();
    expect(files).toEqual([
      '200 /boot.ipxe',
      '200 /cloud-config.yaml',
      '200 /initrd',
      '200 /kernel',
      '200 /rootfs.cpio',
    ]);
    const arguments_ = await guest.runChecked('cat /proc/cmdline');
    expect(arguments_).toContain(`rd.holdfast.rootdigest=${built.rootDigest} `);
    const journal = await guest.runChecked('journalctl -b -o cat --no-pager | grep rootdigest');
    expect(journal).toContain('Finished holdfast-rootdigest.service');
    const status = JSON.parse(await guest.runChecked('holdfast status --json'));
    expect(status.boot.mode).toBe('live');
    // The root is what came, writable in memory; the layout keeps out, the stages run.
    expect(await guest.runChecked('cat /run/rootfsbase/usr/share/holdfast-demo/version')).toBe('1\n');
    expect(await guest.runChecked('findmnt -no FSTYPE /')).toMatch(/^overlay\n|^ext4\n/);
    await guest.runChecked('touch /usr/bin/x && test ! -e /run/overlay');
    expect(await guest.runChecked('cd /run/cos && ls *_mode')).toBe('live_mode\n');
  });

  test('installs itself as its file says, and tells what of that it does not know', async () => {
    const guest = running();
    const result = await guest.runChecked(
      'until systemctl show -P ActiveState holdfast-install | grep -qv activating; do sleep 1; done; systemctl show -P Result holdfast-install',
      { timeoutMs: INSTALL_MS },
    );
    expect(result).toBe('success\n');
    const told = await guest.runChecked('journalctl --unit holdfast-install --output cat --no-pager');
    expect(told).toContain('install.bundels is no setting and has no effect');
    expect(told).toContain('Installed Holdfast demo 1 on /dev/vda');
    expect(await guest.runChecked('systemctl --failed --no-legend')).toBe('');
    const labels = await guest.runChecked('lsblk --noheadings --output LABEL /dev/disk/by-id/virtio-target | sort');
    expect(labels.split('\n').filter((label) => label !== '')).toEqual([
      'COS_GRUB',
      'COS_OEM',
      'COS_PERSISTENT',
      'COS_RECOVERY',
      'COS_STATE',
    ]);
    await guest.runChecked(
      'mkdir /run/look && mount -o ro LABEL=COS_STATE /run/look && test -s /run/look/cOS/active.img',
    );
    expect(
      await guest.runChecked('umount /run/look && mount -o ro LABEL=COS_OEM /run/look && cat /run/look/99_custom.yaml'),
    ).toBe(CONFIG);
    await guest.runChecked('umount /run/look');
  });

  test('is left alone when it is asked again', async () => {
    const guest = running();
    expect((await guest.run('systemctl start holdfast-install')).status).toBe(0);
    const told = await guest.runChecked('journalctl --unit holdfast-install --output cat --lines 8');
    expect(told).toContain('/dev/vda already holds an installed system, which this very request has installed');
    expect(await guest.runChecked('systemctl --failed --no-legend --plain')).toBe('');
    // Another request may say force; without it no other disk would do either.
    await guest.putFile('/run/other.yaml', CONFIG.replace('device: auto', 'device: /dev/vda'));
    await guest.putFile('/run/plain.yaml', CONFIG.replace('force: true', 'force: false'));
    const ask = (file: string) => guest.run(`holdfast installer --unattended --dry-run --from ${file}`);
    expect(await ask('/run/other.yaml')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('on /dev/vda: this would be done'),
    });
    expect(await ask('/run/plain.yaml')).toMatchObject({
      status: 57,
      stderr: expect.stringContaining('already holds an installed system: nothing'),
    });
    await guest.powerCut();
  });
});

test('a root with one byte changed ends the boot of a machine with BIOS, and it says why', async () => {
  const file = join(served, 'rootfs.cpio');
  const fd = openSync(file, 'r+');
  const at = 100 << 20;
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, at);
  byte.writeUInt8(byte.readUInt8(0) ^ 1);
  writeSync(fd, byte, 0, 1, at);
  closeSync(fd);
  const guest = await boot('bios', 'bios');
  const [, wanted] = await guest.waitFor(
    /the live system's root is damaged, or of another build than the kernel: its sha256 is [0-9a-f]{64}, it should be ([0-9a-f]{64})/,
  );
  expect(`sha256:${wanted}`).toBe(built.rootDigest);
});
