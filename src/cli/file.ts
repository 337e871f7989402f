// `holdfast file`: files of this system that every system to come has.

import { createHash } from 'node:crypto';
import { isAbsolute, join, normalize, resolve } from 'node:path';
import { type CapturedFile, captureFile, unkeptAttributes } from '../owner/capture-file.ts';
import { type OwnerChange, ownerChange } from '../owner/change.ts';
import { addRequest, listRequests, type OwnerFile, removeRequest } from '../owner/owner-file.ts';
import { readOwnerFile } from '../owner/owner-place.ts';
import { type Place, placeOf } from '../owner/place.ts';
import type { FileRequest } from '../owner/request.ts';
import { HoldfastError } from '../system/errors.ts';
import { listMounts } from '../system/mounts.ts';
import { Root } from '../system/root.ts';
import { changeOwnerFile, finishChange, type NowFlags, type OwnerFlags, ownerPlaces } from './owner-change.ts';
import type { CommandContext } from './program.ts';

type FileFlags = OwnerFlags & NowFlags;

export async function fileAddCommand(context: CommandContext, paths: string[], flags: FileFlags): Promise<number> {
  const { captured, contents, notes } = await captureFiles(context, new Root(flags.root), paths);
  const plan = await changeOwnerFile(context, flags, (file) => addCaptured(file, captured), contents);
  for (const text of notes) context.reporter.events({ type: 'notice', level: 'info', text: text.trim() });
  return finishChange(context, plan, flags);
}

/** Files as requests, before anything is written: with the contents that are kept beside the stage file, by digest. */
export async function captureFiles(
  context: CommandContext,
  root: Root,
  paths: readonly string[],
): Promise<{ captured: CapturedFile[]; contents: ReadonlyMap<string, Uint8Array>; notes: string[] }> {
  const mounts = root.isHost ? listMounts() : [];
  const captured: CapturedFile[] = [];
  const notes: string[] = [];
  for (const path of new Set(paths.map((one) => absolute(one)))) {
    const place = placeOf(join('/', root.inside(root.resolve(path, { followLast: false }))), mounts);
    const why = NOT_TO_KEEP[place];
    if (why !== undefined) {
      notes.push(`  ${path}: ${why}`);
      continue;
    }
    const one = captureFile(root, path);
    for (const name of await unkeptAttributes(root, path)) {
      const text = `${path}: ${name} is not kept with it; set it by a command: holdfast run -- …`;
      context.reporter.events({ type: 'notice', level: 'warning', text });
    }
    captured.push({ ...one, request: { ...one.request, atBoot: place === 'ephemeral' } });
    if (place === 'slot' && root.isHost)
      notes.push(`  ${path}: part of the system; it is there from the next system on`);
  }
  const contents = new Map(
    captured.flatMap(({ stored }) => (stored === undefined ? [] : [[digestOf(stored), stored] as const])),
  );
  return { captured, contents, notes };
}

export function addCaptured(
  file: OwnerFile,
  captured: readonly CapturedFile[],
): { file: OwnerFile; changes: OwnerChange[] } {
  const changes: OwnerChange[] = [];
  let next = file;
  for (const { request } of captured) {
    const wasThere = listRequests(next).some((one) => one.kind === 'file' && one.path === request.path);
    const after = addRequest(next, request);
    changes.push(ownerChange(after === next ? 'kept-already' : wasThere ? 'replaced' : 'added', request));
    next = after;
  }
  return { file: next, changes };
}

/** What needs no keeping, and why. */
const NOT_TO_KEEP: Partial<Record<Place, string>> = {
  persistent: 'on a persistent place; it stays by itself, also across upgrades',
  nowhere: 'of this boot alone; nothing of it can be kept',
};

export async function fileRemoveCommand(context: CommandContext, paths: string[], flags: FileFlags): Promise<number> {
  const plan = await changeOwnerFile(context, flags, (file) => {
    const changes: OwnerChange[] = [];
    let next = file;
    for (const path of new Set(paths.map((one) => absolute(one)))) {
      const request = listRequests(next).find((one) => one.kind === 'file' && one.path === path);
      if (request === undefined) {
        throw new HoldfastError('HF-USAGE', `${path} isn't kept`, { hint: 'see holdfast file list' });
      }
      next = removeRequest(next, request);
      changes.push(ownerChange('removed', request));
    }
    return { file: next, changes };
  });
  return finishChange(context, plan, flags);
}

export async function fileListCommand({ reporter }: CommandContext, _: string[], flags: FileFlags): Promise<number> {
  const root = new Root(flags.root);
  const files = listRequests(readOwnerFile(ownerPlaces(root).oemDirectory)).filter((one) => one.kind === 'file');
  const value = files.map((request) => {
    const { path, mode, owner, group, atBoot, content } = request;
    const permissions = mode.toString(8).padStart(4, '0');
    return {
      path,
      type: content.kind === 'link' ? 'link' : 'file',
      permissions,
      owner,
      group,
      atBoot,
      isChanged: isChanged(root, request),
    };
  });
  reporter.result(
    { files: value },
    value.length === 0
      ? ['No file is kept.', '  holdfast file add PATH']
      : value.map(({ path, atBoot, isChanged: other }) =>
          [path, ...(atBoot ? ['at each boot, too'] : []), ...(other ? ['differs here from what is kept'] : [])].join(
            '  ',
          ),
        ),
  );
  return 0;
}

/** Whether the system has the file in another form, or not at all. */
function isChanged(root: Root, request: FileRequest): boolean {
  try {
    const { request: now } = captureFile(root, request.path);
    const text = ({ content }: FileRequest) =>
      content.kind === 'inline' ? digestOf(content.bytes) : content.kind === 'stored' ? content.sha256 : content.target;
    return text(now) !== text(request) || (now.content.kind !== 'link' && now.mode !== request.mode);
  } catch (error) {
    if (error instanceof HoldfastError) return true;
    throw error;
  }
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** @throws HoldfastError HF-USAGE for a name that no stage file can hold. */
function absolute(path: string): string {
  const whole = normalize(isAbsolute(path) ? path : resolve(path));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: YAML has no form for them
  if (/[\x00-\x1f\x7f]/.test(whole) || whole === '/' || whole.includes('\ufffd')) {
    throw new HoldfastError('HF-USAGE', `${JSON.stringify(path)} can't be kept by name`, {
      hint: 'keep it by a command: holdfast run -- …',
    });
  }
  return whole;
}
