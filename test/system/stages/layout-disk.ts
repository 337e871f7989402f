// A sparse disk image for layouts: a stage run on it, and what is then on it as other tools see it (sfdisk, blkid, checks
// of each filesystem, checksums), each partition by its place, since not every kernel makes nodes for partitions.

import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runStage, type StageResult } from '../../../src/stages/run.ts';
import { attachLoop } from '../../../src/system/loopdevices.ts';
import { mount, unmount } from '../../../src/system/mounts.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { run, runChecked } from '../../../src/system/process.ts';
import { Root } from '../../../src/system/root.ts';

export const MIB = 2 ** 20;

export interface Entry {
  number: number;
  startMib: number;
  sizeMib: number;
  type: string;
  uuid?: string;
  name?: string;
  attrs?: string;
  bootable?: boolean;
}

interface SfdiskEntry {
  node: string;
  start: number;
  size: number;
  type: string;
}

export class LayoutDisk {
  readonly directory = mkdtempSync(join(tmpdir(), 'holdfast-layout-'));
  readonly file = join(this.directory, 'disk.img');
  readonly #undo = new UndoStack();

  constructor(sizeMib: number) {
    writeFileSync(this.file, '');
    this.resize(sizeMib);
  }

  resize(sizeMib: number): void {
    truncateSync(this.file, sizeMib * MIB);
  }

  /** Writes a table: lines for sfdisk. */
  async table(kind: 'gpt' | 'dos', ...lines: string[]): Promise<void> {
    await runChecked(['sfdisk', '--quiet', this.file], { input: [`label: ${kind}`, ...lines, ''].join('\n') });
  }

  async entries(): Promise<Entry[]> {
    const json: { partitiontable: { partitions?: (SfdiskEntry & Omit<Entry, 'number'>)[] } } = JSON.parse(
      await runChecked(['sfdisk', '--json', this.file]),
    );
    return (json.partitiontable.partitions ?? []).map(({ node, start, size, ...rest }) => ({
      ...rest,
      number: Number(/\d+$/.exec(node)?.[0]),
      startMib: start / 2048,
      sizeMib: size / 2048,
    }));
  }

  /** "1 64 MiB ext4 COS_OEM oem": number, size, filesystem, its label and the partition's name, `-` for none. */
  async summary(): Promise<string[]> {
    const lines: string[] = [];
    for (const entry of await this.entries()) {
      const { TYPE = '-', LABEL = '-' } = await this.probe(entry);
      lines.push(`${entry.number} ${entry.sizeMib} MiB ${TYPE} ${LABEL} ${entry.name ?? '-'}`);
    }
    return lines;
  }

  async probe({ startMib, sizeMib }: Entry): Promise<Record<string, string>> {
    const place = ['--offset', String(startMib * MIB), '--size', String(sizeMib * MIB)];
    const { stdout } = await run(['blkid', '--probe', '--output', 'export', ...place, this.file]);
    return Object.fromEntries(stdout.split('\n').map((line) => line.split('=')));
  }

  /** One partition as a loop device, for as long as `work` takes. */
  async attached<T>(number: number, work: (device: string) => Promise<T> | T): Promise<T> {
    const entry = (await this.entries()).find((one) => one.number === number);
    if (entry === undefined) throw new Error(`there is no partition ${number}`);
    const undo = new UndoStack();
    try {
      const place = { offsetBytes: entry.startMib * MIB, sizeBytes: entry.sizeMib * MIB };
      return await work((await attachLoop(undo, this.file, place)).device);
    } finally {
      await undo.unwind(false);
    }
  }

  /** One partition mounted, for as long as `work` takes. */
  mounted<T>(number: number, work: (directory: string) => Promise<T> | T): Promise<T> {
    return this.attached(number, async (device) => {
      const directory = join(this.directory, 'mounted');
      mkdirSync(directory, { recursive: true });
      await mount(device, directory);
      try {
        return await work(directory);
      } finally {
        await unmount(directory);
      }
    });
  }

