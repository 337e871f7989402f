// Boots a slot file's copy in a container: namespaces and a control group of its own, the new system's own init, no
// network, no devices. It ends when the system has said how it is, when its time is over, or when it ends by itself; and
// with this program, however that ends.

import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readTextWithin } from '../system/boundedtext.ts';
import { errnoOf, HoldfastError, messageOf } from '../system/errors.ts';
import { attachLoop } from '../system/loopdevices.ts';
import { listMounts, mountUntilEnd } from '../system/mounts.ts';
import type { ApplyContext } from '../system/plan.ts';
import { run, tailOf } from '../system/process.ts';
import { ENTER, initScript, LOOK_SCRIPT, SET_UP } from './container-script.ts';
import type { Place } from './places.ts';
import { readVerdict, type Verdict } from './verdict.ts';

export const CONTAINER_TOOLS = ['chroot', 'losetup', 'mount', 'setpriv', 'umount', 'unshare'] as const;

export interface ContainerRequest {
  /** A copy that may be written to. */
  slotFile: string;
  /** An own directory below /run. */
  workDirectory: string;
  /** This program, where it is one file that runs by itself. */
  executable: string | undefined;
  places: readonly Place[];
  /** What the system finds in /proc/cmdline. */
  commandLine: string;
  timeoutMs: number;
}

/** What was seen of one system. */
export interface Observation {
  /** Absent when it said nothing: {@link problem} says why. */
  verdict?: Verdict;
  problem: string;
  outputTail: string;
  /** What the container lacks that a real boot has, one sentence each. */
  notes: readonly string[];
  durationMs: number;
}

const LOOK_EVERY_MS = 200;
const TELL_EVERY_SECONDS = 10;
const MOST_TEXT_BYTES = 1 << 20;
const GROUP = /^holdfast-rehearsal-(\d+)$/;

/**
 * Boots and watches one system.
 * @throws HoldfastError HF-UNSUPPORTED where no container can be made here, HF-INTERRUPTED.
 */
export async function observeInContainer(
  request: ContainerRequest,
  context: Pick<ApplyContext, 'undo' | 'signal' | 'events'>,
): Promise<Observation> {
  const { workDirectory, timeoutMs } = request;
  const { undo } = context;
  const started = performance.now();
  for (const name of ['slot', 'root', 'upper', 'desk']) mkdirSync(join(workDirectory, name), { recursive: true });
  const desk = join(workDirectory, 'desk');
  // Bounded: the system that is looked at can write here.
  const closeDesk = await mountUntilEnd(undo, 'tmpfs', desk, {
    type: 'tmpfs',
    options: ['mode=700', 'size=16m', 'nosuid', 'nodev'],
  });
  furnishDesk(desk, request);
  const group = await makeControlGroup();
  const removeGroup = undo.always('end the rehearsal', () => endControlGroup(group));
  const { device, detach } = await attachLoop(undo, request.slotFile);
  const argv = [group, 'sh', '-c', SET_UP, 'set-up', device, workDirectory, desk, request.executable ?? ''];
  const words = request.places.flatMap((place) => [place.kind, 'from' in place ? place.from : '', place.path]);
  const container = run(['sh', '-c', ENTER, 'enter', ...argv, ...words], { graceMs: 1000, maxOutputBytes: 64 << 10 });
  const end = container.then(({ stderr, stdout }) => tailOf(stderr.trim() === '' ? stdout : stderr));
  // Awaited below in every case; until then nobody listens.
  end.catch(() => {});
  const seen = await watch(desk, end, { until: started + timeoutMs, signal: context.signal, tell: sayAlive(context) });
  const notes = linesOf(join(desk, 'notes'));
  const said = linesOf(join(desk, 'said')).slice(-10).join('\n');
  const hasStarted = existsSync(join(desk, 'started'));
  await removeGroup();
  const output = await end;
  await detach();
  const durationMs = performance.now() - started;
  if (seen === 'interrupted') throw new HoldfastError('HF-INTERRUPTED', 'interrupted while a system was rehearsed');
  if (seen === 'ended' && !hasStarted) {
    throw new HoldfastError('HF-UNSUPPORTED', 'no container can be made on this machine', {
      outputTail: output,
      hint: 'apply the plan without a rehearsal; the first boot of a new system is a trial in any case',
    });
  }
  const base = { notes, durationMs, problem: '', outputTail: said };
  try {
    if (seen === 'verdict') return { ...base, verdict: readVerdict(join(desk, 'verdict')) };
  } catch (error) {
    return { ...base, problem: messageOf(error) };
  } finally {
    await closeDesk();
  }
  const seconds = Math.round(timeoutMs / 1000);
  const problem =
    seen === 'late'
      ? `it said nothing within ${seconds} seconds`
      : 'its first process ended before the boot had come to its end';
  return { ...base, problem, outputTail: [said, output].filter((text) => text !== '').join('\n') };
}

