// Where an upgrade's plan has to do with an overlay: before the new system is finished its changes are found and room is
// made, then they are carried; what the running view changes after that is noted for the shutdown. Pure.

import type { Action } from '../system/plan.ts';
import type { PathTake, Take } from './carry-engine.ts';
import type { CarryAction } from './carry-overlay.ts';
import type { FoundOverlay } from './find-overlay.ts';
import type { Strictness } from './hooks.ts';
import { refuseCarry, WITHOUT_OVERLAY } from './overlay-exit.ts';

/** What the plan depends on; plain data. */
export interface OverlayFacts {
  /** As the kernel argument names it. */
  place: string;
  /** 64 digits; undefined where there is no system whose overlay it could be. */
  from: string | undefined;
  /** `running`: it goes on changing until the shutdown; `stored`: it is not in use; `nothing`: there is nothing in it. */
  view: 'running' | 'stored' | 'nothing';
  /** Its disk can be reached. */
  isThere: boolean;
  problem: string | undefined;
  hint: string | undefined;
  /** What the view holds beyond its base, about, in bytes. */
  changedBytes: number;
}

export type OverlayUpkeep =
  | (Action<'blank-overlay'> & { place: string })
  | (Action<'note-overlay'> & { place: string })
  | Action<'collect-overlays'>;

export type OverlayAction = CarryAction | OverlayUpkeep;

export function overlayFacts(found: FoundOverlay | undefined): OverlayFacts | undefined {
  if (found === undefined) return undefined;
  const { device, path, set, from, view, problem, hint, changedBytes = 0 } = found;
  return {
    place: path === '' ? device : `${device}:${path}`,
    from,
    view: view?.kind ?? 'nothing',
    isThere: set !== undefined,
    problem,
    hint,
    changedBytes,
  };
}

export interface OverlayWish {
  /** `carry` (default): an overlay that can't be carried stops the action; `leave`: the new system begins with a blank one. */
  overlay?: 'carry' | 'leave' | undefined;
  strictness: Strictness;
  /** Conflicts that somebody has decided. */
  takes?: readonly (Take | PathTake)[] | undefined;
}

/** The actions by their place in an upgrade. */
export interface OverlaySteps {
  /** In the new system, when hooks have run and it is not finished. */
  beforeFinish: OverlayAction[];
  /** The new system is finished and will not change. */
  afterFinish: OverlayAction[];
  /** Just before the switch. */
  beforeSwitch: OverlayAction[];
  /** When everything is done. */
  atEnd: OverlayAction[];
}

const NONE: OverlaySteps = { beforeFinish: [], afterFinish: [], beforeSwitch: [], atEnd: [] };

/**
 * Decides what becomes of an overlay.
 * @throws HoldfastError with a status of its own when it should be carried and can't be.
 */
export function overlaySteps(facts: OverlayFacts | undefined, wish: OverlayWish): OverlaySteps {
  if (facts === undefined) return NONE;
  const { place, from, view, isThere, problem, hint } = facts;
  const leave = wish.overlay === 'leave';
  if (problem !== undefined && !leave) {
    throw refuseCarry(
      'unhealthy',
      `the overlay ${place} can't be carried to the new system: ${problem}`,
      `${hint ?? 'see holdfast overlay check'}; ${WITHOUT_OVERLAY}`,
    );
  }
  // Its disk is away, and its owner knows.
  if (!isThere) return NONE;
  const atEnd: OverlayAction[] = [
    { kind: 'collect-overlays', summary: 'Remove overlays of systems that are long gone' },
  ];
  if (leave || view === 'nothing') {
    const why = leave ? 'nothing is carried, as asked' : 'there is nothing in it to carry';
    const blank = {
      kind: 'blank-overlay' as const,
      summary: `Begin a blank overlay in ${place} for the new system: ${why}`,
    };
    return { ...NONE, afterFinish: [{ ...blank, place }], atEnd };
  }
  const short = from?.slice(0, 16) ?? '';
  return {
    beforeFinish: [
      {
        kind: 'plan-overlay',
        summary: `Find what changed in the overlay ${place} over ${short}, and decide what becomes of it`,
        strict: wish.strictness === 'all',
        takes: wish.takes ?? [],
      },
    ],
    afterFinish: [{ kind: 'carry-overlay', summary: 'Carry it into an overlay for the new system' }],
    beforeSwitch:
      view === 'running'
        ? [{ kind: 'note-overlay', summary: 'Let the shutdown carry what changes until then', place }]
        : [],
    atEnd,
  };
}
