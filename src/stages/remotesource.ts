// Stage files on web servers. What was fetched is kept, since before the network is up there is nothing else: in /run for
// this boot, and as the last good copy on the OEM partition, which is the first one that is there at the next boot.

import { createHash } from 'node:crypto';
import type { Problem } from '../cloudconfig/problem.ts';
import { LIMITS } from '../cloudconfig/yamltext.ts';
import { decodeText, readTextWithin } from '../system/boundedtext.ts';
import { errnoOf, HoldfastError, messageOf } from '../system/errors.ts';
import type { EventSink } from '../system/events.ts';
import { type HttpClient, type HttpOptions, statusError, withoutSecrets } from '../system/http.ts';
import type { Root } from '../system/root.ts';
import { fileProblem } from './sources.ts';

/** Stages that run before the network is expected to be there. */
const BEFORE_NETWORK = /^(?:pre-rootfs|rootfs|initramfs|fs|boot)(?:\.(?:before|after))?$/;

/** An early stage runs at every boot, mostly in vain, so its tries are short. */
const EARLY: HttpOptions = { attempts: 3, timeoutMs: 3000, delayMs: 250 };
const LATE: HttpOptions = { attempts: 3, timeoutMs: 10_000, delayMs: 1000 };

const RUN_COPIES = '/run/holdfast/sources';
const OEM = '/oem';
const OEM_COPIES = '/oem/.holdfast/sources';

export interface RemoteSettings {
  stage: string;
  root: Root;
  http: HttpClient;
  events: EventSink;
  signal: AbortSignal | undefined;
  /** false: nothing is written, for a plan. */
  keepCopies: boolean;
}

/** `text` is absent when there is none; then `problems` says why. */
export interface RemoteText {
  /** The address without its secrets, for messages. */
  name: string;
  text?: string;
  /** From the server itself, and not a copy. */
  isFresh: boolean;
  problems: readonly Problem[];
}

/**
 * The text at an address, or the copy that was kept of it when the server can't be reached.
 * @throws HoldfastError HF-INTERRUPTED when the signal was aborted.
 */
export async function fetchSource(url: string, settings: RemoteSettings): Promise<RemoteText> {
  const { stage, http, signal } = settings;
  const name = withoutSecrets(url);
  const isEarly = BEFORE_NETWORK.test(stage);
  try {
    const options = isEarly ? EARLY : LATE;
    const response = await http(url, { ...options, maxBytes: LIMITS.textBytes, signal });
    const { status } = response;
    // yip takes the page that says "not found" for a file without stages.
    if (status >= 200 && status < 300) {
      return { name, text: decodeText(response.body), isFresh: true, problems: [] };
    }
    const error = statusError(url, status);
    // The server is there and says no: a copy would bring back what its owner took away.
    if (status < 500 && status !== 408 && status !== 429) return failed(name, error.message, 'error', error.hint);
    return fromCopy(url, name, error.message, settings, isEarly);
  } catch (error) {
    if (!(error instanceof HoldfastError)) return failed(name, `${name} can't be used: ${messageOf(error)}`, 'error');
    if (error.code === 'HF-INTERRUPTED') throw error;
    if (error.code !== 'HF-NETWORK') return failed(name, error.message, 'error', error.hint);
    return fromCopy(url, name, error.message, settings, isEarly);
  }
}

function fromCopy(
  url: string,
  name: string,
  why: string,
  { root, events }: RemoteSettings,
  isEarly: boolean,
): RemoteText {
  for (const directory of [...(root.isHost ? [RUN_COPIES] : []), OEM_COPIES]) {
    const path = `${directory}/${copyName(url)}`;
    try {
      const stats = root.lstat(path);
      if (stats === undefined) continue;
      const text = readTextWithin(root.resolve(path, { followLast: false }), LIMITS.textBytes);
      const message = `${why}; the copy of ${stats.mtime.toISOString()} is used (${path})`;
      return { name, text, isFresh: false, problems: [fileProblem(name, message, 'warning')] };
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      events({ type: 'notice', level: 'debug', text: `the copy ${path} can't be read: ${error.message}` });
    }
  }
  if (isEarly) return failed(name, `${why}; the network may come later, nothing of it is run in this stage`, 'warning');
  return failed(name, why, 'error', 'no copy of it has been kept yet');
}

/** Keeps a text that has proven usable. Where it can't be written, it isn't kept. */
export function keepCopy(url: string, text: string, { root, events, keepCopies }: RemoteSettings): void {
  if (!keepCopies) return;
  const hasOem = root.stat(OEM)?.isDirectory() ?? false;
  for (const directory of [...(root.isHost ? [RUN_COPIES] : []), ...(hasOem ? [OEM_COPIES] : [])]) {
    const path = `${directory}/${copyName(url)}`;
    try {
      if (root.readTextIfThere(path) === text) continue;
      root.makeDirectory(directory, 0o700);
      // It may hold passwords.
      root.writeFile(path, text, { mode: 0o600 });
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      events({ type: 'notice', level: 'debug', text: `no copy of ${withoutSecrets(url)}: ${messageOf(error)}` });
    }
  }
}

/** An address can be a secret, so its name is a digest. Without an ending, so that no directory walk takes it for a file. */
function copyName(url: string): string {
  return createHash('sha256').update(url).digest('hex');
}

function failed(name: string, message: string, severity: Problem['severity'], hint?: string): RemoteText {
  const problem = { ...fileProblem(name, message, severity), ...(hint === undefined ? {} : { hint }) };
  return { name, isFresh: false, problems: [problem] };
}
