// One machine, a row of changes of different kinds, each planned first: what the plan says, what the slots hold before and
// after by tools that aren't ours, and what the ledger says of each difference from the image. The machine is a slot of an
// installed disk (lab/crash/in-slot.sh), in a guest or on this host.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { type PlanDocument, planDocumentSchema } from '../../src/preview/document.ts';
import type { FidelityImage } from './images.ts';
import { MANIFEST_FUNCTION, type Manifest, parseManifest, unpack } from './manifest.ts';

export interface StoryMachine {
  /** Runs one of the scripts of `story/` as root in the active slot. @returns what it printed. @throws when it fails. */
  run: (script: string) => Promise<string>;
}

/** How what was planned is done: `--apply`, an upgrade, or `holdfast apply` with what the owner has changed. */
export type Way = 'apply' | 'upgrade' | 'local';

export interface Step {
  title: string;
  /** Shell that changes what the machine's owner asks for, before the plan. */
  before?: string;
  image: FidelityImage;
  flags?: string;
  way: Way;
  /** Another plan is made first; the one that counts replaces it. */
  replaces?: FidelityImage;
  /** Shell between plan and `--apply`, which must not change what that does. */
  between?: string;
  /** What the plan has to say beside the paths; what isn't here doesn't change. */
  says?: {
    packages?: readonly string[];
    units?: readonly string[];
    kernels?: readonly string[];
    argumentsAdded?: readonly string[];
  };
}

const OWNER = '/oem/90_story.yaml';
const stageFile = (steps: string) =>
  `cat > ${OWNER} <<'END'\nname: story\nstages:\n  after-upgrade-chroot:\n${steps}END`;
const INSTALL_TOOL = `    - name: the owner's tool
      commands:
        - dpkg --install /oem/owner-tool.deb
`;
const KEEP_FILE = `    - name: a file that the owner keeps
      files:
        - path: /etc/kept/owner.conf
          permissions: 0640
          content: |
            mine = 1
`;
const EDIT_APP = `    - name: a line of the owner's in a file of the image
      commands:
        - sed -i 's/^root = .*/root = \\/home/' /etc/app.conf
        - rm -f /usr/share/things/kept
        - chmod 0600 /usr/bin/alpha
        - ln -sfn /usr/bin/alpha /usr/bin/alpha-link
`;

const NEW_UNITS = [
  'changed.service changed',
  'old.service disabled',
  'old.service removed',
  'same.service masked',
  'web.service added',
  'web.service enabled',
];
const OLD_UNITS = [
  'changed.service changed',
  'old.service added',
  'old.service enabled',
  'same.service unmasked',
  'web.service disabled',
  'web.service removed',
];

/** Eight changes. What each is called says what differs from the one before. */
export const STEPS: readonly Step[] = [
  { title: 'the same layers and one more', image: 'more', way: 'apply' },
  { title: 'another base', image: 'other', way: 'upgrade' },
  {
    title: 'a package that a stage file adds, to the same image',
    before: `cp /run/delivery/owner-tool.deb /oem/ && ${stageFile(INSTALL_TOOL)}`,
    image: 'other',
    flags: '--force',
    way: 'apply',
    says: { packages: ['owner-tool added 0.9-2'] },
  },
  {
    title: 'kernel and arguments, after a plan that was replaced',
    replaces: 'units',
    image: 'kernel',
    way: 'apply',
    says: { kernels: ['6.9.1-lab'], argumentsAdded: ['panic=7'] },
  },
  {
    title: 'units',
    image: 'units',
    way: 'upgrade',
    says: {
      units: NEW_UNITS,
    },
  },
  {
    title: 'a file that the owner keeps',
    before: stageFile(INSTALL_TOOL + KEEP_FILE),
    image: 'units',
    flags: '--force',
    way: 'local',
  },
  {
    title: 'a file of /etc that image and owner edit, packages up and away',
    before: stageFile(INSTALL_TOOL + KEEP_FILE + EDIT_APP),
    image: 'settings',
    way: 'apply',
    says: { packages: ['beta upgraded 1.1-1', 'gamma removed'] },
  },
  {
    title: 'back to an older image, applied without the image, and the owner’s package goes',
    before: stageFile(KEEP_FILE + EDIT_APP),
    image: 'more',
    flags: '--allow-downgrade',
    way: 'apply',
    between: 'mount -t tmpfs tmpfs /run/delivery/layout',
    says: {
      packages: ['beta downgraded 1.0-1', 'gamma added 2:3.0', 'owner-tool removed'],
      units: OLD_UNITS,
    },
  },
];

