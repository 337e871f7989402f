// Makes the document of a plan from what was built. Both systems are mounted; nothing is written here.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { isVouchedFor } from '../image/provenance.ts';
import { readOsRelease } from '../lifecycle/bootable.ts';
import { displayName } from '../lifecycle/image-name.ts';
import type { PlanMaterial } from '../lifecycle/planned-material.ts';
import { isOwnWrite, ownerPath } from '../lifecycle/planned-writes.ts';
import { systemVersion } from '../lifecycle/version-rule.ts';
import { readRecord } from '../record/record.ts';
import { SLOT_FILES } from '../slots/names.ts';
import type { Deployment } from '../slots/state-file.ts';
import { canShareBlocks } from '../system/mounts.ts';
import { oneLine } from '../system/oneline.ts';
import type { Root } from '../system/root.ts';
import { maskSecrets } from '../system/secrets.ts';
import { estimateDuration, measuredDuration, stateFilesystem } from './cost.ts';
import type { PlanDocument, SystemPart } from './document.ts';
import { planDocumentSchema } from './document.ts';
import { etcPart } from './etc.ts';
import { filesPart, findDifferences } from './files.ts';
import { kernelOf, kernelPart } from './kernel.ts';
import { makers } from './makers.ts';
import { packagesOf, packagesPart } from './packages.ts';
import { comingStages, ranStage } from './stages.ts';
import { unitChanges } from './units.ts';

const MAX_SENTENCE = 2000;

/** The whole plan, checked against its own schema. */
export async function describePlan(material: PlanMaterial): Promise<PlanDocument> {
  const { running, next, facts, apply, signal, hooks, moved, carry, writes, provenance } = material;
  const from = running?.root;
  const { differences, warnings } = from
    ? await findDifferences(from.directory, next.root.directory, {
        related: isRelated(material),
        signal,
        onProgress: material.progress,
      })
    : { differences: [], warnings: [] };
  const before = from && (await packagesOf(from, signal));
  const after = await packagesOf(next.root, signal);
  const hostHooks = apply.flatMap((action) =>
    action.kind === 'run-hook' && action.where === 'host' ? [action.hook] : [],
  );
  const { entries } = readRecord({ stateDirectory: material.stateDirectory });
  const applying = estimateDuration(
    apply.map(({ kind }) => kind),
    entries,
    { 'take-plan': material.checkMs },
  );
  const document: PlanDocument = {
    format: 'holdfast-plan',
    version: 1,
    id: material.id,
    created: material.created,
    command: oneLine(material.command, MAX_SENTENCE),
    running: running === undefined ? null : { slot: running.slot, ...systemPart(running.root, running.deployment) },
    next: systemPart(next.root, next.deployment),
    passive: apply.some(({ kind }) => kind === 'copy-to-passive') ? 'the system that is running now' : 'unchanged',
    trust: {
      verified: provenance !== undefined && isVouchedFor(provenance),
      by: provenance?.verifiedBy.map(({ by }) => by).join(', ') ?? null,
      words: oneLine(next.deployment.verified, MAX_SENTENCE),
    },
    packages: packagesPart(before, after),
    kernel: kernelPart(from && kernelOf(from), kernelOf(next.root)),
    units: unitChanges(differences),
    etc: await etcPart(
      { running: from, runningImage: running?.pristine, next: next.root, nextImage: next.pristine },
      { differences, makerOf: makers(material), decisions: carry?.rebase.decisions ?? [], signal },
    ),
    stages: [...hooks.map(ranStage), ...(await comingStages(hostHooks, material.hookSources))],
    files: filesPart(differences),
    overlay: overlayPart(material),
    writes: writes.map((write) => ({
      partition: write.partition,
      path: ownerPath(write),
      what: write.what,
      own: isOwnWrite(write),
    })),
    cost: {
      fetchedBytes: moved?.fetchedBytes ?? 0,
      toFetchBytes: 0,
      imageBytes: moved?.fullBytes ?? 0,
      writtenBytes: moved?.writtenBytes ?? 0,
      filesystems: [stateFilesystem('COS_STATE', material.space, applyBytes(material))],
      planning: measuredDuration(material.timings),
      applying,
    },
    apply: apply.map(({ kind, summary }) => ({ kind, summary })),
    warnings: [...material.warnings, ...facts.warnings, ...warnings].map((text) => oneLine(text, MAX_SENTENCE)),
  };
  return planDocumentSchema.parse(masked({ ...document, warnings: [...new Set(document.warnings)] }));
}

/** What is a name or a number of its own, not a text in which somebody may have put a password. */
const AS_THEY_ARE = new Set(['path', 'pathBytes', 'paths', 'id', 'uuid', 'digest', 'hunks', 'changedFiles', 'file']);

/** The document without what looks like a secret: commands, sources and outputs may hold one. */
export function masked<T>(value: T): T;
export function masked(value: unknown): unknown {
  if (typeof value === 'string') return maskSecrets(value);
  if (Array.isArray(value)) return value.map((one: unknown) => masked(one));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]: [string, unknown]) => [key, AS_THEY_ARE.has(key) ? one : masked(one)]),
  );
}

/** Both slots began as clones of the same copy of an image: what nobody touched since need not be read. */
function isRelated({ facts, running }: PlanMaterial): boolean {
  const { base } = facts;
  return base !== undefined && running?.deployment?.digest === base.digest && running.pristine !== undefined;
}

function systemPart(root: Root, deployment: Deployment | undefined): SystemPart {
  const release = readOsRelease(root);
  const { version } = systemVersion(release);
  return {
    name: release.prettyName ?? release.name ?? 'a system without a name',
    version: version ?? null,
    source: deployment === undefined ? null : displayName(deployment.source),
    digest: deployment?.digest ?? null,
    uuid: deployment?.uuid ?? null,
  };
}

function overlayPart({ facts, carry, apply }: PlanMaterial): PlanDocument['overlay'] {
  const place = facts.overlay?.place;
  if (place === undefined) return null;
  if (carry !== undefined) {
    return {
      place,
      action: 'carried',
      decided: carry.decided,
      report: carry.report.map((line) => line.slice(0, MAX_SENTENCE)),
    };
  }
  if (!apply.some(({ kind }) => kind === 'blank-overlay')) return null;
  return { place, action: 'blank', decided: 0, report: [] };
}

/** What applying takes beyond what is kept: copies of slots where blocks can't be shared. */
function applyBytes({ apply, stateDirectory, running }: PlanMaterial): number {
  const copy = apply.find((action) => action.kind === 'copy-to-passive');
  if (copy?.kind !== 'copy-to-passive' || copy.mode === 'share' || running === undefined) return 0;
  return canShareBlocks(stateDirectory) ? 0 : statSync(join(stateDirectory, SLOT_FILES.active)).blocks * 512;
}
