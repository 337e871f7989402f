// A kubeconfig as far as it is needed to speak to the API server as the node does: the server, its authority, and a client
// certificate or a token. Whatever would weaken that (no verification, plain HTTP) or run something (exec) is refused.

import { isAbsolute, join } from 'node:path';
import { load } from 'js-yaml';
import { z } from 'zod';
import { errnoOf, HoldfastError } from '../system/errors.ts';

/** How to reach an API server. All material in PEM. */
export interface ApiAccess {
  /** `https://HOST:PORT`, perhaps with a path, without a slash at its end. */
  server: string;
  authority: string;
  certificate?: string | undefined;
  key?: string | undefined;
  token?: string | undefined;
}

/** A kubeconfig's words; files that it names are still to be read. */
const text = z.string().max(1 << 16);
const clusterSchema = z.object({
  server: z.string().max(1024),
  'certificate-authority': text.optional(),
  'certificate-authority-data': text.optional(),
  'insecure-skip-tls-verify': z.boolean().optional(),
});
const userSchema = z.object({
  'client-certificate': text.optional(),
  'client-certificate-data': text.optional(),
  'client-key': text.optional(),
  'client-key-data': text.optional(),
  token: text.optional(),
  tokenFile: text.optional(),
});
const list = <S extends z.ZodType>(entry: S) => z.array(entry).max(256);
const schema = z.object({
  'current-context': z.string().optional(),
  clusters: list(z.object({ name: z.string(), cluster: z.unknown() })),
  contexts: list(z.object({ name: z.string(), context: z.unknown() })),
  users: list(z.object({ name: z.string(), user: z.unknown() })).default([]),
});
const contextSchema = z.object({ cluster: z.string(), user: z.string().optional() });

/** Reads a file that a kubeconfig names. */
export type ReadFile = (path: string) => string;

/**
 * Parses a kubeconfig's text.
 * @param directory of the file, from which its relative paths start.
 * @throws HoldfastError HF-CONFIG for one that can't be used, and why. No message holds what is secret.
 */
export function parseKubeconfig(content: string, directory: string, readFile: ReadFile): ApiAccess {
  const file = parsed(schema, yaml(content), 'it');
  const wanted = file['current-context'] || file.contexts[0]?.name;
  const missing = (what: string, name = '') => unusable(`has no ${what} ${JSON.stringify(name)}`);
  const context = parsed(contextSchema, file.contexts.find(({ name }) => name === wanted)?.context, 'its context');
  const clusterNamed = file.clusters.find(({ name }) => name === context.cluster);
  if (clusterNamed === undefined) throw missing('cluster', context.cluster);
  const cluster = parsed(clusterSchema, clusterNamed.cluster, 'its cluster');
  const userNamed = file.users.find(({ name }) => name === context.user);
  if (userNamed === undefined) throw missing('user', context.user);
  const user = parsed(userSchema, userNamed.user, 'its user');

  if (cluster['insecure-skip-tls-verify']) throw unusable('asks for a connection that is not verified');
  const material = (data: string | undefined, path: string | undefined): string | undefined => {
    if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
    return path === undefined ? undefined : readFile(isAbsolute(path) ? path : join(directory, path));
  };
  const authority = material(cluster['certificate-authority-data'], cluster['certificate-authority']);
  if (authority === undefined) throw unusable('names no authority for its server');
  const certificate = material(user['client-certificate-data'], user['client-certificate']);
  const key = material(user['client-key-data'], user['client-key']);
  const token = user.token ?? material(undefined, user.tokenFile)?.trim();
  if ((certificate === undefined || key === undefined) && token === undefined) {
    throw unusable('has neither a client certificate nor a token');
  }
  return { server: serverOf(cluster.server), authority, certificate, key, token };
}

function serverOf(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url?.protocol !== 'https:' || url.username !== '' || url.search !== '' || url.hash !== '') {
    throw unusable('names a server that is no https address');
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
}

function yaml(content: string): unknown {
  try {
    return load(content, { maxAliases: 0 });
  } catch (error) {
    // The message of the parser shows the line, which may be the key's.
    throw new HoldfastError('HF-CONFIG', 'is no YAML', { cause: error instanceof Error ? error.name : undefined });
  }
}

function parsed<T>(shape: z.ZodType<T>, value: unknown, what: string): T {
  const result = shape.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw unusable(`can't be used: ${[what, ...(issue?.path ?? [])].join('.')} is not as it should be`);
}

const unusable = (why: string) => new HoldfastError('HF-CONFIG', why);

/**
 * How a pod reaches the API server with its service account; undefined for one that has none.
 * @param readFile reads a file of the pod; throws the system's error where there is none.
 * @throws whatever else keeps it from being read.
 */
export function podAccess(
  environment: Readonly<Record<string, string | undefined>>,
  readFile: ReadFile,
): ApiAccess | undefined {
  const host = environment['KUBERNETES_SERVICE_HOST'];
  const port = environment['KUBERNETES_SERVICE_PORT'] ?? '443';
  if (host === undefined || host === '' || !/^\d{1,5}$/.test(port)) return undefined;
  const directory = '/var/run/secrets/kubernetes.io/serviceaccount';
  try {
    return {
      server: serverOf(`https://${host.includes(':') ? `[${host}]` : host}:${port}`),
      authority: readFile(`${directory}/ca.crt`),
      token: readFile(`${directory}/token`).trim(),
    };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
