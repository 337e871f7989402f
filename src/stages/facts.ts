// What conditions and templates may ask about: the system in the root (os-release, machine id) and the machine that
// runs (host name, kernel, processor). Read when first asked for.

import { hostname, release, version } from 'node:os';
import type { Root } from '../system/root.ts';

/** Go's names for Node's processor architectures; the others are the same. */
const GO_ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
  mipsel: 'mipsle',
};

/** uname's names for them. */
const MACHINE_NAMES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64', ia32: 'i686' };

export class Facts {
  readonly #root: Root;
  #osRelease: ReadonlyMap<string, string> | undefined;

  constructor(root: Root) {
    this.#root = root;
  }

  /** The running kernel's host name, also when the root is another system. */
  get hostname(): string {
    return hostname();
  }

  /** Go's name: `amd64`, `arm64`, … */
  get architecture(): string {
    return GO_ARCHITECTURES[process.arch] ?? process.arch;
  }

  get kernel(): { release: string; version: string; architecture: string } {
    return { release: release(), version: version(), architecture: MACHINE_NAMES[process.arch] ?? process.arch };
  }

  /** A variable of the root's os-release, empty when it isn't there. */
  osRelease(variable: string): string {
    this.#osRelease ??= parseOsRelease(
      this.#root.readTextIfThere('/etc/os-release') ?? this.#root.readTextIfThere('/usr/lib/os-release') ?? '',
    );
    return this.#osRelease.get(variable) ?? '';
  }

  /** Empty while the system hasn't got one (systemd writes `uninitialized` into images). */
  get machineId(): string {
    for (const file of ['/etc/machine-id', '/var/lib/dbus/machine-id']) {
      const id = this.#root.readTextIfThere(file)?.trim() ?? '';
      if (/^[0-9a-f]{32}$/.test(id)) return id;
    }
    return '';
  }

  /** `systemd`, `openrc`, both or none, by the programs in the root. */
  get serviceManagers(): readonly string[] {
    const has = (program: string) =>
      ['/sbin', '/bin', '/usr/sbin', '/usr/bin'].some((directory) => this.#root.exists(`${directory}/${program}`));
    return [...(has('systemctl') ? ['systemd'] : []), ...(has('openrc') ? ['openrc'] : [])];
  }
}

/** Parses os-release(5): shell-like assignments, quotes removed. */
export function parseOsRelease(text: string): ReadonlyMap<string, string> {
  const result = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = line.trim().match(/^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/);
    if (match === null) continue;
    const [, name = '', raw = ''] = match;
    const quoted = raw.match(/^(["'])(.*)\1$/);
    result.set(name, (quoted?.[2] ?? raw).replace(/\\(.)/g, '$1'));
  }
  return result;
}
