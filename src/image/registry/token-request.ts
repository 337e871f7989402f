// How a token service is asked, by docker's token specification: for a registry and for its Notary server alike. What a
// refusal is called is the business of whoever asks.

import { z } from 'zod';
import type { Credentials } from './credentials.ts';

/** One request to a token service. */
export interface TokenRequest {
  method: 'GET' | 'POST';
  headers: Record<string, string>;
  body?: string;
}

/** Sends it, with its retries; the answer is short. */
export type AskTokenService = (url: string, request: TokenRequest) => Promise<{ status: number; text: string }>;

/** Either name, the first one counts. */
const answerSchema = z.object({ token: z.string().optional(), access_token: z.string().optional() });
/** RFC 6750: what may stand in a header. */
const TOKEN = /^[\x21-\x7e]{1,65536}$/;

/** The address that a challenge names, without what would be sent along; undefined where nothing may be sent to it. */
export function parseRealm(text: string, mayBePlain: (realm: URL) => boolean): URL | undefined {
  const realm = URL.canParse(text) ? new URL(text) : undefined;
  if (realm === undefined) return undefined;
  if (realm.protocol !== 'https:' && !(realm.protocol === 'http:' && mayBePlain(realm))) return undefined;
  realm.username = '';
  realm.password = '';
  realm.hash = '';
  return realm;
}

/**
 * The request for a token, anonymous without credentials. An identity token goes by OAuth's form.
 * @param realm gets the fields of a GET.
 */
export function tokenRequest(
  realm: URL,
  { service, scopes }: { service: string | undefined; scopes: readonly string[] },
  credentials: Credentials | undefined,
): TokenRequest {
  const fields = new URLSearchParams();
  if (service !== undefined) fields.set('service', service);
  for (const scope of scopes) fields.append('scope', scope);
  const headers: Record<string, string> = { accept: 'application/json' };
  if (credentials?.kind === 'identity-token') {
    fields.set('grant_type', 'refresh_token');
    fields.set('client_id', 'holdfast');
    fields.set('refresh_token', credentials.token);
    headers['content-type'] = 'application/x-www-form-urlencoded';
    return { method: 'POST', headers, body: fields.toString() };
  }
  if (credentials?.kind === 'password') {
    fields.set('account', credentials.username);
    headers['authorization'] = basicAuthorization(credentials);
  }
  for (const [name, value] of fields) realm.searchParams.append(name, value);
  return { method: 'GET', headers };
}

/** The token in an answer, if there is one that may stand in a header. */
export function readToken(text: string): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { data } = answerSchema.safeParse(value);
  const token = data?.token || data?.access_token || '';
  return TOKEN.test(token) ? token : undefined;
}

export function basicAuthorization({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}
