// Processes of this machine by where they live, and ending them: daemons that a hook left behind keep its mounts busy.

import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';

export interface FoundProcess {
  pid: number;
  command: string;
}

/** A path as the kernel shows it in /proc: without links. A path that isn't there is returned as it is. */
export function kernelPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Processes whose root or working directory is at or below `directory`: daemons that a hook left behind. */
export function processesBelow(directory: string): FoundProcess[] {
  const found: FoundProcess[] = [];
  const real = kernelPath(directory);
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const places = [readlinkSync(`/proc/${name}/root`), readlinkSync(`/proc/${name}/cwd`)];
      if (places.some((place) => place === real || place.startsWith(`${real}/`))) {
        found.push({ pid: Number(name), command: readFileSync(`/proc/${name}/comm`, 'utf8').trim() });
      }
    } catch {
      // It ended meanwhile, or is a kernel thread.
    }
  }
  return found;
}

/** How long a process may take to end after SIGTERM before it is killed. */
const GRACE_MS = 2000;
const POLL_MS = 50;

/** Ends what lives below a directory, this process excepted; by force what doesn't go. Returns what was running. */
export async function endProcessesBelow(directory: string): Promise<FoundProcess[]> {
  const others = () => processesBelow(directory).filter(({ pid }) => pid !== process.pid);
  const running = others();
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    for (const { pid } of others()) {
      try {
        process.kill(pid, signal);
      } catch {
        // It ended by itself meanwhile.
      }
    }
    for (let waited = 0; waited < GRACE_MS && others().length > 0; waited += POLL_MS) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }
  return running;
}