  /** A whole-disk loop device with partitions of the kernel's own, until {@link remove}. */
  async attachWhole(): Promise<string> {
    const device = (await runChecked(['losetup', '--find', '--show', '--partscan', this.file])).trim();
    this.#undo.always(`detach ${device}`, async () => {
      await run(['partx', '--delete', device]);
      await runChecked(['losetup', '--detach', device]);
    });
    await runChecked(['partx', '--update', device]);
    return device;
  }

  /** Mounts until {@link remove}. */
  async mountUntilEnd(device: string): Promise<string> {
    const directory = join(this.directory, `at-${device.replaceAll('/', '-')}`);
    await mount(device, directory);
    this.#undo.always(`unmount ${directory}`, () => unmount(directory));
    return directory;
  }

  /** The checksum of a partition's bytes, or of the first so many. */
  checksum({ startMib, sizeMib }: Pick<Entry, 'startMib' | 'sizeMib'>): string {
    const hash = createHash('sha256');
    const fd = openSync(this.file, 'r');
    try {
      const block = Buffer.alloc(4 * MIB);
      for (let at = startMib * MIB; at < (startMib + sizeMib) * MIB; ) {
        const got = readSync(fd, block, 0, Math.min(block.length, (startMib + sizeMib) * MIB - at), at);
        if (got === 0) break;
        hash.update(block.subarray(0, got));
        at += got;
      }
    } finally {
      closeSync(fd);
    }
    return hash.digest('hex');
  }

  /** The whole image. */
  fingerprint(): string {
    return createHash('sha256').update(readFileSync(this.file)).digest('hex');
  }

  async remove(): Promise<void> {
    const problems = await this.#undo.unwind(false);
    rmSync(this.directory, { recursive: true, force: true });
    if (problems.length > 0) throw new Error(problems.join('\n'));
  }
}

/** Random files in a directory, and a function that checks them. */
export function fill(directory: string, files = 5, bytes = 2 * MIB): (at: string) => boolean {
  const content = Array.from({ length: files }, () => randomBytes(bytes));
  for (const [index, data] of content.entries()) writeFileSync(join(directory, `file-${index}`), data);
  return (at) => content.every((data, index) => readFileSync(join(at, `file-${index}`)).equals(data));
}

export interface LayoutResult {
  outcome: StageResult['outcome'];
  /** Errors of the step. */
  errors: string[];
  warnings: string[];
  changed: readonly string[];
  /** What was said while it ran. */
  said: string[];
}

/** Runs the stage `partitioning` of a document. */
export async function runDocument(text: string, root = new Root('/')): Promise<LayoutResult> {
  const said: string[] = [];
  const result = await runStage({
    stage: 'partitioning',
    root,
    sources: [],
    documents: [{ name: 'layout.yaml', text }],
    events: (event) => {
      if (event.type === 'notice') said.push(event.text);
    },
  });
  return {
    outcome: result.outcome,
    errors: result.steps.flatMap(({ keys }) => keys.flatMap(({ error }) => error ?? [])),
    warnings: result.problems.map(({ message }) => message),
    changed: result.steps.flatMap(({ changedFiles }) => changedFiles),
    said,
  };
}

/** Runs one layout. */
export function runLayoutOn(device: string | object, layout: object, root?: Root): Promise<LayoutResult> {
  const value = { device: typeof device === 'string' ? { path: device } : device, ...layout };
  return runDocument(JSON.stringify({ stages: { partitioning: [{ layout: value }] } }), root);
}

/** That a layout ran and changed nothing. */
export const UNCHANGED = { outcome: 'ok', errors: [], warnings: [], changed: [] };

/** The read-only check of a filesystem; throws when it isn't clean. */
export async function checkFilesystem(type: string, device: string): Promise<void> {
  const checks: Record<string, [string, ...string[]]> = {
    xfs: ['xfs_repair', '-n', device],
    btrfs: ['btrfs', 'check', '--readonly', device],
    vfat: ['fsck.fat', '-n', device],
  };
  await runChecked(checks[type] ?? ['e2fsck', '-f', '-n', device]);
}
