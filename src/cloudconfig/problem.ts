// What is wrong, or only odd, in a user's file: one sentence, the place, and what to do about it. Problems are values,
// so that one bad file or one bad value never stops the others.

import type { SourceLocation } from '../system/errors.ts';
import { maskSecrets } from '../system/secrets.ts';

export interface Problem {
  severity: 'error' | 'warning';
  message: string;
  hint?: string;
  location: SourceLocation;
  /** The stage that the problem is in; absent when it concerns the whole file. */
  stage?: string;
}

/** The line that is shown may hold a password. */
function withoutSecrets(problem: Problem): Problem {
  const { lineText } = problem.location;
  if (lineText === undefined) return problem;
  return { ...problem, location: { ...problem.location, lineText: maskSecrets(lineText, { keepLength: true }) } };
}

/** Collects problems and drops exact repetitions, which merge keys and repeated reading would bring. */
export class ProblemList {
  readonly #problems: Problem[] = [];
  readonly #seen = new Set<string>();

  add(problem: Problem): void {
    const { severity, message, location } = problem;
    const key = JSON.stringify([severity, message, location.file, location.line, location.column]);
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#problems.push(withoutSecrets(problem));
  }

  get all(): readonly Problem[] {
    return this.#problems;
  }

  get errorCount(): number {
    return this.#problems.filter(({ severity }) => severity === 'error').length;
  }
}
