// What one boot took, read from the booted system itself: systemd's own clock readings, the kernel's accounts of memory
// and disk, and the journal for the units of the initramfs, which systemd forgets when the root is switched.

import { HoldfastError } from '../../src/system/errors.ts';

/** What {@link BOOT_QUESTIONS} asks for. Seconds, MB of 1,000,000 bytes. */
export interface BootFigures {
  kernelSeconds: number;
  initrdSeconds: number;
  userspaceSeconds: number;
  /** initrd and userspace: what an operating system's files decide. */
  bootSeconds: number;
  /** What programs, tmpfs and the kernel hold when the kernel has given away what it kept of files. */
  memoryMb: number;
  /** What the kernel keeps of files, and gives away when programs need the memory. */
  cacheMb: number;
  readMb: number;
  reads: number;
  /** Seconds from the start to the end of starting, by unit; of those that the journal was there for. */
  units: Readonly<Record<string, number>>;
}

/** Documented by systemd (sd-messages.h): a unit begins to start, and has started. */
const STARTING = '7d4958e842da4a758f6c1cdc7b36dcc5';
const STARTED = '39f53479d3a045ac8e11786248231fbf';

/**
 * The parts of /proc/meminfo that nobody gives back. Not what is left of the total: free pages that a processor keeps for
 * itself are missing there, and they are more than what is looked for.
 */
const HELD = ['AnonPages', 'Shmem', 'Slab', 'KernelStack', 'PageTables', 'Percpu', 'VmallocUsed'];

/** A script for the guest; its output is for {@link readBootFigures}. */
export const BOOT_QUESTIONS = `systemctl is-system-running --wait
systemctl --failed --no-legend --plain | sed 's/^/failed=/'
systemctl show -p InitRDTimestampMonotonic -p UserspaceTimestampMonotonic -p FinishTimestampMonotonic
grep -E '^(Cached|Buffers):' /proc/meminfo
grep -E ' vda ' /proc/diskstats
sync; echo 3 > /proc/sys/vm/drop_caches
grep -E '^(${HELD.join('|')}):' /proc/meminfo
journalctl -b -o json --output-fields=UNIT,MESSAGE_ID MESSAGE_ID=${STARTING} + MESSAGE_ID=${STARTED}
`;

/** @throws HoldfastError HF-STATE when the system isn't running or something is missing. */
export function readBootFigures(text: string): BootFigures {
  const lines = text.split('\n');
  if (lines[0] !== 'running') {
    const failed = lines.filter((line) => line.startsWith('failed='));
    throw new HoldfastError('HF-STATE', `the booted system is ${lines[0]}: ${failed.join(', ')}`);
  }
  const number = (pattern: RegExp): number => {
    const found = lines.map((line) => pattern.exec(line)?.[1]).find((match) => match !== undefined);
    if (found === undefined) throw new HoldfastError('HF-STATE', `the booted system did not say ${pattern.source}`);
    return Number(found);
  };
  const initrd = number(/^InitRDTimestampMonotonic=(\d+)/) / 1e6;
  const userspace = number(/^UserspaceTimestampMonotonic=(\d+)/) / 1e6;
  const finished = number(/^FinishTimestampMonotonic=(\d+)/) / 1e6;
  const memoryMb = (name: string) => (number(new RegExp(`^${name}: +(\\d+) kB`)) * 1024) / 1e6;
  return {
    kernelSeconds: initrd,
    initrdSeconds: userspace - initrd,
    userspaceSeconds: finished - userspace,
    bootSeconds: finished - initrd,
    memoryMb: HELD.map(memoryMb).reduce((sum, size) => sum + size),
    cacheMb: memoryMb('Cached') + memoryMb('Buffers'),
    // Documentation/admin-guide/iostats: reads completed, reads merged, sectors of 512 bytes.
    reads: number(/ vda (\d+) /),
    readMb: (number(/ vda \d+ \d+ (\d+) /) * 512) / 1e6,
    units: unitSeconds(lines.filter((line) => line.startsWith('{'))),
  };
}

function unitSeconds(lines: readonly string[]): Record<string, number> {
  const started = new Map<string, number>();
  const seconds: Record<string, number> = {};
  for (const line of lines) {
    const entry: Record<string, unknown> = JSON.parse(line);
    const unit = String(entry['UNIT']);
    const at = Number(entry['__MONOTONIC_TIMESTAMP']) / 1e6;
    const began = started.get(unit);
    if (entry['MESSAGE_ID'] === STARTING) started.set(unit, at);
    else if (began !== undefined) seconds[unit] ??= at - began;
  }
  return seconds;
}
