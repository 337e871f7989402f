// What becomes of one machine between the end of its download and the moment that its controller hears of it: the steps of the upgrade
// with at most one power cut, and the starts after that.

import { boot, cutPower, endTrial, type Image, type Machine, STEPS, settle, takeStep, type Way } from './machine.ts';

/** How many instants a power cut has to choose from: before, between and after the steps, and in the trial. */
export function cutPoints(way: Way): number {
  return STEPS[way].length + 2;
}

/**
 * The machine when it is off for the first time: restarted in order, or by a power cut.
 * @param cutAfter how many steps were done when the power went; one more than there are: in the trial; undefined: it didn't.
 */
export function untilOff(
  before: Machine,
  way: Way,
  image: Image,
  cutAfter: number | undefined,
): { machine: Machine; switched: boolean } {
  const steps = STEPS[way].length;
  let machine = before;
  for (let step = 0; step < steps && step !== cutAfter; step++) machine = takeStep(machine, way, image);
  const switched = machine.active === image;
  const off = cutPower(machine);
  return { machine: cutAfter === steps + 1 ? cutPower(boot(off).machine) : off, switched };
}

export type Fate = 'upgraded' | 'fallback' | 'lost' | 'again';

/** What comes up, and how many trials and further starts it took. `again`: the old system, which has not been upgraded yet. */
export function comeUp(
  machine: Machine,
  switched: boolean,
): { fate: Fate; machine: Machine; trials: number; starts: number } {
  const started = boot(machine);
  if (started.outcome === 'lost') return { fate: 'lost', machine: started.machine, trials: 0, starts: 0 };
  if (started.outcome === 'on-trial') {
    const ended = endTrial(started.machine);
    if (ended.outcome === 'runs') return { fate: 'upgraded', machine: ended.machine, trials: 1, starts: 0 };
    const { machine: after, lost, starts } = settle(ended.machine);
    return { fate: lost ? 'lost' : 'fallback', machine: after, trials: 1, starts };
  }
  const { running } = started.machine;
  const fate = running === 'passive' ? 'fallback' : switched ? 'upgraded' : 'again';
  return { fate, machine: started.machine, trials: fate === 'upgraded' ? 1 : 0, starts: 0 };
}
