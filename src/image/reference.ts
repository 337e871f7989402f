// The texts that name an image: elemental's URIs (`docker:`, `oci:`, `dir:`, `file:`, also written `scheme://value`),
// `oci-layout:` and plain paths. Pure: it only sorts texts; what is behind a path is looked at when it is opened.

import { HoldfastError } from '../system/errors.ts';
import { type Digest, parseDigest } from './digest.ts';

export type ImageSource =
  /** In a registry; `oci:` means this too, as it does in elemental. */
  | { kind: 'registry'; reference: string }
  /** An OCI image layout directory; tag and digest choose among several images in it. */
  | { kind: 'oci-layout'; path: string; tag?: string; digest?: Digest }
  /** A tar file of an OCI image layout. */
  | { kind: 'oci-archive'; path: string; tag?: string; digest?: Digest }
  /** A tar file that `docker save` made; the tag is a whole name there: `os/base:v1`. */
  | { kind: 'docker-archive'; path: string; tag?: string; digest?: Digest }
  /** A directory that holds a root file system. */
  | { kind: 'dir'; path: string }
  /** A file system image in a file. */
  | { kind: 'file'; path: string }
  /** A path without scheme: a layout, a tree or a file, whichever is found there. */
  | { kind: 'path'; path: string };

const EXAMPLES = 'for example oci-layout:/mnt/images:v2, dir:/srv/rootfs or docker:registry.example/os:v2';

/** OCI distribution-spec, "Pulling manifests": what a tag may look like. */
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** Schemes of skopeo, podman and curl that people try, and what to do instead. */
const OTHER_SCHEMES: Readonly<Record<string, string>> = {
  'docker-daemon': 'copy the image into a layout first: skopeo copy docker-daemon:NAME:TAG oci:DIRECTORY:TAG',
  'containers-storage': 'copy the image into a layout first: skopeo copy containers-storage:NAME oci:DIRECTORY:TAG',
  http: 'images are named by registry reference, not by URL: docker:registry.example/os:v2',
  https: 'images are named by registry reference, not by URL: docker:registry.example/os:v2',
};

/**
 * Sorts a text that names an image.
 * @throws HoldfastError HF-USAGE for what names none, HF-UNSUPPORTED for kinds that Holdfast doesn't read.
 */
export function parseImageSource(text: string): ImageSource {
  if (text.trim() === '') throw usage('the name of the image is empty');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\x00-\x1f\x7f]/.test(text)) throw usage('the name of the image contains a control character');
  if (/^\.{0,2}\//.test(text) || text === '.' || text === '..') return { kind: 'path', path: text };

  const [, scheme, rest] = /^([a-z][a-z0-9.-]*):(.*)$/.exec(text) ?? [];
  // `quay.io:5000/os` is a registry with its port, not a scheme.
  if (scheme === undefined || rest === undefined || /^\d+\//.test(rest)) return withoutScheme(text);
  const value = rest.startsWith('//') ? rest.slice(2) : rest;
  switch (scheme) {
    case 'docker':
    case 'oci':
      return { kind: 'registry', reference: required(value, text) };
    case 'dir':
    case 'file':
      return { kind: scheme, path: required(value, text) };
    case 'oci-layout':
    case 'oci-archive':
      return parseLayout(scheme, value, text);
    case 'docker-archive':
      return parseSaved(value, text);
    case 'channel':
      throw new HoldfastError('HF-UNSUPPORTED', `${text}: package channels are not supported`, {
        hint: 'the packages of a channel are container images too: name the image, docker:REPOSITORY:TAG',
      });
  }
  const advice = OTHER_SCHEMES[scheme];
  if (advice !== undefined)
    throw new HoldfastError('HF-UNSUPPORTED', `${text}: ${scheme}: is not read directly`, { hint: advice });
  return withoutScheme(text);
}

/** The text that parses to this source. */
export function formatImageSource(source: ImageSource): string {
  switch (source.kind) {
    case 'registry':
      return `docker:${source.reference}`;
    case 'oci-layout':
    case 'oci-archive':
    case 'docker-archive': {
      const tag = source.tag === undefined ? '' : `:${source.tag}`;
      return `${source.kind}:${source.path}${tag}${source.digest === undefined ? '' : `@${source.digest}`}`;
    }
    case 'dir':
    case 'file':
      return `${source.kind}:${source.path}`;
    case 'path':
      return source.path;
  }
}

/** `PATH`, `PATH:TAG`, `PATH@DIGEST` or `PATH:TAG@DIGEST`; the tag is what follows a colon in the last part. */
function parseLayout(kind: 'oci-layout' | 'oci-archive', value: string, text: string): ImageSource {
  const at = /@([a-z0-9]+:[^/@]*)$/.exec(value);
  const digest = at?.[1] === undefined ? undefined : parseDigest(at[1], `the image ${text}`);
  const named = at === null ? value : value.slice(0, at.index);
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const path = required(colon === -1 ? named : named.slice(0, colon), text);
  const tag = colon === -1 ? undefined : named.slice(colon + 1);
  if (tag !== undefined && !TAG.test(tag)) {
    throw usage(`${text}: ${JSON.stringify(tag)} is no tag`, `write ${kind}:PATH:TAG or ${kind}:PATH@sha256:…`);
  }
  return { kind, path, ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
}

/** `FILE`, `FILE:NAME[:TAG]` or `FILE@DIGEST`, as skopeo writes it: the path ends at the first colon. */
function parseSaved(value: string, text: string): ImageSource {
  const at = /@([a-z0-9]+:[^/@]*)$/.exec(value);
  const digest = at?.[1] === undefined ? undefined : parseDigest(at[1], `the image ${text}`);
  const named = at === null ? value : value.slice(0, at.index);
  const colon = named.indexOf(':');
  const path = required(colon === -1 ? named : named.slice(0, colon), text);
  const tag = colon === -1 ? undefined : required(named.slice(colon + 1), text);
  return {
    kind: 'docker-archive',
    path,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
  };
}

function withoutScheme(text: string): ImageSource {
  const slash = text.indexOf('/');
  const first = slash === -1 ? '' : text.slice(0, slash);
  // As docker decides whether the first part is a registry.
  if (first.includes('.') || first.includes(':') || first === 'localhost') return { kind: 'registry', reference: text };
  if (text.includes(':') || text.includes('@')) {
    throw usage(
      `${text} is neither a path nor an image with its kind`,
      `write docker:${text} for a registry; ${EXAMPLES}`,
    );
  }
  return { kind: 'path', path: text };
}

function required(value: string, text: string): string {
  if (value === '') throw usage(`${text} names no image`);
  return value;
}

function usage(message: string, hint = EXAMPLES): HoldfastError {
  return new HoldfastError('HF-USAGE', message, { hint });
}
