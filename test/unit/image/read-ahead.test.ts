// Several streams, read at once and given one after the other: everything arrives in order, memory stays within its bound,
// and nothing goes on after the end.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ReadAhead, type StreamSource } from '../../../src/image/read-ahead.ts';

const soon = () => new Promise<void>((resolve) => setImmediate(resolve));
const options = { parallel: 3, maxBytes: 100, sizeOf: ({ length }: string) => length };

/** A stream of pieces that notes what it has given, and that it ended. */
function source(pieces: readonly string[], log: { given: string[]; ended: number }, error?: Error) {
  return async function* (signal: AbortSignal) {
    try {
      for (const piece of pieces) {
        await soon();
        if (signal.aborted) throw new Error('aborted');
        log.given.push(piece);
        yield piece;
      }
      if (error !== undefined) throw error;
    } finally {
      log.ended += 1;
    }
  } satisfies StreamSource<string>;
}

async function collect(stream: AsyncIterable<string>): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of stream) {
    pieces.push(piece);
    await soon();
  }
  return pieces;
}

test('whatever the streams are, each gives its own pieces in its turn', async () => {
  const streams = fc.array(fc.array(fc.string({ minLength: 1, maxLength: 60 }), { maxLength: 8 }), { maxLength: 7 });
  await fc.assert(
    fc.asyncProperty(
      streams,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 200 }),
      async (all, parallel, maxBytes) => {
        const log = { given: [] as string[], ended: 0 };
        const ahead = new ReadAhead(
          all.map((pieces) => source(pieces, log)),
          { ...options, parallel, maxBytes },
        );
        for (const pieces of all) expect(await collect(ahead.next())).toEqual(pieces);
        expect(await collect(ahead.next())).toEqual([]);
        await ahead.close();
        expect(log.ended).toBe(all.length);
      },
    ),
    { numRuns: 60 },
  );
});

describe('what is read ahead', () => {
  const ten = (name: string) => Array.from({ length: 50 }, (_, at) => `${name}${at}`.padEnd(10, '.'));

  test('stays within the bound, but for a piece of each stream that is under way', async () => {
    const log = { given: [] as string[], ended: 0 };
    const ahead = new ReadAhead(
      ['a', 'b', 'c', 'd'].map((name) => source(ten(name), log)),
      options,
    );
    const first = ahead.next();
    let taken = 0;
    for await (const _ of first) {
      taken += 1;
      for (let turn = 0; turn < 20; turn += 1) await soon();
      const waiting = (log.given.length - taken) * 10;
      expect(waiting).toBeGreaterThan(0);
      expect(waiting).toBeLessThanOrEqual(options.maxBytes + 3 * 10);
      // Three at once: the fourth waits for its turn.
      expect(log.given.some((piece) => piece.startsWith('d'))).toBe(false);
    }
    expect(taken).toBe(50);
    await ahead.close();
    expect(log.ended).toBe(3);
  });

  test('ends with the reader, wherever it stops', async () => {
    const log = { given: [] as string[], ended: 0 };
    const ahead = new ReadAhead(
      ['a', 'b'].map((name) => source(ten(name), log)),
      options,
    );
    for await (const _ of ahead.next()) break;
    await ahead.close();
    for (let turn = 0; turn < 5; turn += 1) await soon();
    const { length } = log.given;
    for (let turn = 0; turn < 20; turn += 1) await soon();
    expect(log.given).toHaveLength(length);
    expect(log.ended).toBe(2);
  });

  test('an error is told in its turn, after what came before it', async () => {
    const log = { given: [] as string[], ended: 0 };
    const broken = new Error('broken');
    const ahead = new ReadAhead([source(ten('a'), log), source(['b'], log, broken)], options);
    expect(await collect(ahead.next())).toHaveLength(50);
    const pieces: string[] = [];
    const reading = async () => {
      for await (const piece of ahead.next()) pieces.push(piece);
    };
    await expect(reading()).rejects.toBe(broken);
    expect(pieces).toEqual(['b']);
    await ahead.close();
  });

  test('is interrupted with everything else', async () => {
    const abort = new AbortController();
    const log = { given: [] as string[], ended: 0 };
    const ahead = new ReadAhead(
      ['a', 'b'].map((name) => source(ten(name), log)),
      { ...options, signal: abort.signal },
    );
    const reading = async () => {
      for await (const _ of ahead.next()) abort.abort();
    };
    await expect(reading()).rejects.toThrow('aborted');
    await ahead.close();
    expect(log.ended).toBe(2);
  });
});
