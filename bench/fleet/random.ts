// Chance that can be had again: the same seed gives the same rollout, on every machine.

export interface Random {
  /** From 0 on, below 1. */
  next: () => number;
  /** True with this probability. */
  chance: (probability: number) => boolean;
  /** A whole number from 0 on, below `end`. */
  below: (end: number) => number;
}

/** splitmix32: 32 bits of state, equidistributed, far more than a rollout draws. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x9e3779b9) >>> 0;
    let word = state;
    word = Math.imul(word ^ (word >>> 16), 0x21f0aaad);
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97);
    return ((word ^ (word >>> 15)) >>> 0) / 0x1_0000_0000;
  };
  return { next, chance: (probability) => next() < probability, below: (end) => Math.floor(next() * end) };
}
