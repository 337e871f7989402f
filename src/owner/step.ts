// A request of the owner as a step of a stage file, and the way back. A step is recognised by its shape alone: one that a
// person has given a condition or a second key is that person's, and is left as it is.

import { dirname } from 'node:path';
import { commandLine, escapeTemplate, quote } from '../overlay/capture/shell-words.ts';
import { describeRequest, type FileContent, type FileRequest, type OwnerRequest, STORED_FILES } from './request.ts';

/** A step as plain values of YAML. */
export type PlainStep = Readonly<Record<string, unknown>>;

/** The step that fetches the lists of packages, once for all that install something. */
export const REFRESH_STEP: PlainStep = { name: 'Lists of packages', packages: { refresh: true } };

export function stepOf(request: OwnerRequest): PlainStep {
  const name = describeRequest(request);
  switch (request.kind) {
    case 'package':
      return { name, packages: { [request.wish]: [request.name] } };
    case 'command':
      return { name, commands: [escapeTemplate(request.text)] };
    case 'file':
      return { name, ...fileKeys(request) };
  }
}

function fileKeys({ path, content, mode, owner, group }: FileRequest): PlainStep {
  switch (content.kind) {
    case 'inline': {
      // A path is no template.
      const entry = { path, permissions: mode, ownerstring: `${owner}:${group}` };
      return { files: [{ ...entry, ...inlineContent(content.bytes) }] };
    }
    case 'stored':
      return { commands: [installCommand({ path, mode, owner, group }, content.sha256)] };
    case 'link':
      return { commands: [linkCommand(path, content.target)] };
  }
}

/** Its directory may be one that only this machine has. */
function linkCommand(path: string, target: string): string {
  return `${commandLine('mkdir', '-p', '--', dirname(path))} && ${commandLine('ln', '-sfn', '--', target, path)}`;
}

function installCommand(
  { path, mode, owner, group }: Omit<FileRequest, 'kind' | 'content' | 'atBoot'>,
  sha256: string,
) {
  const bits = mode.toString(8).padStart(4, '0');
  const source = `${STORED_FILES}/${sha256}`;
  return commandLine('install', '-D', '-o', owner, '-g', group, '-m', bits, '--', source, path);
}

