// Rounds of GRUB alone: a disk as `install` makes it, whose slots hold Debian's kernel and nothing to mount as root. The
// kernel prints its command line on the serial port and panics, so one round over firmware, ESP, menu, environment and
// bootargs.cfg takes seconds.

import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ensureBaseTar } from '../../lab/demo/base.ts';
import { Machine } from '../../lab/machine/machine.ts';
import { thisMachine } from '../../lab/turn.ts';
import { writeGrubEnvironment } from '../../src/boot/grub-environment.ts';
import { buildGrubPrograms } from '../../src/boot/grub-program.ts';
import { OS_FILES } from '../../src/boot/os-files.generated.ts';
import { openImage } from '../../src/image/image.ts';
import { install } from '../../src/lifecycle/apply-install.ts';
import { mount, unmount } from '../../src/system/mounts.ts';
import { runChecked } from '../../src/system/process.ts';
import { Root } from '../../src/system/root.ts';
import { DiskImage } from '../system/lifecycle/disk-image.ts';

export type Firmware = 'uefi' | 'bios';

/** Where the partitions of a disk are mounted while a round is prepared. */
export interface Mounted {
  state: string;
  oem: string;
  recovery: string;
}

/** What a round changes on its disk before it boots. */
export type Preparation = (mounted: Mounted) => Promise<void> | void;

export interface RoundOptions {
  firmware: Firmware;
  /** In the firmware's order; the first one boots. */
  disks: readonly string[];
  /** Command lines to wait for; more than one means that the kernel's panic resets the machine in between. */
  boots?: number;
}

export interface RoundResult {
  /** The kernel's arguments of each boot, as words. */
  commandLines: string[][];
  /** What was printed since power-on. */
  console: string;
}

export class GrubRounds {
  readonly directory = mkdtempSync(join(tmpdir(), 'holdfast-grub-rounds-'));
  readonly tree = join(this.directory, 'tree');
  readonly #base = join(this.directory, 'base.img');
  #machine: Machine | undefined;
  #rounds = 0;

