// Eight changes of different kinds on one machine, each planned first: other images, packages of image and owner, kernel,
// units, files that both edit, a way back. What a plan says is held against what find and sha256sum see of the active slot
// before and after, and each difference between slot and image has to have its line in the ledger. Small guest; six minutes.

import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { IN_SLOT, packDelivery } from '../../lab/crash/delivery.ts';
import { Guest } from '../../lab/crash/guest.ts';
import { ensureGuestRoot } from '../../lab/crash/guest-root.ts';
import { ensureExecutable } from '../../lab/executable.ts';
import { makeFidelityImages, makeOwnersPackage } from '../../lab/fidelity/images.ts';
import { compareManifests, type Difference, type Manifest } from '../../lab/fidelity/manifest.ts';
import {
  lookAtActive,
  STEPS,
  type StepResult,
  type StoryMachine,
  takeStep,
  writeScripts,
} from '../../lab/fidelity/story.ts';
import { runChecked } from '../../src/system/process.ts';

const DISK_BYTES = 6144 * 2 ** 20;

const directory = mkdtempSync(join(tmpdir(), 'holdfast-truth-'));
let guest: Guest | undefined;
let machine: StoryMachine;
/** The active slot after the last step. */
let active: Manifest;

beforeAll(async () => {
  const log = console.log;
  const root = await ensureGuestRoot({ log });
  const [delivery, work] = ['delivery', 'work'].map((name) => join(directory, name));
  if (delivery === undefined || work === undefined) throw new Error('no directories');
  for (const path of [delivery, work]) mkdirSync(path);
  await makeFidelityImages(join(delivery, 'layout'), work, root);
  await makeOwnersPackage(delivery, work);
  writeScripts(delivery);
  await runChecked(['cp', await ensureExecutable(log), join(delivery, 'holdfast')]);
  await runChecked(['cp', IN_SLOT, join(delivery, 'in-slot.sh')]);
  await packDelivery(delivery, `${delivery}.img`);
  const disk = join(directory, 'disk.img');
  writeFileSync(disk, '');
  truncateSync(disk, DISK_BYTES);
  const running = await Guest.boot({
    root,
    delivery: `${delivery}.img`,
    disk,
    consoleLog: join(directory, 'console.log'),
  });
  guest = running;
  machine = {
    run: async (script) => {
      const line = `sh /run/delivery/in-slot.sh /dev/crash active sh /run/delivery/story/${script}`;
      return (await running.run(line)).output;
    },
  };
  await running.run(
    '/run/delivery/holdfast install /dev/crash --system oci-layout:/run/delivery/layout:first --no-boot-entry --quiet',
  );
  active = await lookAtActive(machine);
});
afterAll(async () => {
  await guest?.cut();
  rmSync(directory, { recursive: true, force: true });
});

const words = (change: Difference['change'], what: readonly string[]) =>
  // What is new or gone differs in everything.
  change === 'changed' ? [change, ...[...what].sort()].join(' ') : change;

/** Each path that differs, with how, as lines that a failing test shows. */
const happened = (before: Manifest, after: Manifest) =>
  [...compareManifests(before, after)].map(([path, { change, fields }]) => `${path}: ${words(change, fields)}`).sort();

const planned = ({ plan }: StepResult) =>
  plan.files.paths.map(({ path, change, what }) => `${path}: ${words(change, what)}`).sort();

const TYPES: Readonly<Record<string, string>> = { f: 'file', d: 'directory', l: 'symlink' };

/** What the plan says of a path in the new system, and what is there, where they don't agree. */
function wrongAfter({ plan, after }: StepResult): string[] {
  return plan.files.paths.flatMap(({ path, after: said }) => {
    const entry = after.get(path);
    if (said === undefined || entry === undefined) return said === entry ? [] : [`${path}: ${JSON.stringify(said)}`];
    const { type, mode, owner, sizeBytes, sha256, link } = said;
    const isRight =
      type === TYPES[entry.type] &&
      (type === 'symlink' || Number.parseInt(mode, 8) === Number.parseInt(entry.mode, 8)) &&
      owner === entry.owner &&
      (sizeBytes === undefined || sizeBytes === entry.size) &&
      (sha256 === undefined || sha256.replace(/^sha256:/, '') === entry.sha256) &&
      (link === undefined || link === entry.link);
    return isRight ? [] : [`${path}: planned ${JSON.stringify(said)}, is ${JSON.stringify(entry)}`];
  });
}

describe.sequential('what a plan says is what happens', () => {
  test.each(STEPS.map((step, at) => ({ ...step, at })))('$title', async ({ at, way, says = {} }) => {
    const before = active;
    const result = await takeStep(machine, at);
    const { plan, after, pristine, ledger, uuid, seconds } = result;
    active = after;
    const really = happened(before, after);
    const own = compareManifests(pristine, after);
    console.log(
      `${STEPS[at]?.title}: ${really.length} paths differ, ${own.size} from the image; ${seconds.toFixed(1)} s`,
    );
    // Every path of both trees, with what of it differs; then what is there, byte for byte.
    expect(planned(result)).toEqual(really);
    expect(really.length).toBeGreaterThan(0);
    expect(wrongAfter(result)).toEqual([]);
    // Applying a plan takes the very file; another build is another one with the same content.
    expect(plan.next.uuid === uuid).toBe(way === 'apply');
    const { packages = [], units = [], kernels, argumentsAdded = [] } = says;
    expect(plan.packages.changes.map(({ name, change, to }) => [name, change, to ?? []].flat().join(' '))).toEqual(
      packages,
    );
    expect(plan.units.map(({ name, change }) => `${name} ${change}`).sort()).toEqual(units);
    if (kernels !== undefined) expect(plan.kernel.to).toEqual(kernels);
    expect(plan.kernel.arguments.added).toEqual(expect.arrayContaining([...argumentsAdded]));

    expect(ledger.filter(({ cause }) => cause.by === 'unknown')).toEqual([]);
    expect(ledger.map(({ path }) => path).sort()).toEqual([...own.keys()].sort());
  });
});
