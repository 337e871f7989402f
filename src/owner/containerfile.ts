// A container file that puts the changes of one machine into an image: packages, commands and files as its owner asked for
// them, and what else was found that differs. Pure: data in, texts out; nobody's secrets are written into it.

import { quote } from '../overlay/capture/shell-words.ts';
import type { Command, PackageManager } from '../stages/packages/manager.ts';
import { oneLine } from '../system/oneline.ts';
import { isSecretPath } from '../system/secret-paths.ts';
import { maskSecrets } from '../system/secrets.ts';
import { describeRequest, type FileRequest, type OwnerRequest } from './request.ts';

/** A path that differs from the image for another reason than a request of the owner. */
export interface FoundChange {
  path: string;
  /** Whose doing it is, in words: `/oem/90_mine.yaml:12 "Install things"`. */
  by: string;
  change:
    | { kind: 'removed' }
    | { kind: 'link'; target: string }
    | { kind: 'directory'; mode: number; uid: number; gid: number }
    /** Its content is taken from the system. */
    | { kind: 'file'; mode: number; uid: number; gid: number };
}

export interface PromotionFacts {
  /** What the image is built upon: `registry/os@sha256:…`; undefined where the image came from no registry. */
  base: string | undefined;
  /** Where the installed image came from, in words. */
  source: string;
  requests: readonly OwnerRequest[];
  /** Steps of the owner's file that are no request, as `stage: name`. */
  handWritten: readonly string[];
  found: readonly FoundChange[];
  /** Directories of the system that aren't root's or not 0755: a copy must leave them as they are. */
  directories: readonly { path: string; mode: number; uid: number; gid: number }[];
  /** What was left out while it was gathered, a sentence each. */
  leftOut: readonly string[];
  manager: PackageManager | undefined;
}

/** A file beside the container file. */
export interface PromotedFile {
  /** Below the directory. */
  name: string;
  mode: number;
  content:
    | { kind: 'bytes'; bytes: Uint8Array }
    /** By its digest, in the store of large files. */
    | { kind: 'stored'; sha256: string }
    /** From the system, by its path there. */
    | { kind: 'system'; path: string }
    | { kind: 'directory' };
}

export interface Promotion {
  containerfile: string;
  files: readonly PromotedFile[];
  /** What is not in it, and why: a sentence each. */
  left: readonly string[];
}

/** What can't be promoted is listed, in the file too. */
export function writeContainerfile(facts: PromotionFacts): Promotion {
  const left: string[] = [...facts.leftOut];
  const files: PromotedFile[] = [];
  const sections = [
    ...packageLines(facts, left),
    ...pathLines(facts, files, left),
    ...commandLines(facts.requests, left),
  ];
  left.push(
    ...facts.handWritten.map(
      (step) => `the step ${step} stays with the machine; an image has such files in /system/oem`,
    ),
  );
  const containerfile = [
    '# Changes of one machine, as an image that all machines can have. Written by "holdfast promote"; look through it,',
    '# then build it here: docker build -t NAME .  (or podman, buildah)',
    ...left.map((text) => `# Left out: ${oneLine(text, 400)}`),
    ...baseLines(facts),
    ...sections,
    '',
    '# A kernel or a module may have changed; nothing is done where all is well.',
    'RUN holdfast init',
    '',
  ].join('\n');
  return { containerfile, files, left };
}

function baseLines({ base, source }: PromotionFacts): string[] {
  if (base !== undefined) return [`FROM ${base}`];
  return [
    `# This machine was installed from ${source}, which no builder can fetch by that name: name the image with`,
    '# --build-arg BASE=IMAGE, or make this file again with "holdfast promote --from IMAGE".',
    'ARG BASE',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the builder
    'FROM ${BASE}',
  ];
}

function packageLines({ requests, manager }: PromotionFacts, left: string[]): string[] {
  const packages = requests.filter((request) => request.kind === 'package');
  if (packages.length === 0) return [];
  const of = (wish: 'install' | 'remove') => packages.filter((one) => one.wish === wish).map(({ name }) => name);
  const [install, remove] = [of('install'), of('remove')];
  if (manager === undefined) {
    left.push(`packages (${[...install, ...remove].join(', ')}): the package manager of this system is not known`);
    return [];
  }
  const environment = Object.entries(manager.environment).map(([name, value]) => `${name}=${quote(value)} `);
  const line = (command: Command) => `${environment.join('')}${command.map(quote).join(' ')}`;
  const commands = [
    ...(install.length > 0 ? [line(manager.refresh), line(manager.install(install))] : []),
    ...(remove.length > 0 ? [line(manager.remove(remove))] : []),
    ...(install.length > 0 && manager.name === 'apt' ? ['rm -rf /var/lib/apt/lists/*'] : []),
  ];
  return ['', `# ${packages.map(describeRequest).join(', ')}`, `RUN ${commands.join(' \\\n && ')}`];
}

