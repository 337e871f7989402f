// How systemd judges the running system: its state, and the units that failed. On machines without it nothing is known.

import { existsSync } from 'node:fs';
import { run } from '../system/process.ts';

export interface UnitHealth {
  /** systemctl(1), is-system-running: `running`, `degraded`, `starting`, `stopping`, … */
  state: string;
  failed: string[];
}

const MOST = 20;

export async function inspectUnits(): Promise<UnitHealth | undefined> {
  if (!existsSync('/run/systemd/system')) return undefined;
  const { stdout } = await run(['systemctl', 'is-system-running']);
  const state = stdout.trim() || 'unknown';
  if (state === 'running') return { state, failed: [] };
  const list = await run(['systemctl', 'list-units', '--failed', '--plain', '--no-legend', '--full', '--no-pager']);
  return { state, failed: parseFailedUnits(list.stdout).slice(0, MOST) };
}

/** The names of `systemctl list-units --plain --no-legend`. Pure. */
export function parseFailedUnits(text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const [name] = line.trim().split(/\s+/);
    return name === undefined || !name.includes('.') ? [] : [name];
  });
}
