// A machine with an empty disk starts over the network, by the iPXE in its network card: it gets everything from a web server,
// runs live, takes its stage file from there and installs itself. Another one is brought a root with one byte changed, and
// says so before anything of it runs. About three minutes.

import { closeSync, mkdtempSync, openSync, readSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { DEMO_KERNEL_ARGUMENTS } from '../../lab/demo/content.ts';
import { ensureDemoImages } from '../../lab/demo/images.ts';
import { ensureExecutable } from '../../lab/executable.ts';
import { type BootOptions, Machine } from '../../lab/machine/machine.ts';
import { type PackageServer, servePackages } from '../../lab/packages/server.ts';
import { runChecked } from '../../src/system/process.ts';

const log = (line: string) => process.stdout.write(`    ${line}\n`);
/** Where the guest finds the web server. */
const ADDRESS = '10.0.2.100';
const STAGES = `stages:
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
  writeFileSync(config, STAGES);
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
afterEach(async () => {
  await machine?.powerCut();
  machine = undefined;
});
afterAll(async () => {
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
    memoryMiB: built.memoryMiB,
    network: 'restricted',
    forwards: [{ address: ADDRESS, port: server.port }],
    networkBoot: `http://${ADDRESS}/boot.ipxe`,
    ...(firmware && { firmware }),
  });
  return machine;
}

test('a machine with UEFI and an empty disk runs from the network and installs itself', async () => {
  expect(built.root).toBe('initrd');
  const guest = await boot('uefi', 'uefi');
  await guest.login();
  const fetched = await guest.runChecked(
    'for i in $(seq 300); do [ ! -e /run/from-the-network ] || break; sleep 1; done; cat /run/from-the-network',
  );
  expect(fetched).toBe('fetched\n');
  // Firmware and kernel come by one way, the stage file by another: the running system's own.
  const files = [...new Set(server.requests)].sort();
  expect(files).toEqual(['200 /boot.ipxe', '200 /cloud-config.yaml', '200 /initrd', '200 /kernel', '200 /rootfs.cpio']);

  const arguments_ = await guest.runChecked('cat /proc/cmdline');
  expect(arguments_).toContain(`rd.holdfast.rootdigest=${built.rootDigest} `);
  const journal = await guest.runChecked('journalctl -b -o cat --no-pager | grep rootdigest');
  expect(journal).toContain('Finished holdfast-rootdigest.service');
  const status = JSON.parse(await guest.runChecked('holdfast status --json'));
  expect(status.boot.mode).toBe('live');
  expect(await guest.runChecked('cat /run/rootfsbase/usr/share/holdfast-demo/version')).toBe('1\n');
  expect(await guest.runChecked('systemctl --failed --no-legend')).toBe('');

  await guest.runChecked('holdfast install /dev/disk/by-id/virtio-target --quiet');
  const labels = await guest.runChecked('lsblk --noheadings --output LABEL /dev/disk/by-id/virtio-target | sort');
  expect(labels.split('\n').filter((label) => label !== '')).toEqual([
    'COS_GRUB',
    'COS_OEM',
    'COS_PERSISTENT',
    'COS_RECOVERY',
    'COS_STATE',
  ]);
  await guest.runChecked(
    'mkdir /run/state && mount -o ro LABEL=COS_STATE /run/state && test -s /run/state/cOS/active.img',
  );
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
