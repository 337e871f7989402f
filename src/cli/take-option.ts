// `--take mine:1`: conflicts of an overlay with an image that its owner decides, by their numbers in the report.

import type { Take } from '../lifecycle/carry-engine.ts';
import { HoldfastError } from '../system/errors.ts';

/**
 * Parses the values of `--take`.
 * @throws HoldfastError HF-USAGE for anything else, and for a number that is there twice.
 */
export function parseTakes(words: readonly string[] = []): Take[] {
  const takes = words.map((word): Take => {
    const [, side, digits] = /^(mine|new):([1-9]\d{0,5})$/.exec(word) ?? [];
    if (side === undefined) {
      throw new HoldfastError('HF-USAGE', `--take is mine:NUMBER or new:NUMBER, not ${JSON.stringify(word)}`, {
        hint: 'the numbers are those of holdfast overlay plan',
      });
    }
    return { number: Number(digits), winner: side === 'mine' ? 'user' : 'new' };
  });
  const numbers = takes.map(({ number }) => number);
  const twice = numbers.find((number, index) => numbers.indexOf(number) !== index);
  if (twice === undefined) return takes;
  throw new HoldfastError('HF-USAGE', `--take decides conflict ${twice} twice`, { hint: 'once is enough' });
}