/** A boot takes its time: every ten seconds it is said that it does. */
function sayAlive({ events }: Pick<ApplyContext, 'events'>): (seconds: number) => void {
  let told = 0;
  return (seconds) => {
    if (seconds < told + TELL_EVERY_SECONDS) return;
    told += TELL_EVERY_SECONDS;
    events({ type: 'notice', level: 'info', text: `it has been starting, and asked how it is, for ${told} seconds` });
  };
}

type Seen = 'verdict' | 'ended' | 'late' | 'interrupted';

async function watch(
  desk: string,
  end: Promise<unknown>,
  { until, signal, tell }: { until: number; signal: AbortSignal; tell: (seconds: number) => void },
): Promise<Seen> {
  const started = performance.now();
  let ended = false;
  const noteEnd = () => {
    ended = true;
  };
  end.then(noteEnd, noteEnd);
  for (;;) {
    if (existsSync(join(desk, 'verdict'))) return 'verdict';
    if (ended) return 'ended';
    if (signal.aborted) return 'interrupted';
    if (performance.now() > until) return 'late';
    tell((performance.now() - started) / 1000);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

function furnishDesk(desk: string, { executable, commandLine }: ContainerRequest): void {
  writeFileSync(join(desk, 'init'), initScript());
  writeFileSync(join(desk, 'look'), LOOK_SCRIPT);
  chmodSync(join(desk, 'look'), 0o755);
  writeFileSync(join(desk, 'cmdline'), `${commandLine}\n`);
  writeFileSync(join(desk, 'machine-id'), machineId());
  // What the program is mounted over.
  if (executable !== undefined) writeFileSync(join(desk, 'holdfast'), '');
}

/** As on this machine, so that what is kept by it is found. */
function machineId(): string {
  try {
    const text = readTextWithin('/etc/machine-id', MOST_TEXT_BYTES).trim();
    if (/^[0-9a-f]{32}$/.test(text)) return `${text}\n`;
  } catch {
    // A machine without one: any will do.
  }
  return `${'0123456789abcdef'.repeat(2)}\n`;
}

function linesOf(file: string): string[] {
  try {
    return readTextWithin(file, MOST_TEXT_BYTES)
      .split('\n')
      .filter((line) => line !== '');
  } catch (error) {
    return errnoOf(error) === 'ENOENT' ? [] : [messageOf(error)];
  }
}

/** A control group of its own, with a bound on memory where the kernel keeps one. */
async function makeControlGroup(): Promise<string> {
  const top = listMounts().find(({ type }) => type === 'cgroup2')?.mountPoint;
  if (top === undefined) {
    throw new HoldfastError('HF-UNSUPPORTED', 'no container can be made on this machine: it has no cgroup2', {
      hint: 'apply the plan without a rehearsal; the first boot of a new system is a trial in any case',
    });
  }
  // Of a rehearsal that was killed; its processes went with it.
  for (const name of readdirSync(top)) {
    const pid = GROUP.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) await endControlGroup(join(top, name));
  }
  const group = join(top, `holdfast-rehearsal-${process.pid}`);
  mkdirSync(group, { recursive: true });
  const bound = join(group, 'memory.max');
  // A copy of all services must not push out the real ones.
  if (existsSync(bound)) writeFileSync(bound, `${Math.floor(availableBytes() * 0.8)}`);
  return group;
}

function availableBytes(): number {
  const kib = /^MemAvailable:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  return Number(kib ?? '1048576') * 1024;
}

/** Ends all that runs in a control group, and removes it. */
export async function endControlGroup(group: string): Promise<void> {
  for (let attempt = 0; attempt < 100 && existsSync(group); attempt++) {
    const groups = groupsBelow(group);
    const pids = groups.flatMap((directory) => linesOf(join(directory, 'cgroup.procs')).map(Number));
    for (const pid of pids) if (pid > 1 && pid !== process.pid) kill(pid);
    if (pids.length === 0) {
      for (const directory of groups.reverse()) removeGroup(directory);
      if (!existsSync(group)) return;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (existsSync(group)) throw new HoldfastError('HF-IO', `${group} could not be removed: something runs in it`);
}

function groupsBelow(group: string): string[] {
  try {
    const below = readdirSync(group, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    return [group, ...below.flatMap(({ name }) => groupsBelow(join(group, name)))];
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}

function removeGroup(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    // Processes that are ending hold it for a moment.
    if (errnoOf(error) !== 'EBUSY' && errnoOf(error) !== 'ENOENT') throw error;
  }
}
