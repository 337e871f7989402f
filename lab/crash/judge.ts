// Whether a state of the disk is one that the machine survives, and what is wrong with it if not.

import { SLOT_FILES, SLOT_NAMES, type SlotName } from '../../src/slots/names.ts';
import type { CutPoint } from './cut-points.ts';
import { type Expectation, readHead } from './expectation.ts';
import type { Fingerprints } from './fingerprint.ts';
import { GRUB_PARTITIONS, type GrubPartition, GrubView } from './grub-view.ts';
import type { LinuxView } from './linux-view.ts';
import {
  attachedFile,
  type SeenEnvironment,
  type SeenPartition,
  type SeenSlot,
  seeBootFiles,
  seeEnvironment,
  seeOem,
  seePartition,
  seeSlotInGrub,
} from './look.ts';

/** In the order of how much they cost the machine's owner. */
export const FINDING_KINDS = [
  'unbootable',
  'half-installed',
  'slot',
  'pair',
  'loader',
  'menu',
  'environment',
  'state.yaml',
  'mount',
  'overlay',
  'lost',
  'rerun',
  'boot',
] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

export interface Finding {
  kind: FindingKind;
  detail: string;
}

export interface JudgeOptions {
  expectation: Expectation;
  view: LinuxView;
  image: string;
  prints: Readonly<Record<GrubPartition, Fingerprints>>;
  /** COS_OEM may be empty or in the making: the command was asked to make it anew. */
  oemMayVanish: boolean;
}

export interface Verdict {
  findings: Finding[];
  /** A firmware would start this disk. */
  bootable: boolean;
  /** What GRUB would take the kernel from. */
  boots?: { slot: SlotName; uuid: string };
}

interface Seen {
  grub: Record<SlotName, SeenSlot>;
  linux: SeenPartition;
  linuxRecovery: SeenPartition;
  grubEnvironment: SeenEnvironment;
  grubOem: SeenEnvironment;
  linuxOem: ReturnType<typeof seeOem>;
  bootFiles: Record<string, Buffer | undefined>;
}

/** Looks at states of one recording, one after the other. */
export class Judge {
  readonly #options: JudgeOptions;
  readonly #memory = new Map<string, unknown>();
  #grub: GrubView;

  constructor(options: JudgeOptions) {
    this.#options = options;
    this.#grub = new GrubView(options.image);
  }

  /** @param point what the image holds now. */
  judge(point: CutPoint, { finished }: { finished: boolean }): Verdict {
    if (this.#options.expectation.before !== undefined) return this.#verdict(this.#see(point), { finished });
    // A disk that is being installed may be no system at all, as long as no firmware starts it.
    const starts = this.#starts(point);
    if (starts === undefined) {
      const findings: Finding[] = finished ? [{ kind: 'lost', detail: 'nothing starts this disk' }] : [];
      return { findings, bootable: false };
    }
    const verdict = this.#verdict(this.#see(point), { finished });
    if (verdict.findings.length === 0) return verdict;
    const details = verdict.findings.map(({ detail }) => detail).join('; ');
    return { ...verdict, findings: [{ kind: 'half-installed', detail: `${starts} starts it, but ${details}` }] };
  }

  #verdict(seen: Seen, options: { finished: boolean }): Verdict {
    const findings = this.#judgeSystem(seen, options);
    const slot = chosenEntry(seen.grubEnvironment, seen.grubOem);
    const { uuid } = seen.grub[slot];
    return { findings, bootable: true, ...(uuid === undefined ? {} : { boots: { slot, uuid } }) };
  }

  /** What starts this disk, if anything does. */
  #starts(point: CutPoint): 'UEFI' | 'BIOS' | undefined {
    const head = readHead(this.#options.image);
    if (hasBootCode(head)) return 'BIOS';
    const loader = this.#remember('loader', 'efi', point, () => this.#grub.read('efi', '/EFI/BOOT/BOOTX64.EFI'));
    return loader === undefined ? undefined : 'UEFI';
  }

