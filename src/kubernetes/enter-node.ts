// From the pod to its node: the same program goes on in the mount namespace of the node's first process, where the partitions,
// the settings, the trust policy and the lock of this machine are. In the pod's own namespace none of them would be where they
// belong, and what a killed pod had mounted would be out of anybody's reach (docs/decisions/0027-suc-upgrade-on-the-node.md).

import { existsSync, mkdirSync, readlinkSync, statSync } from 'node:fs';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import { listMounts, mountAt } from '../system/mounts.ts';
import { run, runChecked } from '../system/process.ts';
import { requireTools } from '../system/tools.ts';
import { BARE_ROOT } from './pod.ts';

/** Tells the program on the node that it is there, and which process waits for it in the pod. */
export const POD_VARIABLE = 'HOLDFAST_POD_PROCESS';
/** Programs of the node are looked for in these: an image's PATH may be a short one. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** How long the program on the node may take to clean up when the pod is to end; Kubernetes gives 30 seconds. */
const GRACE_MS = 25_000;

/** What of a process tells whether the node can be entered. */
export interface Surroundings {
  ownMounts: string;
  /** Of process 1; undefined when this process may not look. */
  firstMounts: string | undefined;
}

/**
 * Refuses a place that is no privileged pod with the node's processes. Pure.
 * @throws HoldfastError HF-UNSUPPORTED
 */
export function requirePod({ ownMounts, firstMounts }: Surroundings): void {
  if (firstMounts === undefined) {
    throw new HoldfastError('HF-UNSUPPORTED', 'this container may not look at the processes of its node', {
      hint: 'it must be privileged, which the System Upgrade Controller makes it: see spec.upgrade.securityContext',
    });
  }
  if (ownMounts !== firstMounts) return;
  throw new HoldfastError('HF-UNSUPPORTED', 'this is not a container that can see the processes of its node', {
    hint: 'suc-upgrade is for pods of the System Upgrade Controller (hostPID: true); on the node itself: holdfast upgrade IMAGE',
  });
}

/** @throws HoldfastError HF-UNSUPPORTED as {@link requirePod}, or where HOST_DIR is another system's root. */
export function checkPod(hostDirectory: string | undefined): void {
  requirePod({ ownMounts: mountNamespace('self') ?? '', firstMounts: mountNamespace('1') });
  if (hostDirectory === undefined || !existsSync(hostDirectory)) return;
  const [named, found] = [statSync(hostDirectory), statSync('/proc/1/root/')];
  if (named.dev === found.dev && named.ino === found.ino) return;
  throw new HoldfastError('HF-UNSUPPORTED', `HOST_DIR (${hostDirectory}) is not the root of the node`, {
    hint: 'the controller mounts it at /host; leave HOST_DIR out',
  });
}

function mountNamespace(process: string): string | undefined {
  try {
    return readlinkSync(`/proc/${process}/ns/mnt`);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

/**
 * Runs this program once more, on the node.
 * @param args of the command line.
 * @returns its exit status.
 * @throws HoldfastError HF-INTERRUPTED when the pod is ended meanwhile.
 */
export async function runOnNode(args: readonly string[], signal: AbortSignal): Promise<number> {
  requireTools(['mount', 'nsenter']);
  await showBareRoot();
  const own = `/proc/${process.pid}/root`;
  const result = await run(
    ['nsenter', '--target', '1', '--mount', '--', ...programOf(process).map((path) => `${own}${path}`), ...args],
    {
      signal,
      graceMs: GRACE_MS,
      maxOutputBytes: 1 << 16,
      env: { ...process.env, PATH, [POD_VARIABLE]: String(process.pid) },
      onLine: (line, stream) => process[stream].write(`${line}\n`),
    },
  );
  // A program that was killed has not done its work.
  return result.status ?? 1;
}

/** This program as it was started: itself, or a runtime and its script. */
function programOf({ execPath, argv }: Pick<NodeJS.Process, 'execPath' | 'argv'>): string[] {
  const script = argv[1];
  const isScript = script?.startsWith('/') && !script.startsWith('/$bunfs');
  return script !== undefined && isScript && /(?:^|\/)(?:node|bun)$/.test(execPath) ? [execPath, script] : [execPath];
}

/** Bound without what is mounted in it, the root is the image's tree: no /etc/hosts of the kubelet, no secrets. */
async function showBareRoot(): Promise<void> {
  if (mountAt(BARE_ROOT, listMounts()) !== undefined) return;
  mkdirSync(BARE_ROOT, { recursive: true });
  await runChecked(['mount', '--bind', '/', BARE_ROOT]);
}
