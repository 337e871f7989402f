// What of this machine would go into an image: the owner's requests, and on request everything else that the ledger of its
// slot knows of. Read only; files are read from the slot, as the ledger speaks of it, not from what runs above it.

import { mkdirSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerEntry, StepCause } from '../ledger/entry.ts';
import { readLedger } from '../ledger/ledger-file.ts';
import { pathTextOf } from '../ledger/path-name.ts';
import { type FoundChange, isSecretText, type PromotionFacts, secretSentence } from '../owner/containerfile.ts';
import { handWrittenSteps, listRequests } from '../owner/owner-file.ts';
import { OEM_DIRECTORY, ownerFilePath, readOwnerFile } from '../owner/owner-place.ts';
import { slotId } from '../slots/identify.ts';
import { BOOTED_PARTITION, RUNNING_FILE, SLOT_FILES } from '../slots/names.ts';
import { Facts } from '../stages/facts.ts';
import { findManager } from '../stages/packages/manager.ts';
import { HoldfastError } from '../system/errors.ts';
import { mount, mountAt, unmount } from '../system/mounts.ts';
import type { UndoStack } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import { RUN_DIRECTORY } from './leftovers.ts';
import { inspectStatus, type MachineStatus } from './status.ts';

export interface PromotionOptions {
  /** The image to build upon, in place of the installed one. */
  from: string | undefined;
  /** Also what stage files and others have changed, by the ledger. */
  ledger: boolean;
  undo: UndoStack;
}

/** The facts, and the tree that files of the system are copied from. */
export interface GatheredPromotion {
  facts: PromotionFacts;
  tree: Root;
}

/** Above this, a person can't look through it any more. */
const MOST_FOUND = 1000;
const MAX_TEXT_BYTES = 1 << 20;

/** Made anew by every system for itself, or by package managers. */
const GENERATED =
  /^\/(?:var\/(?:cache|log|tmp|lib\/(?:dpkg|apt|rpm|dnf|zypp|holdfast|systemd|dbus|pam|ucf|sgml-base))|usr\/lib\/sysimage|lib\/apk|etc\/apk\/(?:world|protected)|run|tmp|dev|proc|sys|oem|usr\/local)(?:\/|$)|^\/etc\/(?:ld\.so\.cache|machine-id|mtab|fstab|resolv\.conf|\.updated|\.pwd\.lock)$|\.pyc$/;
const ACCOUNTS = /^\/etc\/(?:passwd|group|shadow|gshadow|subuid|subgid)-?$/;

/**
 * Gathers what `holdfast promote` writes.
 * @throws HoldfastError HF-STATE when the ledger is asked for and there is none, HF-CONFIG for an owner's file that can't be read.
 */
export async function gatherPromotion({ from, ledger, undo }: PromotionOptions): Promise<GatheredPromotion> {
  const file = readOwnerFile(OEM_DIRECTORY);
  const status = await inspectStatus();
  const { base, source } = baseOf(status, from);
  const found: FoundChange[] = [];
  const leftOut: string[] = [];
  let tree = new Root('/');
  if (ledger) {
    const slot = await openLedgerSlot(status, undo);
    tree = slot.tree;
    const chosen = chooseEntries(slot.entries, ownerFilePath());
    found.push(...chosen.found.filter((change) => isPublic(tree, change, leftOut)));
    leftOut.push(...chosen.leftOut);
  }
  const requests = listRequests(file);
  const paths = [
    ...requests.flatMap((one) => (one.kind === 'file' ? [one.path] : [])),
    ...found.map(({ path }) => path),
  ];
  const facts: PromotionFacts = {
    base,
    source,
    requests,
    handWritten: handWrittenSteps(file).map(
      ({ stage, step }) => `${stage}: ${String(step['name'] ?? 'without a name')}`,
    ),
    found,
    directories: directoriesAbove(tree, paths),
    leftOut,
    manager: findManager(new Facts(new Root('/'))),
  };
  return { facts, tree };
}

/** A registry's image by its digest; anything else is named in words. */
function baseOf(status: MachineStatus, from: string | undefined): { base: string | undefined; source: string } {
  if (from !== undefined) return { base: from, source: from };
  const booted = status.slots.find(({ slot }) => slot === (status.booted.slot ?? 'active'));
  return baseOfSource(booted?.deployment?.source ?? '', booted?.deployment?.digest);
}

/**
 * What a container file can name. Pure.
 * @param source as state.yaml has it: `docker:registry/os:v1`.
 */
export function baseOfSource(source: string, digest: string | undefined): { base: string | undefined; source: string } {
  const [, name] = /^docker:(?:\/\/)?(.+)$/.exec(source) ?? [];
  if (name === undefined) return { base: undefined, source: source === '' ? 'an unknown image' : source };
  if (digest === undefined) return { base: name, source };
  const repository = name.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
  return { base: `${repository}@${digest}`, source };
}

