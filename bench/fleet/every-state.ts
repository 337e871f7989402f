// Every state that a machine can get into: from each one all that can happen next, a step, a power cut, a start, a trial that ends or is cut
// off, with every kind of image, round after round, until nothing new comes.

import {
  boot,
  cutPower,
  endTrial,
  type Image,
  type Machine,
  newMachine,
  settle,
  takeStep,
  type Way,
} from './machine.ts';

export const IMAGES: readonly Image[] = ['good', 'panics', 'unhealthy'];

export interface Explored {
  states: number;
  /** Ways from one state to the next that were gone. */
  transitions: number;
  /** States from which nothing will ever run, with how the first of them is reached. */
  lost: { machine: Machine; path: readonly string[] }[];
  /** Of all that boots, the most starts that one needs. */
  mostStarts: number;
}

/** @param images those that upgrades bring; default: all kinds. */
export function exploreMachine(way: Way, images: readonly Image[] = IMAGES): Explored {
  const seen = new Map<string, { machine: Machine; path: readonly string[] }>();
  const open: { machine: Machine; path: readonly string[] }[] = [];
  let transitions = 0;
  const reach = (machine: Machine, path: readonly string[]) => {
    const key = JSON.stringify(machine);
    if (seen.has(key)) return;
    const entry = { machine, path };
    seen.set(key, entry);
    open.push(entry);
  };
  reach(newMachine(way), []);
  for (let entry = open.shift(); entry !== undefined; entry = open.shift()) {
    for (const [name, next] of nextStates(entry.machine, way, images)) {
      transitions += 1;
      reach(next, [...entry.path, name]);
    }
  }
  const settled = [...seen.values()].map((entry) => ({
    ...entry,
    ...settle(cutPower(entry.machine)),
    machine: entry.machine,
  }));
  return {
    states: seen.size,
    transitions,
    lost: settled.filter(({ lost }) => lost).map(({ machine, path }) => ({ machine, path })),
    mostStarts: Math.max(...settled.filter(({ lost }) => !lost).map(({ starts }) => starts)),
  };
}

function nextStates(machine: Machine, way: Way, images: readonly Image[]): [name: string, next: Machine][] {
  if (machine.running !== undefined) {
    return [
      ['power cut', cutPower(machine)],
      // An upgrade that is under way goes on with the image that it has; the image matters at one step only.
      ...images.map((image): [string, Machine] => [`step to an image that is ${image}`, takeStep(machine, way, image)]),
    ];
  }
  const started = boot(machine);
  if (started.outcome !== 'on-trial') return [[`start: ${started.outcome}`, started.machine]];
  return [
    ['start, power cut during the trial', cutPower(started.machine)],
    ['start, trial', endTrial(started.machine).machine],
  ];
}
