// The clock: certificates and signatures are held against it, so a machine that lives in the wrong year trusts nothing.

import { run } from '../system/process.ts';
import type { Root } from '../system/root.ts';
import { findProgram } from '../system/tools.ts';
import { type Finding, inArea } from './finding.ts';
import type { Patient } from './patient.ts';

export interface ClockFacts {
  nowMs: number;
  /** When the newest file of the image was made that every image has; undefined where there is none. */
  imageMs: number | undefined;
  /** Of the network's time; undefined where nobody can say. */
  synchronized: boolean | undefined;
}

const { ok, warning, failed } = inArea('clock');
const DAY_MS = 86_400_000;
const WHY = 'signatures and certificates count as expired or not yet valid';

/** Pure. */
export function judgeClock({ nowMs, imageMs, synchronized }: ClockFacts): Finding[] {
  const now = new Date(nowMs).toISOString().slice(0, 16).replace('T', ' ');
  if (imageMs !== undefined && nowMs < imageMs - DAY_MS) {
    const made = new Date(imageMs).toISOString().slice(0, 10);
    return [
      failed(
        `the clock says ${now}, and the image is of ${made}`,
        WHY,
        'timedatectl set-time, or: systemctl restart systemd-timesyncd',
      ),
    ];
  }
  if (synchronized === false) {
    return [
      warning(`the clock says ${now} and is not synchronised`, `${WHY} when it drifts`, 'timedatectl set-ntp true'),
    ];
  }
  return [ok(`${now} UTC${synchronized === true ? ', synchronised' : ''}`)];
}

export async function checkClock({ root }: Patient): Promise<Finding[]> {
  return judgeClock({
    nowMs: Date.now(),
    imageMs: ageOfImage(root),
    synchronized: await isSynchronized(),
  });
}

function ageOfImage(root: Root): number | undefined {
  const times = ['/usr/lib/os-release', '/usr/bin/holdfast', '/etc/os-release'].map(
    (path) => root.stat(path)?.mtimeMs ?? 0,
  );
  const newest = Math.max(...times);
  return newest === 0 ? undefined : newest;
}

async function isSynchronized(): Promise<boolean | undefined> {
  if (findProgram('timedatectl') === undefined) return undefined;
  const { status, stdout } = await run(
    ['timedatectl', 'show', '--property=NTP', '--property=NTPSynchronized', '--property=CanNTP'],
    { timeoutMs: 10_000 },
  ).catch(() => ({ status: 1, stdout: '' }));
  if (status !== 0) return undefined;
  return parseTimedate(stdout);
}

/** timedatectl show: a machine without a service for it is not at fault. */
export function parseTimedate(text: string): boolean | undefined {
  const values = new Map(text.split('\n').map((line) => [line.split('=')[0] ?? '', line.split('=')[1] ?? '']));
  if (values.get('NTPSynchronized') === 'yes') return true;
  return values.get('CanNTP') === 'yes' ? false : undefined;
}