  #see(point: CutPoint): Seen {
    const { view, expectation } = this.#options;
    const grub = this.#grub;
    const on = <T>(what: string, partition: GrubPartition, look: () => T) =>
      this.#remember(what, partition, point, look);
    // GRUB looks first: mounting replays journals.
    const inGrub = (slot: SlotName) =>
      on(`grub ${slot}`, slot === 'recovery' ? 'recovery' : 'state', () => seeSlotInGrub(grub, slot, expectation));
    return {
      grub: { active: inGrub('active'), passive: inGrub('passive'), recovery: inGrub('recovery') },
      grubEnvironment: on('grub env', 'state', () => seeEnvironment(grub.read('state', '/grub_oem_env'))),
      grubOem: on('grub oem', 'oem', () => seeEnvironment(grub.read('oem', '/grubenv'))),
      bootFiles: {
        ...on('boot files', 'efi', () => seeBootFiles(grub, 'efi')),
        ...on('boot files', 'state', () => seeBootFiles(grub, 'state')),
      },
      linux: on('linux', 'state', () => seePartition(view, 'state', ['active', 'passive'], expectation)),
      linuxRecovery: on('linux', 'recovery', () => seePartition(view, 'recovery', ['recovery'], expectation)),
      linuxOem: on('linux', 'oem', () => seeOem(view)),
    };
  }

  #remember<T>(what: string, partition: GrubPartition, point: CutPoint, look: () => T): T {
    const key = `${what} ${GRUB_PARTITIONS[partition]} ${this.#options.prints[partition].of(point)}`;
    if (!this.#memory.has(key)) this.#memory.set(key, look());
    return this.#memory.get(key) as T;
  }

  #judgeSystem(seen: Seen, { finished }: { finished: boolean }): Finding[] {
    return [
      ...this.#judgeSlots(seen, { finished }),
      ...this.#judgeBootFiles(seen, { finished }),
      ...this.#judgeRecords(seen),
    ];
  }

  #judgeSlots(seen: Seen, { finished }: { finished: boolean }): Finding[] {
    const { before, after } = this.#options.expectation;
    const findings: Finding[] = [];
    const chosen = chosenEntry(seen.grubEnvironment, seen.grubOem);
    for (const slot of SLOT_NAMES) {
      const say = (kind: FindingKind, detail: string) =>
        findings.push({ kind: slot === chosen && kind !== 'lost' ? 'unbootable' : kind, detail: `${slot}: ${detail}` });
      const partition = slot === 'recovery' ? seen.linuxRecovery : seen.linux;
      if (partition.refused !== undefined) {
        say('mount', `Linux can't mount its partition: ${partition.refused}`);
        continue;
      }
      const views = { GRUB: seen.grub[slot], Linux: partition.slots[slot] ?? {} };
      for (const [who, { uuid, problem }] of Object.entries(views)) {
        if (problem !== undefined) say('slot', `as ${who} reads it, ${problem}`);
        else if (uuid !== before?.slots[slot] && uuid !== after.slots[slot]) {
          say('slot', `as ${who} reads it, it is neither the old nor the new one`);
        } else if (finished && uuid !== after.slots[slot]) {
          say('lost', `the command said that it is done, and ${who} reads the old one`);
        }
      }
      const uuid = views.GRUB.uuid;
      if (views.GRUB.problem !== undefined || uuid === undefined) continue;
      const attached = attachedFile(partition.candidates, SLOT_FILES[slot], uuid);
      if (attached === undefined) say('pair', 'no file has the system that its kernel comes from');
      else if (attached.slot.problem !== undefined) {
        say('pair', `its kernel's root would be ${attached.name}, and ${attached.slot.problem}`);
      }
    }
    return findings;
  }

  #judgeBootFiles({ bootFiles }: Seen, { finished }: { finished: boolean }): Finding[] {
    const { before, after } = this.#options.expectation;
    const findings: Finding[] = [];
    for (const [name, found] of Object.entries(bootFiles)) {
      const old = before?.bootFiles[name];
      const fresh = after.bootFiles[name];
      const isNew = found !== undefined && fresh !== undefined && found.equals(fresh);
      const isOld = found !== undefined && old !== undefined && found.equals(old);
      if (isNew || (isOld && !finished)) continue;
      const what = found === undefined ? 'GRUB finds no such file' : 'it is neither the old nor the new one';
      findings.push({ kind: name.startsWith('efi:') ? 'loader' : 'menu', detail: `${name}: ${what}` });
    }
    const head = readHead(this.#options.image);
    // A disk that only UEFI starts by now gets its GRUB for BIOS later.
    const forBios = before !== undefined || hasBootCode(head);
    if (forBios && !head.equals(after.head) && (finished || before === undefined || !head.equals(before.head))) {
      findings.push({ kind: 'loader', detail: 'the first MiB is neither the old nor the new one' });
    }
    return findings;
  }

  #judgeRecords({ grubEnvironment, linux, linuxRecovery, grubOem, linuxOem }: Seen): Finding[] {
    const findings: Finding[] = [];
    const environment = (where: string, { problem }: SeenEnvironment) => {
      if (problem !== undefined) findings.push({ kind: 'environment', detail: `${where}: ${problem}` });
    };
    environment('grub_oem_env as GRUB reads it', grubEnvironment);
    if (linux.refused === undefined) environment('grub_oem_env as Linux reads it', linux.environment);
    if (!this.#options.oemMayVanish) {
      environment('grubenv on COS_OEM as GRUB reads it', grubOem);
      if (linuxOem.refused !== undefined) findings.push({ kind: 'mount', detail: `COS_OEM: ${linuxOem.refused}` });
      else environment('grubenv on COS_OEM as Linux reads it', linuxOem.environment);
    }
    for (const [where, seen] of [
      ['COS_STATE', linux],
      ['COS_RECOVERY', linuxRecovery],
    ] as const) {
      if (seen.stateProblem !== undefined)
        findings.push({ kind: 'state.yaml', detail: `on ${where}: ${seen.stateProblem}` });
    }
    return findings;
  }
}

function hasBootCode(head: Buffer): boolean {
  return head.subarray(0, 440).some((byte) => byte !== 0);
}

/** The slot that GRUB takes: grub.cfg loads the tool's block, then the administrator's, which wins. */
export function chosenEntry(...blocks: readonly SeenEnvironment[]): SlotName {
  const last = (name: string) => blocks.findLast(({ variables }) => variables[name])?.variables[name];
  const entry = last('next_entry') ?? last('saved_entry') ?? '0';
  if (entry === 'fallback' || entry === '1') return 'passive';
  return entry === 'recovery' || entry === '2' ? 'recovery' : 'active';
}
