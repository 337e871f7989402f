// `downloads`: files from web servers. Each is written beside its target and renamed over it when it is whole, so that
// no one ever sees a part of it. The originals take a file of equal size for complete; here size alone proves nothing.

import { chmodSync, chownSync, type Stats, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '../../system/errors.ts';
import { type HttpHead, httpDownload, withoutSecrets } from '../../system/http.ts';
import { fileNameOf, isSameVersion, settledTime } from '../downloads/answer.ts';
import { Incoming } from '../downloads/incoming.ts';
import { type Placement, placeParents, processOwner } from '../placement.ts';
import { ownerOf } from './files.ts';
import { attempt, type StepContext, type StepHandler, type StepValue } from './handler.ts';

type Download = StepValue<'downloads'>[number];

/** Where no permissions are given; yip uses 0000. */
const DEFAULT_MODE = 0o644;
/** A server that sends nothing for so long is given up, also where no time limit is set. */
const STALL_MS = 60_000;

export const downloads: StepHandler<'downloads'> = {
  key: 'downloads',
  describe: (value) => value.map(({ path = '', url = '' }) => `download ${withoutSecrets(url)} to ${path}`),
  async apply(value, context) {
    for (const entry of value) await attempt(context, () => download(entry, context));
  },
};

async function download(entry: Download, context: StepContext): Promise<void> {
  const { root, signal } = context;
  const { path, url, timeout = 0 } = entry;
  if (!path || !url) {
    throw new HoldfastError('HF-CONFIG', `a download without a ${path ? 'url' : 'path'}`, {
      hint: 'a download needs both, "path: /…" and "url: https://…"',
    });
  }
  const placement = { ...ownerOf(entry, context), mode: entry.permissions ?? DEFAULT_MODE };
  const intoDirectory = path.endsWith('/') || root.stat(path)?.isDirectory() === true;
  const parents = { ...processOwner(), mode: 0o755 };
  placeParents(root, intoDirectory ? join(path, 'file') : path, parents).forEach(context.changed);

  let target = path;
  let incoming: Incoming | undefined;
  const open = (head: HttpHead) => {
    // A try before this one may have broken off.
    incoming?.discard();
    incoming = undefined;
    if (intoDirectory) target = join(path, fileNameOf(head, url));
    const old = fileAt(target, context);
    if (old !== undefined && isSameVersion(old, head)) return undefined;
    incoming = new Incoming(root.resolve(target), target, announcedBytes(head));
    return incoming.sink;
  };
  try {
    const head = await httpDownload(url, open, {
      timeoutMs: Math.max(0, timeout) * 1000,
      stallMs: STALL_MS,
      signal,
      // What is stored is what the server has, and as long as it says.
      headers: { 'accept-encoding': 'identity' },
    });
    if (settle({ incoming, head, placement }, target, context)) context.changed(target);
  } finally {
    incoming?.discard();
  }
}

interface Arrival {
  /** Absent when the file that is there was taken for the same version. */
  incoming: Incoming | undefined;
  head: HttpHead;
  placement: Placement;
}

/** Puts what came in its place, unless it is there already. Returns whether anything was changed. */
function settle({ incoming, head, placement }: Arrival, target: string, context: StepContext): boolean {
  const time = settledTime(head);
  const old = fileAt(target, context);
  if (incoming !== undefined && !(old !== undefined && incoming.equalsTarget())) {
    incoming.finish(placement, time);
    return true;
  }
  if (old === undefined) return false;
  const { uid, gid, mode } = placement;
  const file = context.root.resolve(target);
  // What the next run compares with; no one else's business.
  if (time !== undefined && time.getTime() !== old.mtimeMs) utimesSync(file, time, time);
  if (old.uid === uid && old.gid === gid && (old.mode & 0o7777) === mode) return false;
  chownSync(file, uid, gid);
  chmodSync(file, mode);
  return true;
}

/** The regular file at a path, if there is one. */
function fileAt(path: string, { root }: StepContext): Stats | undefined {
  const stats = root.stat(path);
  if (stats === undefined || stats.isFile()) return stats;
  throw new HoldfastError('HF-IO', `${path} is there and is no regular file`);
}

function announcedBytes({ headers }: HttpHead): number | undefined {
  const length = headers.get('content-length');
  return length !== null && /^\d+$/.test(length) ? Number(length) : undefined;
}
