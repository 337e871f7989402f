// The QEMU driver on a real kernel. The guest is the demo system's base on an NVMe disk, which Debian's cloud kernel
// reads without an initramfs, with a shell as its first process: three seconds to a prompt on an idle host.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureBaseTar } from '../../../lab/demo/base.ts';
import { writeDemoFiles } from '../../../lab/demo/content.ts';
import { unpackTree } from '../../../lab/demo/layer.ts';
import { bunProgram } from '../../../lab/executable.ts';
import { probeAccelerator } from '../../../lab/machine/accelerator.ts';
import type { DirectKernel } from '../../../lab/machine/command-line.ts';
import { type BootOptions, Machine } from '../../../lab/machine/machine.ts';
import { servePackages } from '../../../lab/packages/server.ts';
import { runChecked } from '../../../src/system/process.ts';

const INIT = `#!/bin/bash
mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs tmpfs /run
modprobe -a virtio_net virtio_pci button evdev
echo "the guest is up"
while :; do setsid --wait bash -c 'exec bash --norc -i <>/dev/ttyS0 >&0 2>&1'; done
`;

let directory: string;
let disk: string;
let direct: DirectKernel;
let machine: Machine;
const boot = (options: Partial<BootOptions> = {}) =>
  Machine.boot({
    disks: [{ file: disk, bus: 'nvme' }],
    direct,
    memoryMiB: 512,
    network: 'none',
    logFile: join(directory, 'serial.log'),
    ...options,
  });

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-machine-test-'));
  const { path } = await ensureBaseTar({ log: () => {} });
  const tree = join(directory, 'tree');
  await runChecked(['mkdir', tree]);
  await unpackTree(path, tree);
  writeDemoFiles(tree, { 'lab-init': { text: INIT, mode: 0o755 } }, { timeSeconds: 1, whiteouts: false });
  disk = join(directory, 'disk.img');
  await runChecked(['mkfs.ext4', '-q', '-m', '0', '-d', tree, disk, '900M']);
  const kernel = readdirSync(join(tree, 'boot')).find((name) => name.startsWith('vmlinuz-')) ?? 'vmlinuz';
  await runChecked(['cp', join(tree, 'boot', kernel), join(directory, 'vmlinuz')]);
  await runChecked(['rm', '-rf', '--one-file-system', tree]);
  direct = {
    kernel: join(directory, 'vmlinuz'),
    commandLine: 'root=/dev/nvme0n1 rw init=/lab-init console=ttyS0 panic=1',
  };
  machine = await boot();
});

afterAll(async () => {
  await machine?.powerCut();
  rmSync(directory, { recursive: true, force: true });
});