/** Everything that has a path: one COPY of a tree, and one RUN for what a copy doesn't keep. */
function pathLines(facts: PromotionFacts, files: PromotedFile[], left: string[]): string[] {
  const { directories } = facts;
  const requests = facts.requests.filter((one) => one.kind === 'file');
  const odd = [...requests, ...facts.found].filter(isOdd);
  if (odd.length > 0)
    left.push(`${odd.map(({ path }) => JSON.stringify(path)).join(', ')}: no container file can have such a name`);
  const found = facts.found.filter((one) => !isOdd(one));
  const by = new Map<string, string[]>();
  const commands: string[] = [];
  const told = (whom: string, path: string) => by.set(whom, [...(by.get(whom) ?? []), path]);
  for (const request of requests.filter((one) => !isOdd(one))) {
    const { path, content, mode, owner, group } = request;
    if (content.kind === 'link') commands.push(linkCommand(content.target, path));
    else if (isSecretPath(path) || isSecretContent(content)) {
      left.push(secretSentence(path));
      continue;
    } else {
      files.push({ name: `files${path}`, mode: mode & 0o777, content: contentOf(content) });
      commands.push(...attributesOf(path, { mode, owner, group }));
    }
    told('Kept by the owner', path);
  }
  for (const { path, by: whom, change } of found) {
    if (change.kind === 'file' && isSecretPath(path)) {
      left.push(secretSentence(path));
      continue;
    }
    told(whom, path);
    if (change.kind === 'removed') commands.push(`rm -rf -- ${quote(path)}`);
    else if (change.kind === 'link') commands.push(linkCommand(change.target, path));
    else {
      const { kind, mode, uid, gid } = change;
      const isFile = kind === 'file';
      files.push({
        name: `files${path}`,
        mode: mode & 0o777,
        content: isFile ? { kind: 'system', path } : { kind: 'directory' },
      });
      commands.push(...attributesOf(path, { mode, owner: String(uid), group: String(gid) }));
    }
  }
  const names = new Set(files.map(({ name }) => name));
  for (const { path, mode, uid, gid } of directories) {
    if (names.has(`files${path}`) || !files.some(({ name }) => name.startsWith(`files${path}/`))) continue;
    files.push({ name: `files${path}`, mode: mode & 0o777, content: { kind: 'directory' } });
    commands.push(...attributesOf(path, { mode, owner: String(uid), group: String(gid) }));
  }
  if (files.length === 0 && commands.length === 0) return [];
  const comments = [...by].map(([whom, paths]) => `# ${oneLine(whom, 200)}: ${listOf(paths)}`);
  return ['', ...comments, ...(files.length > 0 ? ['COPY files/ /'] : []), ...runAll(commands)];
}

/** A line break would begin an instruction of its own. */
function isOdd(one: FileRequest | FoundChange): boolean {
  const target = 'change' in one ? one.change : one.content;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the purpose
  return [one.path, target.kind === 'link' ? target.target : ''].some((text) => /[\x00-\x1f\x7f]/.test(text));
}

function listOf(paths: readonly string[]): string {
  const shown = paths.slice(0, 6).map((path) => oneLine(path, 200));
  const rest = paths.length - shown.length;
  return `${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function linkCommand(target: string, path: string): string {
  return `mkdir -p -- ${quote(parentOf(path))} && ln -sfn -- ${quote(target)} ${quote(path)}`;
}

/** What COPY doesn't keep: another owner than root, and special bits. */
function attributesOf(path: string, { mode, owner, group }: Pick<FileRequest, 'mode' | 'owner' | 'group'>): string[] {
  const isRoot = ['root', '0'].includes(owner) && ['root', '0'].includes(group);
  return [
    ...(isRoot ? [] : [`chown -- ${quote(`${owner}:${group}`)} ${quote(path)}`]),
    ...((mode & 0o7000) === 0 ? [] : [`chmod -- ${mode.toString(8)} ${quote(path)}`]),
  ];
}

function contentOf(content: Exclude<FileRequest['content'], { kind: 'link' }>): PromotedFile['content'] {
  return content.kind === 'inline'
    ? { kind: 'bytes', bytes: content.bytes }
    : { kind: 'stored', sha256: content.sha256 };
}

function isSecretContent(content: FileRequest['content']): boolean {
  return content.kind === 'inline' && isSecretText(Buffer.from(content.bytes).toString('utf8'));
}

/** Whether a text has something that looks like a secret. */
export function isSecretText(text: string): boolean {
  return maskSecrets(text) !== text;
}

/** Why a file is left out. */
export function secretSentence(path: string): string {
  return `${path} holds a secret, which everybody with the image could read`;
}

function commandLines(requests: readonly OwnerRequest[], left: string[]): string[] {
  const lines: string[] = [];
  for (const request of requests) {
    if (request.kind !== 'command') continue;
    if (isSecretText(request.text))
      left.push(`the command ${JSON.stringify(maskSecrets(request.text))} holds a secret`);
    else lines.push(runText(request.text));
  }
  return lines.length === 0 ? [] : ['', '# Commands', ...lines];
}

/** A command as one instruction. Several lines are put together by printf, since an instruction is one line. */
function runText(text: string): string {
  const lines = text.replace(/\n+$/, '').split('\n');
  const [only = ''] = lines;
  // What begins with a bracket is a list of arguments to the builder, what ends in a backslash goes on.
  if (lines.length === 1 && !/^\s*(?:\[|--|#)|\\$|<</.test(only)) return `RUN ${only}`;
  const words = lines.map((line) => `'${line.replaceAll("'", "'\\''")}'`);
  return `RUN sh -c "$(printf '%s\\n' ${words.join(' \\\n    ')})"`;
}

function runAll(commands: readonly string[]): string[] {
  return commands.length === 0 ? [] : [`RUN ${commands.join(' \\\n && ')}`];
}

function parentOf(path: string): string {
  return path.replace(/\/[^/]*$/, '') || '/';
}
