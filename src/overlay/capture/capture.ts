// A stage file made from what was done to a system by hand: packages by name, files with content, the rest as commands. It
// is the way out of an overlay into a configuration or an image, and is meant to be read before it is used: what has no place
// in it is named in its comment.

import type { TreePath } from '../../image/targettree.ts';
import type { PackagePlan } from '../packages/model.ts';
import type { Decision } from '../rebase/model.ts';
import type { TreeObject } from '../rebase/tree-object.ts';
import { commandLine, escapeTemplate } from './shell-words.ts';

export interface CaptureRequest {
  /** The stage that is to do it. */
  stage: string;
  /** What differs from the base, decided against the base itself: see planRebase. */
  decisions: readonly Decision[];
  packages: PackagePlan | undefined;
  /** Content of a file of the view; undefined when it is too large. */
  read: (path: TreePath) => Uint8Array | undefined;
  /** Names of the view's users and groups by number. */
  owners: { users: ReadonlyMap<number, string>; groups: ReadonlyMap<number, string> };
}

export interface Capture {
  /** For the top of the file, line by line. */
  comment: string;
  /** The stage file as a value. */
  config: { stages: Record<string, Step[]> };
  /** What is not in it, one line each. */
  leftOut: readonly string[];
  counts: { packages: number; directories: number; files: number; commands: number };
}

interface Step {
  name: string;
  packages?: { refresh: true; install?: string[]; remove?: string[] };
  directories?: Entry[];
  files?: FileEntry[];
  commands?: string[];
}

interface Entry {
  path: string;
  permissions: number;
  ownerstring?: string;
}

interface FileEntry extends Entry {
  content: string;
  encoding?: string;
}

/** Works out the stage file. Pure but for `read`. */
export function captureChanges({ stage, decisions, packages, read, owners }: CaptureRequest): Capture {
  const leftOut: string[] = [];
  const directories: Entry[] = [];
  const files: FileEntry[] = [];
  const commands: string[] = [];
  const deletions: string[] = [];
  const leave = (path: string, why: string) => leftOut.push(`/${path}: ${why}`);
  // The key "directories" takes numbers only, and numbers are others in another image.
  const addDirectory = ({ ownerstring, ...entry }: Entry, path: string) => {
    directories.push(entry);
    if (ownerstring !== undefined) commands.push(commandLine('chown', ownerstring, '--', path));
  };
  for (const { path: raw, outcome, view, before, wish, class: name } of decisions) {
    if (outcome === 'package' || outcome === 'skipped' || outcome === 'converged' || wish.want === 'base') continue;
    const text = textOf(raw);
    if (text === undefined) {
      leave(raw.replace(/[^ -~]/g, '?'), 'its name is no text');
      continue;
    }
    const path = `/${text}`;
    if (name === 'record') {
      leave(text, 'accounts: write them as "users" yourself');
      continue;
    }
    if (name === 'identity') {
      leave(text, 'it is the identity of this one machine');
      continue;
    }
    if (view === undefined) {
      deletions.push(commandLine('rm', '-rf', '--', path));
      continue;
    }
    const entry = { path: escapeTemplate(path), ...placementOf(view, owners) };
    if (outcome === 'metadata' && before?.type === view.type) {
      if (view.type === 'symlink') commands.push(commandLine('chown', '-h', ownerOf(view, owners), '--', path));
      else if (view.type === 'directory') addDirectory(entry, path);
      else commands.push(...attributeCommands(path, view, owners));
    } else if (view.type === 'directory') addDirectory(entry, path);
    else if (view.type === 'symlink') {
      const target = textOf(view.linkTarget);
      if (target === undefined) leave(text, 'the target of the link is no text');
      else commands.push(commandLine('ln', '-sfn', '--', target, path));
    } else if (view.type === 'file') {
      const content = read(raw);
      if (content === undefined) leave(text, `${view.sizeBytes} bytes are too many for a stage file`);
      else files.push({ ...entry, ...contentOf(content) });
    } else leave(text, `a ${view.type.replace('-', ' ')}`);
    if (view.xattrs.size > 0 && view.type !== 'symlink') commands.push(...xattrCommands(path, view));
  }
  const install = packages?.install.filter(({ automatic }) => !automatic).map(nameOf) ?? [];
  const remove = packages?.remove.map(nameOf) ?? [];
  for (const { key, before, wanted } of packages?.conflicts ?? []) {
    leftOut.push(`package ${key}: ${before ?? 'none'} became ${wanted ?? 'none'}; images bring their own version`);
  }
  for (const { key, reason } of packages?.skipped ?? []) leftOut.push(`package ${key}: ${reason}`);
  const steps: Step[] = [];
  if (install.length + remove.length > 0) {
    const wishes = { ...(install.length > 0 && { install }), ...(remove.length > 0 && { remove }) };
    steps.push({
      name: 'Packages that were installed and removed by hand',
      packages: { refresh: true, ...wishes },
    });
  }
  if (deletions.length > 0) steps.push({ name: 'What was removed by hand', commands: deletions });
  if (directories.length + files.length > 0) {
    const made = { ...(directories.length > 0 && { directories }), ...(files.length > 0 && { files }) };
    steps.push({ name: 'Files that were changed by hand', ...made });
  }
  if (commands.length > 0) steps.push({ name: 'Links and attributes', commands });
  return {
    comment: commentOf(leftOut),
    config: { stages: { [stage]: steps } },
    leftOut,
    counts: {
      packages: install.length + remove.length,
      directories: directories.length,
      files: files.length,
      commands: commands.length + deletions.length,
    },
  };
}

