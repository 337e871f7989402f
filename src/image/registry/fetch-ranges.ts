// Parts of a blob, each with a request of its own: answers with several parts are rare among registries. A few are under
// way at once, since each costs a round trip.

import { HoldfastError } from '../../system/errors.ts';
import { BrokenExchange } from '../../system/exchange.ts';
import { type Descriptor, shortDigest } from '../manifest.ts';
import { ReadAhead } from '../read-ahead.ts';
import type { ByteRange } from '../repository.ts';
import { PROGRESS_BYTES, requireAsStored } from './fetch.ts';
import type { RegistrySession } from './session.ts';

const PARALLEL = 6;
const MAX_WAITING_BYTES = 8 << 20;

/**
 * @returns the parts in the order asked for, a long one in several pieces.
 * @throws HoldfastError HF-UNSUPPORTED when the registry sends all of the blob instead; otherwise as fetchBlob.
 */
export async function* fetchRanges(
  session: RegistrySession,
  descriptor: Pick<Descriptor, 'digest' | 'sizeBytes'>,
  ranges: readonly ByteRange[],
  onBytes: (count: number) => void = () => {},
): AsyncGenerator<{ start: number; data: Buffer }> {
  const sources = ranges.map((range) => (signal: AbortSignal) => fetchRange(session.with(signal), descriptor, range));
  const ahead = new ReadAhead(sources, {
    parallel: PARALLEL,
    maxBytes: MAX_WAITING_BYTES,
    sizeOf: ({ data }) => data.length,
    signal: session.signal,
  });
  try {
    for (const _ of ranges) {
      for await (const piece of ahead.next()) {
        onBytes(piece.data.length);
        yield piece;
      }
    }
  } finally {
    await ahead.close();
  }
}

async function* fetchRange(
  session: RegistrySession,
  { digest, sizeBytes }: Pick<Descriptor, 'digest' | 'sizeBytes'>,
  { start, end }: ByteRange,
): AsyncGenerator<{ start: number; data: Buffer }> {
  const what = `a part of the layer ${shortDigest(digest)}`;
  if (!(start >= 0 && start <= end && end <= sizeBytes)) {
    throw new HoldfastError('HF-IMAGE', `${what} is asked for that it can't have: ${start} to ${end} of ${sizeBytes}`);
  }
  const patience = session.patience();
  let at = start;
  let sinceFailure = 0;
  while (at < end) {
    const answer = await session.get(`blobs/${digest}`, what, { range: `bytes=${at}-${end - 1}` }, patience);
    requireAsStored(answer, what);
    const sent = /^bytes (\d+)-(\d+)\//.exec(answer.headers.get('content-range') ?? '');
    if (answer.status !== 206) {
      await answer.cancel();
      throw new HoldfastError('HF-UNSUPPORTED', `${session.name.host} does not send parts of layers`, {
        hint: 'all of the layer must be fetched instead',
      });
    }
    if (Number(sent?.[1]) !== at || Number(sent?.[2]) >= end) {
      await answer.cancel();
      throw new HoldfastError('HF-NETWORK', `${session.name.host} sends another part of a layer than was asked for`);
    }
    let broken = new BrokenExchange('the connection ended early', true, undefined);
    try {
      for await (const chunk of answer.body) {
        if (at + chunk.length > end) {
          throw new HoldfastError('HF-NETWORK', `${session.name.host} sends more of a layer than was asked for`);
        }
        sinceFailure += chunk.length;
        if (sinceFailure >= PROGRESS_BYTES) patience.progress();
        yield { start: at, data: chunk };
        at += chunk.length;
      }
    } catch (error) {
      if (!(error instanceof BrokenExchange)) throw error;
      broken = error;
    }
    if (at >= end) return;
    sinceFailure = 0;
    if (!broken.temporary || !(await patience.wait())) throw session.broken(broken, what);
  }
}