  static async prepare(log: (line: string) => void): Promise<GrubRounds> {
    const rounds = new GrubRounds();
    await rounds.#makeTree(log);
    writeFileSync(rounds.#base, '');
    truncateSync(rounds.#base, 4096 * 2 ** 20);
    const image = await openImage({ kind: 'dir', path: rounds.tree });
    await thisMachine.take(() =>
      install(
        { image, target: rounds.#base, strictness: 'chroot', force: false, cloudInit: [], bootEntry: false },
        { command: 'test', now: '2026-11-20T10:00:00.000Z' },
      ),
    );
    await rounds.change(rounds.#base, ({ state }) => {
      writeGrubEnvironment(join(state, 'grub_oem_env'), { timeout: '1' });
    });
    return rounds;
  }

  async #makeTree(log: (line: string) => void): Promise<void> {
    const base = await ensureBaseTar({ log });
    const boot = join(this.directory, 'kernel');
    mkdirSync(boot);
    await runChecked(['tar', '-xf', base.path, '-C', boot, '--strip-components=2', '--wildcards', './boot/vmlinuz-*']);
    mkdirSync(join(this.tree, 'boot'), { recursive: true });
    await runChecked(['sh', '-c', 'cp "$1"/vmlinuz-* "$2"', 'sh', boot, join(this.tree, 'boot/vmlinuz')]);
    writeFileSync(join(this.tree, 'boot/initrd'), 'nothing that a kernel could unpack\n');
    const root = new Root(this.tree);
    for (const path of ['/etc/cos/grub.cfg', '/etc/cos/bootargs.cfg']) {
      const file = OS_FILES[path];
      if (file !== undefined && 'text' in file) root.writeFile(path, file.text);
    }
    root.writeFile('/etc/os-release', 'NAME="Rounds"\nPRETTY_NAME="Rounds 1"\nGRUB_ENTRY_NAME="Round Robin"\n');
    root.writeFile('/etc/resolv.conf', 'nameserver 192.0.2.1\n');
    // As `holdfast init` builds it, with this machine's GRUB.
    await copyProgram(this.tree, '/usr/bin/grub-mkimage');
    root.writeFile('/usr/share/grub/unicode.pf2', readFileSync('/usr/share/grub/unicode.pf2'));
    for (const platform of ['x86_64-efi', 'i386-pc']) {
      cpSync(`/usr/lib/grub/${platform}`, join(this.tree, 'usr/lib/grub', platform), { recursive: true });
    }
    await buildGrubPrograms(root);
    rmSync(join(this.tree, 'usr/lib/grub'), { recursive: true });
  }

  /** A fresh copy of the installed disk, changed. */
  async disk(prepare?: Preparation): Promise<string> {
    this.#rounds += 1;
    const file = join(this.directory, `round-${this.#rounds}.img`);
    await runChecked(['cp', '--sparse=always', this.#base, file]);
    if (prepare !== undefined) await this.change(file, prepare);
    return file;
  }

  /** Changes the partitions of a disk that no machine uses. */
  async change(file: string, prepare: Preparation): Promise<void> {
    const labels = { state: 'COS_STATE', oem: 'COS_OEM', recovery: 'COS_RECOVERY' };
    await DiskImage.at(file).withPartitions(Object.values(labels), async (devices) => {
      const mounted: Mounted = { state: '', oem: '', recovery: '' };
      const done: string[] = [];
      try {
        for (const role of ['state', 'oem', 'recovery'] as const) {
          const device = devices[labels[role]];
          if (device === undefined) continue;
          mounted[role] = join(this.directory, 'mounted', role);
          mkdirSync(mounted[role], { recursive: true });
          await mount(device, mounted[role]);
          done.push(mounted[role]);
        }
        await prepare(mounted);
      } finally {
        for (const directory of done.reverse()) await unmount(directory);
      }
    });
  }

  /** Boots until the kernel has printed its command line as often as asked for, and cuts the power. */
  async boot({ firmware, disks, boots = 1 }: RoundOptions): Promise<RoundResult> {
    const machine = await Machine.boot({
      disks: disks.map((file) => ({ file })),
      logFile: join(this.directory, `round-${this.#rounds}.log`),
      firmware,
      memoryMiB: 512,
      cpus: 1,
      network: 'none',
      // A key would choose an entry, and what is chosen by hand has no fallback.
      bootMenu: 'keep',
    });
    this.#machine = machine;
    let end = '';
    machine.onOutput((chunk) => {
      // After an error GRUB waits ten seconds for somebody to have read it.
      end = (end + chunk.toString('latin1')).slice(-4096);
      if (!end.includes('any key')) return;
      end = '';
      machine.send(' ');
    });
    try {
      const commandLines: string[][] = [];
      for (let boot = 0; boot < boots; boot++) {
        const [, words = ''] = await machine.waitFor(/Kernel command line: ([^\r\n]*)\r?\n/);
        commandLines.push(words.split(' ').filter((word) => word !== ''));
      }
      return { commandLines, console: machine.consoleTail(10_000) };
    } finally {
      await machine.powerCut();
    }
  }

  async end(): Promise<void> {
    await this.#machine?.powerCut();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Puts a text into a slot file, in place of what is there. */
export async function writeToSlot(slotFile: string, path: string, text: string): Promise<void> {
  const source = `${slotFile}.text`;
  writeFileSync(source, text);
  const directories = path.split('/').slice(1, -1);
  for (const [depth] of directories.entries()) {
    // It says so on its standard output when the directory is there already.
    await runChecked(['debugfs', '-w', '-R', `mkdir /${directories.slice(0, depth + 1).join('/')}`, slotFile]);
  }
  await removeFromSlot(slotFile, path);
  await runChecked(['debugfs', '-w', '-R', `write ${source} ${path}`, slotFile]);
  rmSync(source);
}

export async function removeFromSlot(slotFile: string, path: string): Promise<void> {
  await runChecked(['debugfs', '-w', '-R', `rm ${path}`, slotFile]);
}

/** Gives a partition of a disk another file system label. */
export async function relabel(file: string, label: string, newLabel: string): Promise<void> {
  await DiskImage.at(file).withPartitions([label], async (devices) => {
    const device = devices[label] ?? '';
    await runChecked(label === 'COS_STATE' ? ['xfs_admin', '-L', newLabel, device] : ['e2label', device, newLabel]);
  });
}

/** Gives the partitions of a copied disk UUIDs of their own, as another installation has. */
export async function renewUuids(file: string): Promise<void> {
  await DiskImage.at(file).withPartitions(['COS_STATE', 'COS_OEM'], async (devices) => {
    await runChecked(['xfs_admin', '-U', 'generate', devices['COS_STATE'] ?? '']);
    await runChecked(['e2fsck', '-fp', devices['COS_OEM'] ?? '']);
    await runChecked(['tune2fs', '-U', 'random', devices['COS_OEM'] ?? '']);
  });
}

/** Copies a program of this machine with the libraries that it loads. */
async function copyProgram(tree: string, program: string): Promise<void> {
  const libraries = await runChecked(['ldd', program]);
  for (const file of [program, ...[...libraries.matchAll(/\/[^\s()]+/g)].map(([path]) => path)]) {
    const target = join(tree, file);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(realpathSync(file), target);
  }
}
