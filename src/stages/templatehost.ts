// What template functions get to know of the machine: the environment that commands have, time zones of the root, the
// clock, and addresses.

import { readFileSync } from 'node:fs';
import type { TemplateHost } from '../cloudconfig/templates/host.ts';
import { Root } from '../system/root.ts';
import { commandEnvironment } from './shell.ts';

const ZONES = '/usr/share/zoneinfo';

/** @param context the step's; without a root the running system's. */
export function templateHost(context: {
  root?: Root | undefined;
  env?: Readonly<Record<string, string>> | undefined;
}): TemplateHost {
  const root = context.root ?? new Root('/');
  let environment: NodeJS.ProcessEnv | undefined;
  return {
    environment: (name) => {
      environment ??= commandEnvironment(root, context.env);
      return Object.hasOwn(environment, name) ? (environment[name] ?? '') : '';
    },
    now: () => BigInt(Date.now()) * 1_000_000n,
    randomBytes,
    zone: (name) => readZone(root, `${ZONES}/${name}`),
    localZone: () => readZone(root, '/etc/localtime'),
    lookup: async (name) => {
      const { lookup } = await import('node:dns/promises');
      try {
        return (await lookup(name, { all: true })).map(({ address }) => address);
      } catch {
        // The function says that there is no such host.
        return [];
      }
    },
  };
}

/** The source gives no more than 64 KiB at once. */
function randomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes;
}

function readZone(root: Root, path: string): Uint8Array | undefined {
  try {
    return readFileSync(root.resolve(path));
  } catch {
    // Not there, or a directory such as Europe: no zone.
    return undefined;
  }
}
