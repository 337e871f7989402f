// What the owner of a machine asks for beyond the image: packages, commands, files. Each is one step of the owner's stage
// file, the same in every hook that makes a new system, so that any engine that knows those keys carries it out.

import { createHash } from 'node:crypto';
import { maskSecrets } from '../system/secrets.ts';

/** A package to have, or one of the image to be without. */
export interface PackageRequest {
  kind: 'package';
  /** As the package manager takes it: `vim`, `vim=2:9.0.1378-2`, `libc6:i386`. */
  name: string;
  wish: 'install' | 'remove';
}

/** A shell line that is run in each new system. */
export interface CommandRequest {
  kind: 'command';
  /** As `sh -c` takes it; nothing in it is a template. */
  text: string;
}

/** A file or link that is put into each new system. */
export interface FileRequest {
  kind: 'file';
  /** Absolute, as it is meant inside the system. */
  path: string;
  content: FileContent;
  /** Permission bits, special bits included. Of no meaning for a link. */
  mode: number;
  /** Name or number. */
  owner: string;
  group: string;
  /** It is also put in its place at each boot: its directory forgets at a reboot what isn't in the image. */
  atBoot: boolean;
}

export type FileContent =
  | { kind: 'inline'; bytes: Uint8Array }
  /** Kept beside the packages on the persistent partition: see {@link STORED_FILES}. */
  | { kind: 'stored'; sha256: string; sizeBytes?: number }
  | { kind: 'link'; target: string };

export type OwnerRequest = PackageRequest | CommandRequest | FileRequest;

/** Files that are too large for a stage file, by the digest of their content. */
export const STORED_FILES = '/usr/local/.holdfast/files';

/** What two requests have in common when one replaces the other: the package's name, the command's text, the path. */
export function subjectOf(request: OwnerRequest): string {
  switch (request.kind) {
    case 'package':
      return `package ${wantedName(request.name)}`;
    case 'command':
      return `command ${request.text}`;
    case 'file':
      return `file ${request.path}`;
  }
}

/** A package as it is asked for without its version: of two architectures there are two. */
export function wantedName(name: string): string {
  return /^[^=<>~@]+/.exec(name)?.[0] ?? name;
}

/** A package's name without a version or an architecture. */
export function bareName(name: string): string {
  return /^[^=<>~@:]+/.exec(name)?.[0] ?? name;
}

/** A short id by which a request is named on the command line: 8 digits that depend on its subject alone. */
export function requestId(request: OwnerRequest): string {
  return createHash('sha256').update(subjectOf(request)).digest('hex').slice(0, 8);
}

/** What a request asks for, in a few words; the name of its step, which logs and reports show. */
export function describeRequest(request: OwnerRequest): string {
  switch (request.kind) {
    case 'package':
      return request.wish === 'install' ? `Package ${request.name}` : `Without package ${request.name}`;
    case 'command':
      return `Command ${shorten(maskSecrets(request.text))}`;
    case 'file':
      return `${request.content.kind === 'link' ? 'Link' : 'File'} ${request.path}`;
  }
}

function shorten(text: string): string {
  const [first = '', ...rest] = text.trim().split('\n');
  const characters = [...first];
  const cut = characters.length > 60 ? characters.slice(0, 59).join('') : first;
  return rest.length > 0 || cut !== first ? `${cut}…` : cut;
}