function nameOf({ name }: { name: string }): string {
  return name;
}

function commentOf(leftOut: readonly string[]): string {
  const head = ['Made by "holdfast overlay capture". Read it before you use it: it may hold secrets.'];
  return [
    ...head,
    ...(leftOut.length > 0 ? ['', 'Not in here:', ...leftOut.map((line) => `  ${oneLine(line)}`)] : []),
  ].join('\n');
}

/** A name may have line breaks in it, and a line of a comment ends with one. */
function oneLine(text: string): string {
  return text.replace(/[^ -~\u00a0-\uffff]/g, '?');
}

function placementOf(view: TreeObject, owners: CaptureRequest['owners']): Omit<Entry, 'path'> {
  const isRoot = view.uid === 0 && view.gid === 0;
  return { permissions: view.mode, ...(!isRoot && { ownerstring: ownerOf(view, owners) }) };
}

function ownerOf({ uid, gid }: TreeObject, { users, groups }: CaptureRequest['owners']): string {
  return `${users.get(uid) ?? uid}:${groups.get(gid) ?? gid}`;
}

function attributeCommands(path: string, view: TreeObject, owners: CaptureRequest['owners']): string[] {
  return [
    commandLine('chown', ownerOf(view, owners), '--', path),
    // After chown, which clears the set-id bits.
    commandLine('chmod', view.mode.toString(8).padStart(4, '0'), '--', path),
  ];
}

function xattrCommands(path: string, { xattrs }: TreeObject): string[] {
  return [...xattrs].map(([name, value]) =>
    commandLine('setfattr', '-h', '-n', name, '-v', `0x${value.toString('hex')}`, '--', path),
  );
}

function contentOf(bytes: Uint8Array): Pick<FileEntry, 'content' | 'encoding'> {
  const text = decode(Buffer.from(bytes));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: YAML has no form for them
  if (text !== undefined && !/[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufffe\uffff]/.test(text))
    return { content: escapeTemplate(text) };
  // What is text is expanded after it was decoded, too.
  const escaped = text === undefined ? Buffer.from(bytes) : Buffer.from(escapeTemplate(text));
  return { content: escaped.toString('base64'), encoding: 'b64' };
}

function textOf(path: TreePath): string | undefined {
  return decode(Buffer.from(path, 'latin1'));
}

/** Undefined for bytes that are no UTF-8. */
function decode(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : undefined;
}
