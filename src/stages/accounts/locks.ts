// Keeps other programs out while account files are replaced. Three customs exist, and each is served as far as Node
// can: shadow's lock files (useradd, vipw, …) are plain links and are held; /run/lock/NAME.lock (the entities library)
// is a flock and is held by flock(1); /etc/.pwd.lock (lckpwdf: passwd through PAM, systemd-sysusers) is an fcntl lock,
// which Node has no call for, so its holder is waited for, and the files are looked at once more before the renames.

import { spawn } from 'node:child_process';
import { existsSync, linkSync, readdirSync, readFileSync, rmSync, type Stats, statSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { errnoOf, HoldfastError } from '../../system/errors.ts';
import type { Root } from '../../system/root.ts';

/** glibc: lckpwdf gives up after 15 seconds; shadow tries 15 times, one second apart. */
const WAIT_MS = 15_000;
const POLL_MS = 100;
/** entities v0.8: ENTITY_DEFAULT_DELAY. */
const FLOCK_WAIT_MS = 5000;
/** flock(1)'s status for a lock that it didn't get. */
const FLOCK_CONFLICT = 75;

const PASSWORD_LOCK = '/etc/.pwd.lock';
const FLOCK_DIRECTORY = '/run/lock';

export interface LockOptions {
  signal?: AbortSignal | undefined;
  /** How long a lock of someone else is waited for; default 15 seconds. */
  waitMs?: number;
}

/**
 * Runs an action while these files are locked, and releases them however it ends.
 * @param paths account files inside the root, in the order in which they are locked.
 * @throws HoldfastError HF-LOCKED when somebody else keeps a lock, HF-INTERRUPTED when the signal was aborted.
 */
export async function withAccountLocks<T>(
  root: Root,
  paths: readonly string[],
  options: LockOptions,
  action: () => Promise<T>,
): Promise<T> {
  const held: (() => Promise<void> | void)[] = [];
  try {
    for (const path of paths) held.push(await holdShadowLock(root.resolve(path, { followLast: false }), options));
    // In a system that isn't running, nobody has made that directory, and nobody looks there.
    if (root.stat(FLOCK_DIRECTORY)?.isDirectory()) {
      const names = paths.map((path) => `${FLOCK_DIRECTORY}/${path.slice(path.lastIndexOf('/') + 1)}.lock`);
      held.push(
        await holdFlocks(
          names.map((name) => root.resolve(name)),
          options,
        ),
      );
    }
    return await action();
  } finally {
    for (const release of held.reverse()) await release();
  }
}

/** Waits until no other process holds the lock of lckpwdf(3). */
export async function waitForPasswordLock(root: Root, options: LockOptions = {}): Promise<void> {
  const path = root.resolve(PASSWORD_LOCK);
  await waitFor(options, () => {
    const holder = lockHolder(path);
    return holder === undefined ? { got: true } : { holder };
  });
}

/** shadow 4.13, commonio.c: a file with the own process number, linked to NAME.lock; one of a dead process is void. */
async function holdShadowLock(path: string, options: LockOptions): Promise<() => void> {
  const lock = `${path}.lock`;
  const own = `${path}.${process.pid}`;
  writeFileSync(own, `${process.pid}\0`, { mode: 0o600 });
  try {
    await waitFor(options, () => {
      if (tryLink(own, lock)) return { got: true };
      const holder = readHolder(lock);
      if (holder !== undefined && isAlive(holder)) return { holder: `process ${holder} (${lock})` };
      rmSync(lock, { force: true });
      return tryLink(own, lock) ? { got: true } : { holder: lock };
    });
  } finally {
    rmSync(own, { force: true });
  }
  return () => rmSync(lock, { force: true });
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** undefined for a file that says nothing, as a crash leaves it. */
function readHolder(lock: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(lock, 'latin1').slice(0, 31), 10);
    return pid > 0 ? pid : undefined;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  // Two of our own roots never share a file, so a lock of this very process is one that was left by its number.
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ESRCH';
  }
}

/**
 * Holds flocks in a chain of flock(1), which ends with us however we end. As with the entities library, files that were
 * made for it don't stay. One that waits for a removed file may hold it beside the next one: among ourselves shadow's
 * locks, taken before, keep that out. Where there is no flock(1) there is no such lock, and no tool that takes it.
 */
