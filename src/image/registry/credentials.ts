// Who this machine is to a registry: what `docker login` and `podman login` leave, with the helper programs that it may
// name, or what the environment brings. Asked only when a registry wants to know. No secret gets into a message.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { errnoOf, HoldfastError } from '../../system/errors.ts';
import { type RunResult, run } from '../../system/process.ts';

export type Credentials =
  | { kind: 'password'; username: string; password: string }
  /** Exchanged for an access token at the registry's token service (OAuth 2). */
  | { kind: 'identity-token'; token: string }
  /** Sent to the registry as it is. */
  | { kind: 'registry-token'; token: string };

export interface CredentialOptions {
  /** Default: the program's own. */
  env?: NodeJS.ProcessEnv;
  signal?: AbortSignal | undefined;
  /** podman keeps logins for parts of a registry as well. */
  repository?: string | undefined;
}

const configSchema = z.object({
  auths: z
    .record(
      z.string(),
      z
        .object({
          auth: z.string().optional(),
          username: z.string().optional(),
          password: z.string().optional(),
          identitytoken: z.string().optional(),
          registrytoken: z.string().optional(),
        })
        .nullable(),
    )
    .nullish(),
  credHelpers: z.record(z.string(), z.string()).nullish(),
  credsStore: z.string().nullish(),
});
type DockerConfig = z.infer<typeof configSchema>;

const helperSchema = z.object({ Username: z.string(), Secret: z.string() });

/** What helpers print, on standard output, when they know nothing of a server (docker-credential-helpers). */
const NOT_FOUND = /credentials not found/i;
/** docker's user name for an identity token that a helper keeps. */
const TOKEN_USER = '<token>';
const HELPER_TIMEOUT_MS = 60_000;

/**
 * The credentials for a registry, or undefined where there are none.
 * @param host as in an image's name: `docker.io`, `registry.example:5000`.
 * @throws HoldfastError HF-CONFIG for a configuration that can't be read, HF-TOOL-MISSING and HF-COMMAND for a helper
 *   that isn't there or fails.
 */
export async function findCredentials(host: string, options: CredentialOptions = {}): Promise<Credentials | undefined> {
  const env = options.env ?? process.env;
  for (const place of credentialPlaces(env)) {
    const config = readPlace(place);
    const found = config === undefined ? undefined : await fromConfig(config, host, place.name, options);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Where logins may be; `text` is there already, `file` has to be read. */
type Place = { name: string; text: string } | { name: string; file: string };

/** In this order; the first one that knows the registry counts. */
function credentialPlaces(env: NodeJS.ProcessEnv): Place[] {
  const home = env['HOME'] || '/root';
  const file = (path: string) => ({ name: path, file: path });
  // containers-auth.json(5): where this is set, nothing else of podman's is looked at; nor is docker's here.
  if (env['REGISTRY_AUTH_FILE']) return [file(env['REGISTRY_AUTH_FILE'])];
  const runtime = env['XDG_RUNTIME_DIR'] || `/run/containers/${process.getuid?.() ?? 0}`;
  return [
    // As docker's client and GitLab's runner take it.
    ...(env['DOCKER_AUTH_CONFIG'] ? [{ name: '$DOCKER_AUTH_CONFIG', text: env['DOCKER_AUTH_CONFIG'] }] : []),
    file(join(env['DOCKER_CONFIG'] || join(home, '.docker'), 'config.json')),
    file(env['XDG_RUNTIME_DIR'] ? join(runtime, 'containers/auth.json') : join(runtime, 'auth.json')),
    file(join(env['XDG_CONFIG_HOME'] || join(home, '.config'), 'containers/auth.json')),
  ];
}

async function fromConfig(
  config: DockerConfig,
  host: string,
  name: string,
  options: CredentialOptions,
): Promise<Credentials | undefined> {
  // Docker knows its own registry by the address of its first version.
  const server = host === 'docker.io' ? 'https://index.docker.io/v1/' : host;
  const helper = own(config.credHelpers, host) ?? own(config.credHelpers, server) ?? config.credsStore ?? '';
  if (helper !== '') {
    const kept = await askHelper(helper, server, name, options);
    if (kept !== undefined) return kept;
  }
  return fromEntry(entryOf(config, host, server, options.repository), host, name);
}

function readPlace(place: Place): DockerConfig | undefined {
  const { name } = place;
  const text = 'text' in place ? place.text : readText(place.file);
  if (text === undefined) return undefined;
  // The text holds secrets: neither the parser's message, which may quote it, nor the text goes any further.
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new HoldfastError('HF-CONFIG', `${name} is not JSON`, { hint: 'log in again: docker login REGISTRY' });
  }
  const result = configSchema.safeParse(value);
  if (result.success) return result.data;
  const at = result.error.issues[0]?.path.join('.') ?? '';
  throw new HoldfastError('HF-CONFIG', `${name} is no configuration of docker: ${at} is not what it should be`);
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return undefined;
    throw new HoldfastError('HF-CONFIG', `${file} can't be read`, { cause });
  }
}