/** What is known after a step. */
export interface StepResult {
  plan: PlanDocument;
  /** UUID of the active slot. */
  uuid: string;
  /** What the active slot holds. */
  after: Manifest;
  /** The image of it, unchanged. */
  pristine: Manifest;
  ledger: readonly LedgerLine[];
  seconds: number;
}

const ledgerLine = z.looseObject({
  path: z.string(),
  cause: z.looseObject({ by: z.string() }),
});
export type LedgerLine = z.infer<typeof ledgerLine>;

const TOOLS = `set -e
holdfast=/run/delivery/holdfast
state=/run/initramfs/cos-state
packed() { gzip -1 | base64 -w 0; echo; }
tree() {
    mkdir -p /tmp/tree
    mount -t ext4 -o loop,ro,noload "$2" /tmp/tree
    printf '%s=' "$1"
    manifest /tmp/tree
    umount /tmp/tree
}
result() {
    if ! "$holdfast" "$@" --json >/tmp/said 2>&1; then cat /tmp/said >&2; exit 1; fi
    grep '"type":"result"' /tmp/said | tail -n 1
}
# The first 16 digits of the active image's digest, as pristines are named after it.
active_digest() {
    sed -n '/^ *active:/,/^ *passive:/s/^ *digest: *"\\{0,1\\}sha256:\\([0-9a-f]\\{16\\}\\).*/\\1/p' "$state/state.yaml" | head -n 1
}
${MANIFEST_FUNCTION}`;

/** The script of the look at the active slot before the first step. */
const LOOK = `. /run/delivery/story/tools
tree after "$state/cOS/active.img"
`;

/** Writes the scripts into what is delivered to the machine, as `story/`. */
export function writeScripts(delivery: string): void {
  const directory = join(delivery, 'story');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'tools'), TOOLS);
  writeFileSync(join(directory, 'look'), LOOK);
  for (const [at, step] of STEPS.entries()) writeFileSync(join(directory, `step-${at}`), scriptOf(step));
}

function scriptOf({ before = ':', image, flags = '', way, replaces, between = ':' }: Step): string {
  const upgrade = (name: FidelityImage) => `upgrade --system oci-layout:/run/delivery/layout:${name}`;
  const carryOut = { apply: 'upgrade --apply', upgrade: `${upgrade(image)} ${flags}`, local: 'apply' }[way];
  return `. /run/delivery/story/tools
${before}
${replaces === undefined ? ':' : `result ${upgrade(replaces)} --plan >/dev/null`}
result ${upgrade(image)} ${flags} --plan >/tmp/plan
printf 'plan='; packed </tmp/plan
${between}
result ${carryOut} >/dev/null
printf 'uuid='; blkid --probe --match-tag UUID --output value "$state/cOS/active.img"
tree after "$state/cOS/active.img"
digest=$(active_digest)
tree pristine "$state/cOS/pristine-$digest.img"
result diff active >/tmp/ledger
printf 'ledger='; packed </tmp/ledger
`;
}

/** The active slot as it is, before the first step. */
export async function lookAtActive(machine: StoryMachine): Promise<Manifest> {
  return parseManifest(said(await machine.run('look'), 'after'));
}

/** Plans and carries out one step. */
export async function takeStep(machine: StoryMachine, at: number): Promise<StepResult> {
  const started = performance.now();
  const output = await machine.run(`step-${at}`);
  const planned: unknown = JSON.parse(utf8(unpack(said(output, 'plan'))));
  const ledger: unknown = JSON.parse(utf8(unpack(said(output, 'ledger'))));
  return {
    plan: z.looseObject({ plan: planDocumentSchema }).parse(planned).plan,
    uuid: said(output, 'uuid'),
    after: parseManifest(said(output, 'after')),
    pristine: parseManifest(said(output, 'pristine')),
    ledger: z.looseObject({ differences: z.array(ledgerLine) }).parse(ledger).differences,
    seconds: (performance.now() - started) / 1000,
  };
}

function said(output: string, name: string): string {
  const found = new RegExp(`^${name}=(.*?)\\r?$`, 'm').exec(output)?.[1];
  if (found === undefined) throw new Error(`the machine said nothing of "${name}":\n${output.slice(-4000)}`);
  return found;
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}
