// sprig's URLs: taken apart into a map and put together again, by the rules of Go's net/url.

import { CallError } from '../templateerror.ts';
import { type Dict, dict } from '../values/dict.ts';
import { kindOf } from '../values/types.ts';
import { type FunctionTable, fn1 } from './function.ts';
import { map, text } from './parameters.ts';

export const urls: FunctionTable = {
  urlParse: fn1(text, (bytes) => dict(Object.entries(parse(bytes)))),
  urlJoin: fn1(map, join),
};

interface Parts {
  scheme: string;
  opaque: string;
  userinfo: string;
  host: string;
  hostname: string;
  path: string;
  query: string;
  fragment: string;
}

function parse(bytes: string): Parts {
  const broken = (why: string) => new CallError(`unable to parse url: parse "${bytes.slice(0, 200)}": ${why}`);
  for (let at = 0; at < bytes.length; at++) {
    const code = bytes.charCodeAt(at);
    if (code < 0x20 || code === 0x7f) throw broken('net/url: invalid control character in URL');
  }
  const [beforeFragment = '', ...fragments] = splitOnce(bytes, '#');
  const [, scheme = '', afterScheme = beforeFragment] =
    beforeFragment.match(/^([A-Za-z][A-Za-z0-9+.-]*):([\s\S]*)$/) ?? [];
  if (scheme === '' && beforeFragment.startsWith(':')) throw broken('missing protocol scheme');
  const [beforeQuery = '', query = ''] = splitOnce(afterScheme, '?');
  const fragment = decodePercent(fragments[0] ?? '', broken);
  const parts: Parts = {
    scheme: scheme.toLowerCase(),
    opaque: '',
    userinfo: '',
    host: '',
    hostname: '',
    path: '',
    query,
    fragment,
  };
  if (scheme !== '' && !beforeQuery.startsWith('/')) return { ...parts, opaque: beforeQuery };
  if (scheme === '' && /^[^/]*:/.test(beforeQuery)) {
    throw broken('first path segment in URL cannot contain colon');
  }
  if (!beforeQuery.startsWith('//') || (scheme === '' && beforeQuery.startsWith('///'))) {
    return { ...parts, path: decodePercent(beforeQuery, broken) };
  }
  const slash = beforeQuery.indexOf('/', 2);
  const authority = beforeQuery.slice(2, slash < 0 ? undefined : slash);
  const path = slash < 0 ? '' : decodePercent(beforeQuery.slice(slash), broken);
  const at = authority.lastIndexOf('@');
  const host = authority.slice(at + 1);
  const userinfo = at < 0 ? '' : checkUser(authority.slice(0, at), broken);
  const checked = checkHost(host, broken);
  return { ...parts, userinfo, path, host: checked, hostname: hostnameOf(checked) };
}

function splitOnce(bytes: string, sign: string): string[] {
  const at = bytes.indexOf(sign);
  return at < 0 ? [bytes] : [bytes.slice(0, at), bytes.slice(at + 1)];
}

function decodePercent(bytes: string, broken: (why: string) => Error): string {
  const wrong = bytes.match(/%(?![\da-fA-F]{2}).{0,2}/);
  if (wrong !== null) throw broken(`invalid URL escape "${wrong[0]}"`);
  return bytes.replace(/%([\da-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function encodePercent(bytes: string, kept: RegExp): string {
  return bytes.replace(kept, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

const NOT_IN_USER = /[^\w.~$&+,;=-]/g;
const NOT_IN_PATH = /[^\w.~$&+,/:;=@-]/g;
const NOT_IN_FRAGMENT = /[^\w.~$&+,/:;=?@!()*-]/g;

/** The user as Go prints it: what must be escaped is, what needn't be isn't. */
function checkUser(bytes: string, broken: (why: string) => Error): string {
  if (/[^\w.:~!$&'()*+,;=%@-]/.test(bytes)) throw broken('net/url: invalid userinfo');
  return splitOnce(bytes, ':')
    .map((part) => encodePercent(decodePercent(part, broken), NOT_IN_USER))
    .join(':');
}

function checkHost(host: string, broken: (why: string) => Error): string {
  const port = host.match(/^(?:\[.*\]|[^:]*)(:.*)?$/)?.[1] ?? '';
  if (host.startsWith('[') && !host.includes(']')) throw broken(`missing ']' in host`);
  if (!/^(?::\d*)?$/.test(port)) throw broken(`invalid port "${port}" after host`);
  const wrong = host.match(/[^\w.~!$&'()*+,;=:[\]<>"%\x80-\xff-]/);
  if (wrong !== null) throw broken(`invalid character "${wrong[0]}" in host name`);
  const escapes = host.match(/%(?!25)[\da-fA-F]{2}/g) ?? [];
  // In a host name only bytes beyond ASCII may be escaped.
  const ascii = escapes.find((found) => Number.parseInt(found.slice(1), 16) < 0x80);
  if (ascii !== undefined) throw broken(`invalid URL escape "${ascii}"`);
  return decodePercent(host, broken);
}

function hostnameOf(host: string): string {
  const bracketed = host.match(/^\[(.*)\](?::\d*)?$/);
  return bracketed?.[1] ?? host.replace(/:\d*$/, '');
}

function join(from: Dict): string {
  const part = (key: keyof Parts): string => {
    const value = from.get(key) ?? '';
    if (typeof value === 'string') return value;
    throw new CallError(`unable to parse ${key} key, must be of type string, but ${kindOf(value)} found`);
  };
  const [scheme, host, path, query, opaque, fragment, user] = (
    ['scheme', 'host', 'path', 'query', 'opaque', 'fragment', 'userinfo'] as const
  ).map(part);
  const userinfo = user ? checkUser(user, (why) => new CallError(`unable to parse userinfo in dict: ${why}`)) : '';
  const start = scheme ? `${scheme}:` : '';
  const tail = (query ? `?${query}` : '') + (fragment ? `#${encodePercent(fragment, NOT_IN_FRAGMENT)}` : '');
  if (opaque) return start + opaque + tail;
  const hasAuthority = scheme || host || userinfo;
  const slashes = hasAuthority && (host || path || userinfo) ? '//' : '';
  const authority = (userinfo && `${userinfo}@`) + encodePercent(host ?? '', /[^\w.~!$&'()*+,;=:[\]<>"-]/g);
  const escapedPath = encodePercent(path ?? '', NOT_IN_PATH);
  const separator = escapedPath !== '' && !escapedPath.startsWith('/') && host ? '/' : '';
  // A first segment with a colon would be read as a scheme.
  const guarded = start + slashes + authority === '' && /^[^/]*:/.test(escapedPath) ? './' : '';
  return start + slashes + authority + separator + guarded + escapedPath + tail;
}
