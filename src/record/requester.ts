// Who asked for what this process does: the user behind sudo, and from where, as far as the environment tells. A hint for
// people, not proof: whoever is root may write anything.

import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { isatty } from 'node:tty';
import { type RequestedFrom, type Requester, shortBootId } from './entry.ts';

export interface Surroundings {
  environment: Readonly<Record<string, string | undefined>>;
  hasTerminal: boolean;
  pids: readonly number[];
}

/**
 * The requester of this process.
 * @param command the command line as typed.
 * @param from where the caller knows it.
 */
export function requesterOf(command: string, from?: RequestedFrom): Requester {
  const surroundings = {
    environment: process.env,
    hasTerminal: isatty(0),
    pids: [process.pid, process.ppid],
  };
  return {
    user: process.env.SUDO_USER || process.env.DOAS_USER || ownName(),
    command,
    pid: process.pid,
    from: from ?? requestedFrom(surroundings),
  };
}

/** Decides from where a process was asked for. Pure. */
export function requestedFrom({ environment, hasTerminal, pids }: Surroundings): RequestedFrom {
  if (environment.KUBERNETES_SERVICE_HOST) return 'kubernetes';
  if (environment.TRIGGER_UNIT?.endsWith('.timer')) return 'timer';
  // systemd.exec(5): the first process of a unit finds its own number there.
  if (pids.some((pid) => String(pid) === environment.SYSTEMD_EXEC_PID)) return 'unit';
  if (hasTerminal || environment.SSH_CONNECTION || environment.SUDO_USER) return 'shell';
  return environment.INVOCATION_ID ? 'unit' : 'unknown';
}

function ownName(): string {
  // Without asking passwd, which the initramfs may not have.
  if (process.getuid?.() === 0) return 'root';
  try {
    return userInfo().username;
  } catch {
    // There is no such user.
    return String(process.getuid?.() ?? 'unknown');
  }
}

/** When in which boot this is, for an entry that begins now. */
export function thisMoment(): { startedAt: string; bootId?: string; uptimeSeconds?: number } {
  const bootId = textOf('/proc/sys/kernel/random/boot_id');
  const uptime = Number.parseFloat(textOf('/proc/uptime') ?? '');
  return {
    startedAt: new Date().toISOString(),
    ...(bootId !== undefined && { bootId: shortBootId(bootId) }),
    ...(Number.isFinite(uptime) && { uptimeSeconds: uptime }),
  };
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
