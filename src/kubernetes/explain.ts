// What the controller and the people behind it are told of a decision: a sentence, and what can be done.

import type { Decision, FailedDeployment } from './decide-upgrade.ts';

export interface Explanation {
  text: string;
  hint?: string;
}

/** Of a refusal. @param what see describeRound. */
export function explainRefusal(decision: Extract<Decision, { kind: 'refuse' }>, what: string): Explanation {
  if (decision.why === 'failed') return explainFailure(decision.failure, what);
  return {
    text: `${what} was made the active system, and this node was started since with another one; it is not restarted again`,
    hint: 'on the node, `holdfast status` says what it runs and why; `holdfast boot --default active` and a restart start it',
  };
}

function explainFailure({ failedAt, reason }: FailedDeployment, what: string): Explanation {
  return {
    text: `${what} did not prove itself on this node on ${failedAt}, and is not tried again: ${reason}`,
    hint: 'roll out a mended version; or set HOLDFAST_RETRY_FAILED to a new word in the plan’s envs for one more try',
  };
}

/** Why nothing is to be done. */
export function explainDone(why: Extract<Decision, { kind: 'done' }>['why'], what: string): string {
  switch (why) {
    case 'round':
      return `this node runs what this round made of it: ${what}`;
    case 'content':
      return `this node runs ${what}`;
    case 'os-release':
      return `this node runs ${what}: its os-release is the same`;
  }
}