/** Text as text, anything else as base64. */
function inlineContent(bytes: Uint8Array): { content: string; encoding?: string } {
  const text = Buffer.from(bytes).toString('utf8');
  const isText = Buffer.from(text, 'utf8').equals(bytes);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: YAML has no form for them
  if (isText && !/[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/.test(text)) {
    return { content: escapeTemplate(text) };
  }
  // What is text is expanded after it was decoded, too.
  const escaped = isText ? Buffer.from(escapeTemplate(text)) : Buffer.from(bytes);
  return { content: escaped.toString('base64'), encoding: 'b64' };
}

/** The requests that a step stands for; none for a step that somebody has written by hand. */
export function requestsOf(step: PlainStep): OwnerRequest[] {
  const { name = '', packages, commands, files, ...rest } = step;
  if (Object.keys(rest).length > 0 || typeof name !== 'string') return [];
  const given = [packages, commands, files].filter((key) => key !== undefined);
  if (given.length !== 1) return [];
  if (packages !== undefined) return packageRequests(packages);
  if (commands !== undefined) {
    const [text, ...more] = Array.isArray(commands) ? commands : [];
    if (typeof text !== 'string' || more.length > 0) return [];
    return [fileOfCommand(name, text) ?? { kind: 'command', text: unescapeTemplate(text) }];
  }
  const [file, ...more] = Array.isArray(files) ? files : [];
  const request = more.length > 0 ? undefined : fileOfEntry(file);
  return request === undefined ? [] : [request];
}

/** Whether it fetches the lists of packages, whatever else it does. */
export function refreshes({ packages }: PlainStep): boolean {
  return isRecord(packages) && packages['refresh'] === true;
}

export function isRefreshOnly(step: PlainStep): boolean {
  const { name: _, packages, ...rest } = step;
  return Object.keys(rest).length === 0 && refreshes(step) && isRecord(packages) && Object.keys(packages).length === 1;
}

/** The step without one of its packages; undefined when nothing is left of it. */
export function withoutPackage(step: PlainStep, name: string): PlainStep | undefined {
  if (!isRecord(step['packages'])) return step;
  const { install, remove, ...rest } = step['packages'];
  const others = (list: unknown) => (Array.isArray(list) ? list.filter((one) => one !== name) : []);
  const left = { install: others(install), remove: others(remove) };
  if (left.install.length + left.remove.length === 0) return undefined;
  const lists = Object.fromEntries(Object.entries(left).filter(([, list]) => list.length > 0));
  return { ...step, packages: { ...rest, ...lists } };
}

function packageRequests(packages: unknown): OwnerRequest[] {
  if (!isRecord(packages)) return [];
  const { install = [], remove = [], refresh: _, ...rest } = packages;
  if (Object.keys(rest).length > 0 || !isListOfNames(install) || !isListOfNames(remove)) return [];
  return [
    ...install.map((name): OwnerRequest => ({ kind: 'package', name, wish: 'install' })),
    ...remove.map((name): OwnerRequest => ({ kind: 'package', name, wish: 'remove' })),
  ];
}

function isListOfNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((one) => typeof one === 'string' && /^[^\s{-]\S*$/.test(one));
}

/** A file or link whose command is word for word what {@link stepOf} writes. */
function fileOfCommand(name: string, text: string): FileRequest | undefined {
  const path = /^(?:File|Link) (\/.+)$/s.exec(name)?.[1];
  if (path === undefined) return undefined;
  const plain = unescapeTemplate(text);
  const stored = /^install -D -o (\S+) -g (\S+) -m ([0-7]{4}) -- \/usr\/local\/\.holdfast\/files\/([0-9a-f]{64}) /.exec(
    plain,
  );
  let request: FileRequest | undefined;
  if (stored !== null) {
    const [, owner = '', group = '', mode = '', sha256 = ''] = stored;
    request = makeFile(path, { kind: 'stored', sha256 }, { mode: Number.parseInt(mode, 8), owner, group });
  } else {
    const target = linkTarget(plain, path);
    if (target !== undefined) {
      request = makeFile(path, { kind: 'link', target }, { mode: 0o777, owner: 'root', group: 'root' });
    }
  }
  if (request === undefined) return undefined;
  const [written] = asList(fileKeys(request)['commands']);
  return written === text ? request : undefined;
}

function linkTarget(text: string, path: string): string | undefined {
  const [head, tail] = [`mkdir -p -- ${quote(dirname(path))} && ln -sfn -- `, ` ${quote(path)}`];
  if (!text.startsWith(head) || !text.endsWith(tail)) return undefined;
  const word = text.slice(head.length, -tail.length);
  return word.startsWith("'") ? word.slice(1, -1).replaceAll("'\\''", "'") : word;
}

function fileOfEntry(entry: unknown): FileRequest | undefined {
  if (!isRecord(entry)) return undefined;
  const { path, permissions = 0o644, ownerstring = 'root:root', content = '', encoding, ...rest } = entry;
  const [owner, group, ...more] = typeof ownerstring === 'string' ? ownerstring.split(':') : [];
  if (Object.keys(rest).length > 0 || more.length > 0 || !owner || !group) return undefined;
  if (typeof path !== 'string' || typeof permissions !== 'number' || typeof content !== 'string') return undefined;
  if (encoding !== undefined && encoding !== 'b64') return undefined;
  const bytes = encoding === 'b64' ? Buffer.from(content, 'base64') : Buffer.from(content);
  const text = bytes.toString('utf8');
  const plain = Buffer.from(text).equals(bytes) ? Buffer.from(unescapeTemplate(text)) : bytes;
  return makeFile(path, { kind: 'inline', bytes: plain }, { mode: permissions, owner, group });
}

function makeFile(
  path: string,
  content: FileContent,
  attributes: Pick<FileRequest, 'mode' | 'owner' | 'group'>,
): FileRequest {
  return { kind: 'file', path, content, ...attributes, atBoot: false };
}

function unescapeTemplate(text: string): string {
  return text.replaceAll('{{ "{{" }}', '{{');
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