async function holdFlocks(
  files: readonly string[],
  { signal, waitMs = FLOCK_WAIT_MS }: LockOptions,
): Promise<() => Promise<void>> {
  const seconds = Math.min(waitMs, FLOCK_WAIT_MS) / 1000;
  const options = ['--no-fork', '--timeout', String(seconds), '--conflict-exit-code', String(FLOCK_CONFLICT)];
  // `cat` prints a line back once it runs, that is once all locks are held.
  const made = files.filter((file) => !existsSync(file));
  const removeMade = () => {
    for (const file of made) rmSync(file, { force: true });
  };
  const [program = 'cat', ...argv] = [...files.flatMap((file) => ['flock', ...options, file]), 'cat'];
  const child = spawn(program, argv, { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  ended.catch(() => {});
  child.stdin.on('error', () => {});
  child.stdin.write('held\n');
  const abort = () => child.kill();
  signal?.addEventListener('abort', abort, { once: true });
  const release = async () => {
    removeMade();
    child.stdin.end();
    await ended;
  };
  try {
    const held = new Promise<'held'>((resolve) => child.stdout.once('data', () => resolve('held')));
    const first = await Promise.race([held, ended]);
    if (first === 'held') return release;
    throwIfAborted(signal);
    if (first === FLOCK_CONFLICT) throw lockedBy(`the holder of a lock in ${FLOCK_DIRECTORY}`);
    throw new HoldfastError('HF-IO', `the locks ${files.join(', ')} can't be taken`);
  } catch (error) {
    removeMade();
    if (errnoOf(error) === 'ENOENT') return async () => {};
    throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** Who holds an fcntl lock on a file, by /proc/locks; never this process. */
function lockHolder(path: string): string | undefined {
  const file = statSync(path, { throwIfNoEntry: false });
  if (file === undefined) return undefined;
  for (const line of readLines('/proc/locks')) {
    const [, pid = '', place] = line.match(/^\d+: +(?:POSIX|OFDLCK) +\S+ +WRITE +(-?\d+) (\S+) /) ?? [];
    if (place === undefined || !place.endsWith(`:${file.ino}`)) continue;
    // A lock of an open file (OFD) names no process.
    if (Number(pid) <= 0) {
      if (place === lockPlace(file)) return 'another process';
    } else if (Number(pid) !== process.pid && hasOpen(pid, file)) {
      // The table's device number isn't stat's on overlayfs and btrfs: the holder's open files decide.
      return `process ${pid}`;
    }
  }
  return undefined;
}

/** A file as /proc/locks names it: major and minor number of the device in hexadecimal, and the inode. */
function lockPlace({ dev, ino }: Stats): string {
  const device = BigInt(dev);
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
  return `${hex(major)}:${hex(minor)}:${ino}`;
}

function hex(number: bigint): string {
  return number.toString(16).padStart(2, '0');
}

function hasOpen(pid: string, file: Stats): boolean {
  const directory = `/proc/${pid}/fd`;
  try {
    return readdirSync(directory).some((fd) => {
      const open = statSync(`${directory}/${fd}`, { throwIfNoEntry: false });
      return open?.ino === file.ino && open.dev === file.dev;
    });
  } catch {
    // It has ended meanwhile, or isn't ours to look at; then it can't hold root's lock either.
    return false;
  }
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'latin1').split('\n');
  } catch (error) {
    // Without /proc nobody's locks can be seen.
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

async function waitFor(
  { signal, waitMs = WAIT_MS }: LockOptions,
  attempt: () => { got: true } | { holder: string },
): Promise<void> {
  const end = performance.now() + waitMs;
  for (;;) {
    throwIfAborted(signal);
    const result = attempt();
    if ('got' in result) return;
    if (performance.now() > end) throw lockedBy(result.holder);
    await pause(POLL_MS, undefined, { signal }).catch(() => {});
  }
}

function lockedBy(holder: string): HoldfastError {
  return new HoldfastError('HF-LOCKED', `the account files are locked by ${holder}`, {
    hint: 'wait until it has finished, or end it',
  });
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', 'interrupted while waiting for the account files');
}
