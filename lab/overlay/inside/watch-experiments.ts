// The watch over a running overlay, in a root that is a view: a COW that is too small is filled while `holdfast overlay watch`
// runs, as a unit runs it. What the disk acknowledged has to be there after a reboot, whatever became of the COW.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { command, dropCaches, Snapshot, type SnapshotFiles } from './snapshot.ts';

const ROOT = '/run/newroot';
const BASE = '/run/initramfs/base';
const BACKING = '/run/initramfs/overlay';
const PROGRAM = '/run/delivery/holdfast';
const FILE_BYTES = 128 << 10;
/** Between two files while it runs, at least. */
const PACE_MS = 400;
/** So much of the COW is used before the watch begins; it then looks every second. */
const USED_BEFORE = 0.72;

export interface Watched {
  /** What ended the writing: an error's code, or `enough`. */
  end: string;
  /** Files that were written and synced. */
  acknowledged: number;
  /** Of the snapshot, when the writing had ended. */
  status: string;
  /** What the watch said. */
  said: string;
  /** Of the acknowledged files, those that are there after a reboot. */
  intact: number;
  /** What e2fsck said to the view then. */
  checkStatus: string;
}

/**
 * Fills a view in a root of its own.
 * @param options.base an ext4 with the directories of a root; the system's own /usr is bound into it.
 * @param options.enough ends after so many files.
 */
export async function watchOverlay(options: SnapshotFiles & { enough: number }): Promise<Watched> {
  const snapshot = Snapshot.open({ ...options, name: 'live-rw' });
  const bound: string[] = [];
  const bind = (source: string, target: string, ...flags: string[]) => {
    mkdirSync(target, { recursive: true });
    command('mount', ...flags, source, target);
    bound.push(target);
  };
  let watch: ChildProcess | undefined;
  let paceMs = PACE_MS;
  let said = '';
  let end = 'enough';
  let acknowledged = 0;
  let status: string;
  let baseLoop = '';
  try {
    // One of its own: the snapshot holds the other.
    baseLoop = command('losetup', '--find', '--show', '--read-only', options.base).trim();
    bind(baseLoop, BASE, '-o', 'ro');
    bind(dirname(options.cow), BACKING, '--bind');
    bind(snapshot.device, ROOT, '-o', 'errors=remount-ro');
    for (const path of ['usr', 'proc', 'sys', 'dev', 'run']) bind(`/${path}`, join(ROOT, path), '--rbind');
    writeRecord(options.cow);
    mkdirSync(join(ROOT, 'written'), { recursive: true });
    for (; end === 'enough' && acknowledged < options.enough; ) {
      if (watch === undefined && usedOf(snapshot.status()) > USED_BEFORE) {
        watch = spawn('chroot', [ROOT, PROGRAM, 'overlay', 'watch'], { stdio: ['ignore', 'pipe', 'pipe'] });
        for (const stream of [watch.stdout, watch.stderr]) stream?.on('data', (chunk) => (said += String(chunk)));
        // Its start and first look take as long as this machine is slow; what is written until the next ones has to fit.
        paceMs = Math.max(PACE_MS, (await firstWords(watch)) / 2);
      }
      end = writeOne(acknowledged);
      if (end !== 'enough') break;
      acknowledged += 1;
      if (watch?.exitCode === null) await new Promise((resolve) => setTimeout(resolve, paceMs));
    }
    status = snapshot.status();
  } finally {
    if (watch?.exitCode === null) {
      const gone = new Promise((resolve) => watch?.once('exit', resolve));
      watch.kill('SIGTERM');
      await gone;
    }
    for (const target of bound.reverse()) command('umount', '--recursive', target);
    if (baseLoop !== '') command('losetup', '--detach', baseLoop);
    snapshot.close();
  }
  return { end, acknowledged, status, said, ...afterReboot(options, acknowledged) };
}

/** Waits until a program says something or ends. @returns milliseconds. */
function firstWords(program: ChildProcess): Promise<number> {
  const begun = performance.now();
  return new Promise((resolve) => {
    const done = () => resolve(performance.now() - begun);
    program.stdout?.once('data', done);
    program.stderr?.once('data', done);
    program.once('exit', done);
  });
}

/** What the boot says of itself, as far as the watch asks. */
function writeRecord(cow: string): void {
  mkdirSync('/run/cos', { recursive: true });
  const file = join(BACKING, cow.slice(dirname(cow).length + 1));
  const lines = ['used=yes', `file=${file}`, `backing=${BACKING}`, `base=${BASE}`, 'readonly=no', 'permission=rw', ''];
  writeFileSync('/run/cos/rootoverlay', lines.join('\n'));
}

function writeOne(n: number): string {
  try {
    const fd = openSync(join(ROOT, `written/${n}`), 'w');
    try {
      writeSync(fd, contentOf(n));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    return 'enough';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}

function contentOf(n: number): Buffer {
  return Buffer.alloc(FILE_BYTES, `file ${n}\n`);
}

function usedOf(status: string): number {
  const [, allocated = 0, total = 1] = /^snapshot (\d+)\/(\d+) /.exec(status)?.map(Number) ?? [];
  return allocated / total;
}

function afterReboot(files: SnapshotFiles, acknowledged: number): { intact: number; checkStatus: string } {
  dropCaches();
  const snapshot = Snapshot.open(files);
  try {
    const checkStatus = command('sh', '-c', 'e2fsck -p "$1" >&2; echo $?', 'sh', snapshot.device).trim();
    try {
      command('mount', '-o', 'ro', snapshot.device, ROOT);
    } catch (error) {
      return { intact: 0, checkStatus: `${checkStatus}, ${snapshot.status()}: ${error}` };
    }
    try {
      const intact = Array.from({ length: acknowledged }, (_, n) => n).filter((n) => isIntact(n)).length;
      return { intact, checkStatus };
    } finally {
      command('umount', ROOT);
    }
  } finally {
    snapshot.close();
  }
}

function isIntact(n: number): boolean {
  try {
    return readFileSync(join(ROOT, `written/${n}`)).equals(contentOf(n));
  } catch {
    return false;
  }
}
