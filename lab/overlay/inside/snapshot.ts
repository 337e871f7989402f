// A snapshot as the boot makes it, inside the guest: two loop devices and the kernel's `snapshot` target over them. The
// guest has no udev, so device-mapper makes its own nodes.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

export interface SnapshotFiles {
  base: string;
  cow: string;
}

export interface SnapshotOptions extends SnapshotFiles {
  /** `PO` (default) is what the boot uses; `P` turns invalid when it is full. */
  persistence?: 'P' | 'PO';
  /** `snapshot-merge` writes the exceptions back into the base. */
  target?: 'snapshot' | 'snapshot-merge';
  /** Default: one of its own. */
  name?: string;
  /** Default 8; a COW that has been used before keeps its own. */
  chunkSectors?: number;
}

let serial = 0;

/** Runs a program. @throws Error with what it printed when it fails. */
export function command(program: string, ...args: string[]): string {
  const env = { ...process.env, DM_DISABLE_UDEV: '1' };
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env });
}

export class Snapshot {
  readonly #name: string;
  readonly #loops: readonly string[];

  private constructor(name: string, loops: readonly string[]) {
    this.#name = name;
    this.#loops = loops;
  }

  /** @throws Error with the kernel's refusal. */
  static open(options: SnapshotOptions): Snapshot {
    const { base, cow, persistence = 'PO', target = 'snapshot', chunkSectors = 8, name = `test${++serial}` } = options;
    const writesBase = target === 'snapshot-merge';
    const loops: string[] = [];
    try {
      loops.push(command('losetup', '--find', '--show', ...(writesBase ? [] : ['--read-only']), base).trim());
      loops.push(command('losetup', '--find', '--show', cow).trim());
      const sectors = command('blockdev', '--getsz', loops[0] ?? '').trim();
      const table = `0 ${sectors} ${target} ${loops.join(' ')} ${persistence} ${chunkSectors}`;
      command('dmsetup', 'create', name, '--table', table);
    } catch (error) {
      for (const loop of loops) command('losetup', '--detach', loop);
      throw error;
    }
    return new Snapshot(name, loops);
  }

  get device(): string {
    return `/dev/mapper/${this.#name}`;
  }

  get cowLoop(): string {
    return this.#loops[1] ?? '';
  }

  /** What `dmsetup status` says, without start and length: `snapshot 16/8192 16`, `snapshot Overflow`. */
  status(): string {
    return command('dmsetup', 'status', this.#name).trim().split(' ').slice(2).join(' ');
  }

  close(): void {
    command('dmsetup', 'remove', '--retry', this.#name);
    for (const loop of this.#loops) command('losetup', '--detach', loop);
  }
}

/** What is read afterwards comes from the devices. */
export function dropCaches(): void {
  command('sync');
  writeFileSync('/proc/sys/vm/drop_caches', '3');
}