function entryOf({ auths }: DockerConfig, host: string, server: string, repository = '') {
  // The longest part of the name first.
  const parts = repository.split('/').filter((part) => part !== '');
  const paths = parts.map((_, at) => `${host}/${parts.slice(0, parts.length - at).join('/')}`);
  const keys = [
    ...paths,
    server,
    host,
    `https://${host}`,
    `https://${host}/v1/`,
    `https://${host}/v2/`,
    `http://${host}`,
  ];
  for (const key of keys) {
    const entry = own(auths, key);
    if (entry != null) return entry;
  }
  return undefined;
}

function fromEntry(entry: ReturnType<typeof entryOf>, host: string, file: string): Credentials | undefined {
  if (entry === undefined) return undefined;
  const { auth, username, password, identitytoken, registrytoken } = entry;
  if (identitytoken) return { kind: 'identity-token', token: identitytoken };
  if (registrytoken) return { kind: 'registry-token', token: registrytoken };
  if (auth) {
    const text = Buffer.from(auth, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    if (colon < 1) {
      throw new HoldfastError('HF-CONFIG', `${file} has no usable "auth" for ${host}`, {
        hint: `log in again: docker login ${host}`,
      });
    }
    // docker strips zero bytes, which old versions padded with.
    return { kind: 'password', username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
  }
  return username && password ? { kind: 'password', username, password } : undefined;
}

async function askHelper(
  helper: string,
  server: string,
  file: string,
  { env = process.env, signal }: CredentialOptions,
): Promise<Credentials | undefined> {
  if (!/^[\w.-]+$/.test(helper)) {
    throw new HoldfastError('HF-CONFIG', `${file} names a credential helper that can't be one`);
  }
  const program = `docker-credential-${helper}`;
  // Whatever it printed may be a secret: no output gets into an error.
  const failed = (how: string) =>
    new HoldfastError('HF-COMMAND', `${program} gave no credentials for ${server}: it ${how}`, {
      hint: `it is named in ${file}; try it: echo ${server} | ${program} get`,
    });
  let result: RunResult;
  try {
    result = await run([program, 'get'], { input: server, env, signal, timeoutMs: HELPER_TIMEOUT_MS });
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'HF-COMMAND') throw failed('did not end');
    throw error;
  }
  if (result.status !== 0) {
    if (NOT_FOUND.test(result.stdout)) return undefined;
    throw failed(result.status === null ? `was ended by ${result.signal}` : `failed with status ${result.status}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(result.stdout);
  } catch {
    value = undefined;
  }
  const answer = helperSchema.safeParse(value);
  if (!answer.success) throw failed('did not answer as a credential helper does');
  const { Username: username, Secret: secret } = answer.data;
  if (secret === '') return undefined;
  if (username === TOKEN_USER) return { kind: 'identity-token', token: secret };
  return { kind: 'password', username, password: secret };
}

/** A record made from JSON may be asked for any text, also for names that every object has. */
function own<T>(record: Readonly<Record<string, T>> | null | undefined, key: string): T | undefined {
  return record != null && Object.hasOwn(record, key) ? record[key] : undefined;
}
