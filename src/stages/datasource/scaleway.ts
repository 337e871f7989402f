// `scaleway`: the facts as lines of assignments. User data is given only to a client whose port an ordinary user can't
// have, so it is asked for over a plain connection of ours.

import { connect, type Socket } from 'node:net';
import { errnoOf, HoldfastError, messageOf } from '../../system/errors.ts';
import { MetadataService } from './metadata.ts';
import type { Instance, Provider, ProviderContext } from './provider.ts';

const HOST = '169.254.42.42';
const TIMEOUT_MS = 2000;
const MAX_BYTES = 16 << 20;
const PORT_TRIES = 32;

/** Fact → variable. */
const FACTS = {
  instance_id: 'ID',
  instance_location: 'LOCATION_ZONE_ID',
  private_ip: 'PRIVATE_IP',
  public_ip: 'PUBLIC_IP_ADDRESS',
};

export const scaleway: Provider = {
  name: 'scaleway',
  async find(context) {
    const text = await new MetadataService(`http://${HOST}`, context).probe('/conf');
    const variables = parseVariables(text ?? '');
    if (!variables.has('ID')) return undefined;
    return async () => {
      if (!variables.has(FACTS.private_ip)) context.warn(`scaleway: there is no ${FACTS.private_ip}`);
      const userData = await fetchUserData(context);
      return { ...instanceOf(variables), ...(userData && { userData }) };
    };
  },
};

/** Lines `KEY=VALUE`, with quotes around a value removed. */
export function parseVariables(text: string): Map<string, string> {
  const result = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, key, value = ''] = line.trim().match(/^(\w+)=(.*)$/) ?? [];
    if (key !== undefined) result.set(key, value.replace(/^(["'])(.*)\1$/, '$2'));
  }
  return result;
}

/** What the variables say about the instance. */
export function instanceOf(variables: ReadonlyMap<string, string>): Instance {
  const hostname = variables.get('HOSTNAME');
  const keys = [...variables]
    .flatMap(([name, value]) => {
      const [, index] = name.match(/^SSH_PUBLIC_KEYS_(\d+)_KEY$/) ?? [];
      return index === undefined || value === '' ? [] : [{ index: Number(index), value }];
    })
    .sort((a, b) => a.index - b.index);
  return {
    ...(hostname && { hostname }),
    facts: new Map(
      Object.entries(FACTS).flatMap(([fact, name]) => {
        const value = variables.get(name);
        return value ? [[fact, value] as const] : [];
      }),
    ),
    keys: keys.map(({ value }) => value),
  };
}

async function fetchUserData(context: ProviderContext): Promise<Uint8Array | undefined> {
  try {
    const { status, body } = parseAnswer(await exchange('GET /user_data/cloud-init HTTP/1.0\r\n\r\n', context.signal));
    if (status === 200) return body.length > 0 ? body : undefined;
    if (status !== 404) context.warn(`scaleway: the user data is refused with status ${status}`);
  } catch (error) {
    if (context.signal?.aborted) throw error;
    context.warn(`scaleway: the user data can't be read: ${messageOf(error)}`);
  }
  return undefined;
}

/** @throws Error when it is no answer, or not the whole of it. */
export function parseAnswer(bytes: Buffer): { status: number; body: Buffer } {
  const end = bytes.indexOf('\r\n\r\n');
  const head = bytes.subarray(0, Math.max(0, end)).toString('latin1');
  const status = head.match(/^HTTP\/1\.\d (\d{3})/)?.[1];
  if (end < 0 || status === undefined) throw new Error('the answer is no HTTP');
  const body = bytes.subarray(end + 4);
  const length = head.match(/\r\ncontent-length: *(\d+)/i)?.[1];
  if (length !== undefined && body.length < Number(length)) {
    throw new Error(`only ${body.length} of ${length} bytes came`);
  }
  return { status: Number(status), body: length === undefined ? body : body.subarray(0, Number(length)) };
}

/** Sends a request from a privileged port and returns all that comes back. */
async function exchange(request: string, signal: AbortSignal | undefined): Promise<Buffer> {
  for (let attempt = 1; ; attempt += 1) {
    // Below 1024; the lowest ports are left to those who are known by them.
    const localPort = 512 + Math.floor(Math.random() * 511);
    const socket = connect({ host: HOST, port: 80, localPort });
    try {
      return await collect(socket, request, signal);
    } catch (error) {
      if (errnoOf(error) !== 'EADDRINUSE' || attempt >= PORT_TRIES) throw error;
    } finally {
      socket.destroy();
    }
  }
}

function collect(socket: Socket, request: string, signal: AbortSignal | undefined): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const stop = () => reject(new HoldfastError('HF-INTERRUPTED', 'interrupted while reading user data'));
    const limit = setTimeout(() => reject(new Error('it took too long')), TIMEOUT_MS);
    signal?.addEventListener('abort', stop, { once: true });
    const settle = () => {
      clearTimeout(limit);
      signal?.removeEventListener('abort', stop);
    };
    socket.on('connect', () => socket.write(request));
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size > MAX_BYTES) reject(new Error(`it is larger than ${MAX_BYTES} bytes`));
    });
    socket.on('end', () => resolve(Buffer.concat(chunks)));
    socket.on('error', reject);
    socket.on('close', () => {
      settle();
      reject(new Error('the connection was closed'));
    });
  });
}