async function openLedgerSlot(status: MachineStatus, undo: UndoStack) {
  const { slot, uuid } = status.booted;
  const state = mountAt(BOOTED_PARTITION) === undefined ? undefined : BOOTED_PARTITION;
  if ((slot !== 'active' && slot !== 'passive') || uuid === undefined || state === undefined) {
    throw new HoldfastError('HF-STATE', 'this system was not booted from a slot, so no ledger speaks of it', {
      hint: 'without --changed the owner’s packages, commands and files are promoted',
    });
  }
  const ledger = readLedger(state, uuid);
  if (ledger === undefined) {
    throw new HoldfastError('HF-STATE', 'there is no ledger of this system: it was made by an older version', {
      hint: 'the next upgrade writes one; without --changed the owner’s packages, commands and files are promoted',
    });
  }
  const at = join(RUN_DIRECTORY, `promote-${process.pid}`);
  const file = await fileWithUuid(state, uuid);
  if (file === undefined) throw new HoldfastError('HF-STATE', 'the file of the running system is not there any more');
  mkdirSync(at, { recursive: true });
  undo.always(`remove ${at}`, () => rmdirSync(at));
  await mount(file, at, { options: ['ro', 'loop', 'noload'] });
  undo.always(`unmount ${at}`, () => unmount(at));
  return { entries: ledger.entries, tree: new Root(at) };
}

/** After an upgrade, until the reboot, the running system has another name. */
async function fileWithUuid(stateDirectory: string, uuid: string): Promise<string | undefined> {
  for (const name of [SLOT_FILES.active, RUNNING_FILE, SLOT_FILES.passive]) {
    const file = join(stateDirectory, name);
    if ((await slotId(file)) === uuid) return file;
  }
  return undefined;
}

/** Which entries of a ledger an image should have. Pure. @param ownerFile whose steps are promoted as requests. */
export function chooseEntries(
  entries: readonly LedgerEntry[],
  ownerFile: string,
): { found: FoundChange[]; leftOut: string[] } {
  const found: FoundChange[] = [];
  const leftOut: string[] = [];
  let ofPackages = 0;
  let accounts = false;
  for (const entry of entries) {
    const { kind, after, cause, package: owner, fields } = entry;
    const path = pathTextOf(entry.path);
    if (cause.by === 'holdfast' || GENERATED.test(path)) continue;
    if (cause.by === 'step' && cause.step.file === ownerFile) continue;
    if (ACCOUNTS.test(path)) {
      accounts = true;
      continue;
    }
    // What a package brings comes with the package; its configuration may have been changed by a step.
    if (owner !== undefined && !(kind === 'changed' && path.startsWith('/etc/'))) {
      ofPackages += 1;
      continue;
    }
    if (kind === 'changed' && fields.every((field) => field === 'time')) continue;
    const change = changeOf(entry);
    if (change === undefined) leftOut.push(`${path} is a ${after?.type ?? 'thing'} that a container file can’t make`);
    else found.push({ path, by: describeCause(cause), change });
  }
  if (ofPackages > 0) leftOut.push(`${ofPackages} paths of packages: they come with the packages`);
  if (accounts) leftOut.push('users and groups that stages have made: they stay with the machine');
  if (found.length > MOST_FOUND) {
    leftOut.push(
      `${found.length - MOST_FOUND} more differences: nobody could look through them here; see holdfast diff`,
    );
  }
  return { found: found.slice(0, MOST_FOUND), leftOut };
}

function changeOf({ kind, after }: LedgerEntry): FoundChange['change'] | undefined {
  if (kind === 'removed' || after === undefined) return { kind: 'removed' };
  const { type, mode, uid, gid, linkTarget } = after;
  if (type === 'symlink') return { kind: 'link', target: Buffer.from(linkTarget, 'latin1').toString('utf8') };
  if (type === 'directory') return { kind: 'directory', mode, uid, gid };
  return type === 'file' ? { kind: 'file', mode, uid, gid } : undefined;
}

function describeCause(cause: LedgerEntry['cause']): string {
  switch (cause.by) {
    case 'step':
      return placeOf(cause.step);
    case 'hook':
      return `A program that ${cause.stage} left running`;
    default:
      return 'Nobody knows by whom';
  }
}

function placeOf({ file, line, name }: StepCause): string {
  return `${file}:${line}${name === undefined ? '' : ` "${name}"`}`;
}

/** What looks like a secret is left out, whatever the file is called. */
function isPublic(tree: Root, { path, change }: FoundChange, leftOut: string[]): boolean {
  if (change.kind !== 'file') return true;
  const stat = tree.lstat(path);
  if (stat?.isFile() !== true) {
    leftOut.push(`${path} is not in the slot any more`);
    return false;
  }
  if (stat.size > MAX_TEXT_BYTES || !isSecretText(tree.readText(path))) return true;
  leftOut.push(secretSentence(path));
  return false;
}

/** Directories above some paths that a plain copy would change. */
function directoriesAbove(tree: Root, paths: readonly string[]): PromotionFacts['directories'] {
  const above = new Set(
    paths.flatMap((path) =>
      path
        .split('/')
        .slice(1, -1)
        .map((_, index, parts) => `/${parts.slice(0, index + 1).join('/')}`),
    ),
  );
  return [...above].sort().flatMap((path) => {
    const stat = statSync(tree.resolve(path), { throwIfNoEntry: false });
    if (stat?.isDirectory() !== true) return [];
    const { mode, uid, gid } = stat;
    return (mode & 0o7777) === 0o755 && uid === 0 && gid === 0 ? [] : [{ path, mode: mode & 0o7777, uid, gid }];
  });
}
