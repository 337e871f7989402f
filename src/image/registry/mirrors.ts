// Which other places have the images of a registry, and who this machine is to them: /etc/holdfast/registries.yaml, in the
// form that k3s and rke2 give theirs (mirrors with endpoints and rewrites, configs with logins). Parsing is pure.

import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { errnoOf, HoldfastError, messageOf } from '../../system/errors.ts';
import { withoutSecrets } from '../../system/http.ts';
import type { Credentials } from './credentials.ts';
import { parseRegistryName, type RegistryName } from './name.ts';

export const REGISTRIES_FILE = '/etc/holdfast/registries.yaml';
const MAX_BYTES = 1 << 20;
const MAX_PATTERN = 200;

export interface Registries {
  /** The places to ask before the registry itself, in this order. */
  mirrorsOf(name: Pick<RegistryName, 'host' | 'repository'>): readonly Mirror[];
  /** The login that the file has for a host. */
  credentials(host: string): Credentials | undefined;
}

export interface Mirror {
  /** With its port. */
  host: string;
  repository: string;
  /** Its owner wrote `http://`. */
  plain: boolean;
}

/** No mirrors, no logins. */
export const NO_REGISTRIES: Registries = { mirrorsOf: () => [], credentials: () => undefined };

const schema = z.strictObject({
  mirrors: z
    .record(
      z.string(),
      z.strictObject({
        endpoint: z.array(z.string()).max(16).nullish(),
        rewrite: z.record(z.string().max(MAX_PATTERN), z.string()).nullish(),
      }),
    )
    .nullish(),
  configs: z
    .record(
      z.string(),
      z.strictObject({
        auth: z
          .strictObject({
            username: z.string().optional(),
            password: z.string().optional(),
            auth: z.string().optional(),
            identity_token: z.string().optional(),
          })
          .nullish(),
        tls: z
          .never({
            error:
              'TLS is always verified, with what this machine trusts: add an authority to its certificates, or name a mirror by http://',
          })
          .optional(),
      }),
    )
    .nullish(),
});
type Document = z.infer<typeof schema>;

/**
 * Reads the file of this machine.
 * @param file default: `$HOLDFAST_REGISTRIES`, else {@link REGISTRIES_FILE}, which need not be there.
 * @throws HoldfastError HF-CONFIG for one that can't be understood.
 */
export async function readRegistries(
  file = process.env['HOLDFAST_REGISTRIES'] || REGISTRIES_FILE,
): Promise<Registries> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return NO_REGISTRIES;
    throw new HoldfastError('HF-CONFIG', `${file} can't be read`, { cause });
  }
  if (text.length > MAX_BYTES) throw new HoldfastError('HF-CONFIG', `${file} is too large`);
  const { load } = await import('js-yaml');
  let value: unknown;
  try {
    // An empty file says nothing, which the parser takes for an error.
    value = /^\s*(?:#.*\s*)*$/.test(text) ? {} : load(text, { maxAliases: 0 });
  } catch (error) {
    throw new HoldfastError('HF-CONFIG', `${file}: ${messageOf(error).split('\n')[0]}`);
  }
  return parseRegistries(value, file);
}

/** @throws HoldfastError HF-CONFIG with the key that is wrong. */
export function parseRegistries(value: unknown, file: string): Registries {
  const result = schema.safeParse(value ?? {});
  if (!result.success) {
    const [issue] = result.error.issues;
    const at = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
    throw new HoldfastError('HF-CONFIG', `${file}${at}: ${issue?.message ?? 'it is not what it should be'}`, {
      hint: 'its form is that of the registries.yaml of k3s',
    });
  }
  const { mirrors, configs } = result.data;
  const rules = Object.entries(mirrors ?? {}).map(([host, rule]) => [host, readRule(host, rule, file)] as const);
  const logins = Object.entries(configs ?? {}).flatMap(([host, { auth }]) => {
    const login = auth == null ? undefined : readLogin(host, auth, file);
    return login === undefined ? [] : [[host, login] as const];
  });
  return {
    mirrorsOf: ({ host, repository }) => {
      const rule = new Map(rules).get(host) ?? new Map(rules).get('*');
      return rule === undefined ? [] : rule.endpoints.flatMap((each) => asMirror(each, rule, host, repository));
    },
    credentials: (host) => new Map(logins).get(host),
  };
}

interface Rule {
  endpoints: readonly { host: string; plain: boolean }[];
  rewrites: readonly { pattern: RegExp; replacement: string }[];
  file: string;
}

function readRule(
  host: string,
  { endpoint, rewrite }: NonNullable<NonNullable<Document['mirrors']>[string]>,
  file: string,
): Rule {
  const endpoints = (endpoint ?? []).map((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const isPlace = url !== undefined && /^https?:$/.test(url.protocol) && /^\/(v2\/?)?$/.test(url.pathname);
    if (!isPlace || url.search !== '' || url.username !== '' || url.password !== '') {
      throw new HoldfastError(
        'HF-CONFIG',
        `${file}: mirrors.${host} has an endpoint that is none: ${shownEndpoint(text, url)}`,
        {
          hint: 'for example https://mirror.example:5000; for another path in it use "rewrite", for a password "configs"',
        },
      );
    }
    return { host: url.host, plain: url.protocol === 'http:' };
  });
  const rewrites = Object.entries(rewrite ?? {}).map(([text, replacement]) => {
    try {
      return { pattern: new RegExp(text), replacement };
    } catch (cause) {
      throw new HoldfastError('HF-CONFIG', `${file}: mirrors.${host} has a rewrite that is no expression: ${text}`, {
        cause,
      });
    }
  });
  return { endpoints, rewrites, file };
}

/** Passwords stay out of messages, also of texts that are no address and so have no part that is one. */
function shownEndpoint(text: string, url: URL | undefined): string {
  if (!/[@?#]/.test(text)) return JSON.stringify(text);
  if (url === undefined || !/^https?:$/.test(url.protocol)) return 'it has an @, ? or #, and is not shown';
  return `${JSON.stringify(withoutSecrets(text))} with a user, a password, a query or a fragment`;
}

/** None for the registry itself, which k3s lets people list among its mirrors. */
function asMirror({ host, plain }: Rule['endpoints'][number], rule: Rule, own: string, repository: string): Mirror[] {
  if (host === own) return [];
  const matching = rule.rewrites.find(({ pattern }) => pattern.test(repository));
  const rewritten = matching === undefined ? repository : repository.replace(matching.pattern, matching.replacement);
  try {
    // The same rules as for any other name.
    return [{ host, plain, repository: parseRegistryName(`${hostAsWritten(host)}/${rewritten}`).repository }];
  } catch (cause) {
    throw new HoldfastError(
      'HF-CONFIG',
      `${rule.file}: a rewrite makes ${JSON.stringify(rewritten)} of ${repository}`,
      { cause },
    );
  }
}

/** A host without dot and port would be read as a part of the path. */
function hostAsWritten(host: string): string {
  return /[.:]/.test(host) ? host : `${host}:443`;
}

function readLogin(
  host: string,
  {
    username,
    password,
    auth,
    identity_token,
  }: NonNullable<NonNullable<NonNullable<Document['configs']>[string]>['auth']>,
  file: string,
): Credentials | undefined {
  if (identity_token) return { kind: 'identity-token', token: identity_token };
  if (username && password) return { kind: 'password', username, password };
  if (!auth) return undefined;
  const text = Buffer.from(auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 1) throw new HoldfastError('HF-CONFIG', `${file}: configs.${host} has no usable "auth"`);
  return { kind: 'password', username: text.slice(0, colon), password: text.slice(colon + 1) };
}
