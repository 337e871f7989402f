// One machine in an upgrade, as far as it decides what boots: what its slots hold, what GRUB has noted, and what a step, a power cut or
// a boot makes of that. Three ways to upgrade: Holdfast's swap, the same without a trial of the new system, and writing over the
// only root there is.

/** `good`, `panics` and `unhealthy` are whole images that nobody has seen work here yet; `half` is one that is being written. */
export type Content = 'proven' | 'good' | 'panics' | 'unhealthy' | 'half';
export type Image = Exclude<Content, 'proven' | 'half'>;
export type Slot = 'active' | 'passive';

export interface Machine {
  active: Content;
  /** undefined: this machine has no second slot. */
  passive: Content | undefined;
  transition: Content | undefined;
  /** The first boot of the new image is to be a trial. */
  armed: boolean;
  /** GRUB has begun it. */
  begun: boolean;
  /** What runs; undefined while the machine is off or starting. */
  running: Slot | undefined;
  /** How many steps of the upgrade are done; undefined when none is under way. */
  step: number | undefined;
}

export type Way = 'swap' | 'swap-without-trial' | 'in-place';

type Step = (machine: Machine, image: Image) => Partial<Machine>;

/** Kept from overwriting: only a system that runs and has proven itself becomes the passive one. */
const keepRunning: Step = ({ running, active, passive }) => ({
  passive: running === 'active' && active === 'proven' ? 'proven' : passive,
});

/**
 * The steps of an upgrade, in the words and in the order of the plan of `holdfast upgrade` (a test holds the two together). Each is
 * a rename or a write in place, so that a power cut falls between two of them; building takes long and is two.
 */
export const STEPS: Readonly<Record<Way, readonly (readonly [kind: string, step: Step])[]>> = {
  swap: [
    ['clone-transition', () => ({ transition: 'half' })],
    ['finish-transition', (_, image) => ({ transition: image })],
    ['copy-to-passive', keepRunning],
    ['arm-assessment', () => ({ armed: true, begun: false })],
    ['activate', ({ transition }) => ({ active: transition ?? 'half', transition: undefined })],
    ['write-records', () => ({})],
  ],
  'swap-without-trial': [
    ['clone-transition', () => ({ transition: 'half' })],
    ['finish-transition', (_, image) => ({ transition: image })],
    ['copy-to-passive', keepRunning],
    ['activate', ({ transition }) => ({ active: transition ?? 'half', transition: undefined })],
    ['write-records', () => ({})],
  ],
  'in-place': [
    ['write-over', () => ({ active: 'half' })],
    ['finish-writing', (_, image) => ({ active: image })],
  ],
};

export function newMachine(way: Way): Machine {
  const passive = way === 'in-place' ? undefined : 'proven';
  return {
    active: 'proven',
    passive,
    transition: undefined,
    armed: false,
    begun: false,
    running: 'active',
    step: undefined,
  };
}

/** One more step of an upgrade to an image; after the last one none is under way. */
export function takeStep(machine: Machine, way: Way, image: Image): Machine {
  const at = machine.step ?? 0;
  const [, step] = STEPS[way][at] ?? [];
  if (step === undefined || machine.running === undefined) return machine;
  const next = at + 1 < STEPS[way].length ? at + 1 : undefined;
  return { ...machine, ...step(machine, image), step: next };
}

/** Power gone: what is on the disk stays, what ran doesn't. */
export function cutPower(machine: Machine): Machine {
  return { ...machine, running: undefined, step: undefined };
}

export type BootResult =
  /** It runs and works. */
  | { outcome: 'runs'; machine: Machine }
  /** The trial has begun and not ended: power may be cut now. */
  | { outcome: 'on-trial'; machine: Machine }
  /** It restarted by itself, out of a panic or a failed check. */
  | { outcome: 'restarts'; machine: Machine }
  /** Nothing that it would ever boot works: somebody has to go there. */
  | { outcome: 'lost'; machine: Machine };

/** One start: GRUB chooses, and the chosen system shows what it is. */
export function boot(machine: Machine): BootResult {
  const off = { ...machine, running: undefined, step: undefined };
  const { active, passive, armed, begun } = off;
  const isTrial = armed && active !== 'proven' && active !== 'half';
  // GRUB falls back by itself where it can't load a kernel, and where a trial has begun without ending.
  if (active === 'half' || (isTrial && begun)) {
    if (passive !== 'proven') return { outcome: 'lost', machine: off };
    return { outcome: 'runs', machine: { ...off, running: 'passive' } };
  }
  if (isTrial) return { outcome: 'on-trial', machine: { ...off, begun: true } };
  if (active === 'proven' || active === 'good') {
    return { outcome: 'runs', machine: { ...off, active: 'proven', armed: false, begun: false, running: 'active' } };
  }
  // A panic restarts into the same panic; what boots and doesn't work is out of reach.
  return { outcome: 'lost', machine: off };
}

/** How a trial ends when the power stays on. */
export function endTrial(machine: Machine): BootResult {
  if (machine.active === 'good') {
    return {
      outcome: 'runs',
      machine: { ...machine, active: 'proven', armed: false, begun: false, running: 'active' },
    };
  }
  return { outcome: 'restarts', machine };
}

/** Starts a machine until something runs. @returns how many starts it took; `lost` when nothing ever will. */
export function settle(machine: Machine): { machine: Machine; starts: number; lost: boolean } {
  let current = machine;
  for (let starts = 1; starts <= 8; starts++) {
    const started = boot(current);
    const { outcome, machine: after } = started.outcome === 'on-trial' ? endTrial(started.machine) : started;
    if (outcome === 'runs') return { machine: after, starts, lost: false };
    if (outcome === 'lost') return { machine: after, starts, lost: true };
    current = after;
  }
  return { machine: current, starts: 8, lost: true };
}