describe('a machine', () => {
  test('runs commands and tells streams and status apart', async () => {
    await machine.waitFor('the guest is up');
    expect(await machine.run('echo out; echo err >&2; exit 3')).toEqual({
      status: 3,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    await expect(machine.runChecked('echo no >&2; false')).rejects.toThrow(/status 1 from: echo no/);
    expect(readFileSync(machine.commandLog, 'utf8')).toContain(
      '$ echo out; echo err >&2; exit 3\nout\n! err\n# status 3',
    );
  });

  test('has its whole console in the log, from the first line of the kernel', () => {
    const log = readFileSync(machine.logFile, 'latin1');
    expect(log).toContain('Linux version');
    expect(log).toContain('the guest is up');
  });

  test('gets results whole while the kernel prints on the same console', async () => {
    await machine.run('dmesg -n debug');
    const noise = 'for i in $(seq 300); do echo "<3>noise $i" >/dev/kmsg; done';
    const { stdout } = await machine.run(`(${noise}) & seq 5000; wait`);
    expect(stdout).toBe(Array.from({ length: 5000 }, (_, index) => `${index + 1}\n`).join(''));
    await machine.run('dmesg -n emerg');
  });

  test('loses nothing of what the kernel prints while nobody reads the console', async () => {
    await machine.run('dmesg -n debug');
    const lines = 200;
    await machine.run(
      `(sleep 1; for i in $(seq ${lines}); do echo "<3>busy line $i." >/dev/kmsg; done) >/dev/null 2>&1 &`,
    );
    // This process stands still, as on a busy host.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 4000);
    await machine.run(`until dmesg | grep -q 'busy line ${lines}\\.'; do sleep 0.2; done; dmesg -n emerg`);
    const printed = readFileSync(machine.logFile, 'latin1').match(/busy line \d+\.\r?$/gm) ?? [];
    expect(printed).toHaveLength(lines);
  });

  test('carries files both ways', async () => {
    const bytes = Buffer.from(Array.from({ length: 9000 }, (_, index) => (index * 31) % 256));
    await machine.putFile("/root/a b/it's", bytes, 0o600);
    expect((await machine.getFile("/root/a b/it's")).equals(bytes)).toBe(true);
    expect(await machine.runChecked('stat -c %a "/root/a b/it\'s"')).toBe('600\n');
  });

  test('says what was on the console when something takes too long, and is of use afterwards', async () => {
    await expect(machine.run('echo "<0>here it hangs" >/dev/kmsg; sleep 1000', { timeoutMs: 2000 })).rejects.toThrow(
      /did not end within 2 s: .*[\s\S]*here it hangs/,
    );
    expect(await machine.runChecked('echo still here')).toBe('still here\n');
  });

  test('is another boot after a restart, never the old one', async () => {
    const before = machine.bootId;
    await machine.runChecked('echo kept >/kept; sync; echo gone >/run/gone');
    await machine.reboot({ command: 'echo b >/proc/sysrq-trigger' });
    expect(machine.bootId).not.toBe(before);
    expect(machine.resets).toBe(1);
    expect(await machine.runChecked('cat /kept; ls /run/gone 2>&1 | wc -l')).toBe('kept\n1\n');
  });

  test('fails a command at once when the machine restarts under it', async () => {
    await expect(machine.run('sleep 1; echo b >/proc/sysrq-trigger; sleep 1000')).rejects.toThrow(
      'the machine restarted',
    );
    expect(await machine.runChecked('echo up again')).toBe('up again\n');
    await machine.reset();
    expect(await machine.runChecked('echo and again')).toBe('and again\n');
  });

  test('keeps on a raw disk what it had sent there when the power is cut, and no more', async () => {
    await machine.runChecked(
      'echo direct | dd of=/direct oflag=direct,sync bs=512 conv=sync status=none; echo cached >/cached',
    );
    const { pid } = machine;
    await machine.powerCut();
    expect(machine.isRunning).toBe(false);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    await expect(machine.run('true', { timeoutMs: 1000 })).rejects.toThrow('the machine is off');
    machine = await boot({ appendLog: true });
    expect(await machine.runChecked('tr -d "\\0" </direct; test ! -s /cached && echo not cached')).toBe(
      'direct\nnot cached\n',
    );
  });

  test('leaves a disk alone whose writes are thrown away, over restarts too', async () => {
    await machine.powerCut();
    const copy = await boot({ disks: [{ file: disk, bus: 'nvme', throwAway: true }] });
    try {
      await copy.runChecked('echo new >/only-here; sync');
      await copy.reboot({ command: 'echo b >/proc/sysrq-trigger' });
      expect(await copy.runChecked('cat /only-here')).toBe('new\n');
    } finally {
      await copy.powerCut();
    }
    machine = await boot();
    expect((await machine.run('cat /only-here')).status).not.toBe(0);
  });

  test('reaches forwards on a restricted network, several at a time, and nothing else', async () => {
    await machine.powerCut();
    writeFileSync(join(directory, 'hello'), 'hello from the lab\n');
    const server = await servePackages({ directory });
    machine = await boot({ network: 'restricted', forwards: [{ address: '10.0.2.100', port: server.port }] });
    try {
      await machine.runChecked('ip link set eth0 up && ip address add 10.0.2.15/24 dev eth0');
      const get = (address: string, port: number) =>
        `(exec 3<>/dev/tcp/${address}/${port}; printf 'GET /hello HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3 | tail -n 1)`;
      const both = await machine.runChecked(`${get('10.0.2.100', 80)} & ${get('10.0.2.100', 80)}; wait`);
      expect(both).toBe('hello from the lab\nhello from the lab\n');
      expect((await machine.run(`timeout 5 bash -c ${JSON.stringify(get('10.0.2.2', server.port))}`)).stdout).toBe('');
    } finally {
      await server.close();
    }
  });
});

test('a machine does not outlive the process that started it, even if that is killed', async () => {
  await machine.powerCut();
  const script = join(directory, 'orphan.ts');
  const module = join(import.meta.dirname, '../../../lab/machine/machine.ts');
  const options = { disks: [], direct, network: 'none', logFile: join(directory, 'orphan.log') };
  writeFileSync(
    script,
    `import { Machine } from ${JSON.stringify(module)};\n` +
      `const machine = await Machine.boot(${JSON.stringify(options)});\nconsole.log(machine.pid);\nawait machine.untilOff();\n`,
  );
  const child = spawn(bunProgram(), [script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [chunk]: Buffer[] = await once(child.stdout, 'data');
  const pid = Number(chunk?.toString());
  expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toContain('qemu-system-x86_64');
  child.kill('SIGKILL');
  await expect.poll(() => isRunning(pid), { timeout: 20_000 }).toBe(false);
});

test('a guest of 512 bytes proves that an accelerator works', async () => {
  expect(await probeAccelerator('tcg', 60_000)).toBe(true);
});

/** Whether the process runs; one that has ended and that nobody has waited for doesn't. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
