// What conditions and templates may ask about: the system in the root and the machine that runs it, read from the root's
// /etc, /proc and /sys when first asked for. Names, units and what counts as absent are those of the library that the
// originals use (sysinfo), so that templates written for them keep their meaning.

import { readFileSync } from 'node:fs';
import { hostname, machine, release, version } from 'node:os';
import type { Root } from '../system/root.ts';
import { gatherNetwork, gatherStorage } from './facts/devices.ts';
import { gatherBios, gatherBoard, gatherChassis, gatherProduct, NO_UUID } from './facts/dmi.ts';
import { detectHypervisor } from './facts/hypervisor.ts';
import { gatherMemory } from './facts/memory.ts';
import { gatherNode, readMachineId } from './facts/node.ts';
import { gatherOs, osVersion, parseOsRelease } from './facts/os.ts';
import { gatherProcessor } from './facts/processor.ts';
import { hashToId, protectMachineId, randomText, randomUuid } from './facts/random.ts';
import { lazySection, readFact, withoutEmpty } from './facts/section.ts';
import { parseSmbios, type SmbiosFacts } from './facts/smbios.ts';

/** Go's names for Node's processor architectures; the others are the same. */
const GO_ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
  mipsel: 'mipsle',
};

/** The version of sysinfo that the names and units of the facts follow. */
const SYSINFO_VERSION = '1.1.3';

export class Facts {
  /**
   * The kernel's host name as it was when the stage began: a step that changes it doesn't change what later conditions
   * and templates of the same run see, as with the originals.
   */
  readonly hostname: string;
  readonly #root: Root;
  readonly #standInId: string;
  readonly #sections: Readonly<Record<string, unknown>>;
  #hypervisor: string | undefined;
  #osRelease: ReadonlyMap<string, string> | undefined;
  #firmware: { table: SmbiosFacts | undefined } | undefined;

  /** @param known what another object of the same system knows already. */
  constructor(root: Root, known: { hostname?: string; standInId?: string } = {}) {
    this.#root = root;
    this.#standInId = known.standInId ?? '';
    this.hostname = known.hostname ?? (readFact(root, '/proc/sys/kernel/hostname') || hostname());
    this.#sections = lazySection({
      os: () => gatherOs(root, this.#osReleaseMap),
      kernel: () => withoutEmpty(this.kernel),
      product: () => gatherProduct(root),
      board: () => gatherBoard(root),
      chassis: () => gatherChassis(root),
      bios: () => gatherBios(root),
      cpu: () => gatherProcessor(root, this.#smbios, this.#knownHypervisor !== ''),
      memory: () => gatherMemory(root, this.#smbios),
      storage: () => gatherStorage(root),
      network: () => gatherNetwork(root),
      sysinfo: () => ({ version: SYSINFO_VERSION, timestamp: new Date().toISOString() }),
    });
  }

  /** Go's name: `amd64`, `arm64`, … */
  get architecture(): string {
    return GO_ARCHITECTURES[process.arch] ?? process.arch;
  }

  /** uname's fields, through the root's /proc where it has one. */
  get kernel(): { release: string; version: string; architecture: string } {
    const read = (name: string) => readFact(this.#root, `/proc/sys/kernel/${name}`);
    return {
      release: read('osrelease') || release(),
      version: read('version') || version(),
      architecture: read('arch') || machine(),
    };
  }

  /** A variable of the root's os-release, empty when it isn't there. */
  osRelease(variable: string): string {
    return this.#osReleaseMap.get(variable) ?? '';
  }

  /** VERSION_ID, but on AlmaLinux and Rocky only the major number. */
  get osVersion(): string {
    return osVersion(this.#root, this.#osReleaseMap);
  }

  /** Empty while the system hasn't got one. Read anew each time, since steps give a machine its id. */
  get machineId(): string {
    return readMachineId(this.#root) || this.#standInId;
  }

  /**
   * These facts with an id in place of the machine id that isn't there yet: the same at each boot, made of the hardware's
   * UUID, serial number or first network address. Undefined when the hardware has none of them.
   */
  withStandInId(): Facts | undefined {
    const { uuid, serial } = gatherProduct(this.#root);
    const addresses = gatherNetwork(this.#root).map(({ macaddress }) => macaddress);
    const own = [uuid === NO_UUID ? '' : uuid, serial, ...addresses].find((text) => typeof text === 'string' && text);
    if (typeof own !== 'string') return undefined;
    return new Facts(this.#root, { hostname: this.hostname, standInId: hashToId(own) });
  }

  /** `systemd`, `openrc`, both or none, by the programs in the root. */
  get serviceManagers(): readonly string[] {
    const has = (program: string) =>
      ['/sbin', '/bin', '/usr/sbin', '/usr/bin'].some((directory) => this.#root.exists(`${directory}/${program}`));
    return [...(has('systemctl') ? ['systemd'] : []), ...(has('openrc') ? ['openrc'] : [])];
  }

  /**
   * What one text's template may refer to: `.Values` with a section for each subject, and the flat names of yip's host
   * name context, each everywhere. Sections are gathered when they are asked for; `Random` and `UUID` are new for each
   * text and the same within it.
   */
  templateData(): Record<string, unknown> {
    const once = lazySection({ Random: randomText, ProtectedID: () => protectMachineId(this.machineId) });
    const sections = Object.keys(this.#sections).map((name) => [name, () => this.#sections[name]] as const);
    return lazySection({
      Values: () =>
        lazySection({
          node: () => gatherNode(this.#root, { hostname: this.hostname, hypervisor: this.#knownHypervisor }),
          ...Object.fromEntries(sections),
          Random: () => once.Random,
          ProtectedID: () => once.ProtectedID,
        }),
      UUID: randomUuid,
      Random: () => once.Random,
      MachineID: () => this.machineId,
      ProtectedID: () => once.ProtectedID,
    });
  }

  /** Asking costs a dozen files, which most texts with `.Values.node` don't want. */
  get #knownHypervisor(): string {
    this.#hypervisor ??= detectHypervisor(this.#root);
    return this.#hypervisor;
  }

  get #osReleaseMap(): ReadonlyMap<string, string> {
    this.#osRelease ??= parseOsRelease(
      this.#root.readTextIfThere('/etc/os-release') ?? this.#root.readTextIfThere('/usr/lib/os-release') ?? '',
    );
    return this.#osRelease;
  }

  get #smbios(): SmbiosFacts | undefined {
    this.#firmware ??= { table: this.#readSmbios() };
    return this.#firmware.table;
  }

  #readSmbios(): SmbiosFacts | undefined {
    try {
      return parseSmbios(readFileSync(this.#root.resolve('/sys/firmware/dmi/tables/DMI')));
    } catch {
      // No firmware table, or not for this user.
      return undefined;
    }
  }
}
