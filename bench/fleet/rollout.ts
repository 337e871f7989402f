// A rollout to a fleet, event by event: Plans of the System Upgrade Controller give nodes their turn, nodes download, write, restart, prove
// themselves or fall back, and things go wrong on the way. Times are seconds.

import { comeUp, cutPoints, untilOff } from './fate.ts';
import { SharedLink } from './link.ts';
import { type Machine, newMachine } from './machine.ts';
import { EventQueue } from './queue.ts';
import { type Random, seededRandom } from './random.ts';
import type { RolloutOptions, RolloutResult } from './rollout-options.ts';

type Doing = 'waiting' | 'upgrading' | 'upgraded' | 'fallback' | 'lost' | 'hardware';

interface Node {
  machine: Machine;
  cluster: number;
  site: number;
  doing: Doing;
  begunAt: number;
  /** The new image is what the next start finds. */
  switched: boolean;
}

type Event =
  | { kind: 'downloaded'; node: number }
  | { kind: 'built'; node: number }
  | { kind: 'restarted'; node: number }
  | { kind: 'settled'; node: number; doing: Doing }
  | { kind: 'retry'; node: number }
  | { kind: 'wave'; wave: number }
  | { kind: 'open' };

const DAY = 86_400;
/** Kubernetes, "Pod backoff failure policy": the first pod again after ten seconds. */
const POD_BACKOFF_SECONDS = 10;

export function simulateRollout(options: RolloutOptions): RolloutResult {
  return new Rollout(options).run();
}

class Rollout {
  readonly #options: RolloutOptions;
  readonly #random: Random;
  readonly #nodes: Node[];
  readonly #events = new EventQueue<Event>();
  readonly #registry: SharedLink<number>;
  readonly #cached = new Set<number>();
  /** Nodes of the present wave that have not had their turn, by cluster. */
  #queues: number[][] = [];
  /** Turns that are taken: by nodes at work, and by nodes that failed, which the controller goes on counting. */
  readonly #busy: number[];
  #wave = 0;
  #waveEnd = 0;
  #waveSize = 0;
  #failedInWave = 0;
  #now = 0;
  #stopped = false;
  readonly #counts = { missedDeadlines: 0, powerCuts: 0, podsKilled: 0, fallbacks: 0 };
  readonly #perMinute = new Map<number, number>();

  constructor(options: RolloutOptions) {
    this.#options = options;
    this.#random = seededRandom(options.seed);
    this.#registry = new SharedLink(options.registryBytesPerSecond, options.machineBytesPerSecond);
    this.#busy = Array.from({ length: options.clusters }, () => 0);
    this.#nodes = Array.from({ length: options.machines }, (_, index) => ({
      machine: newMachine(options.way),
      cluster: index % options.clusters,
      site: options.sites === 0 ? index : Math.floor((index * options.sites) / options.machines),
      doing: 'waiting',
      begunAt: 0,
      switched: false,
    }));
  }

  run(): RolloutResult {
    this.#events.push(0, { kind: 'wave', wave: 0 });
    for (;;) {
      const downloadAt = this.#registry.nextAt ?? Number.POSITIVE_INFINITY;
      const eventAt = this.#events.nextAt ?? Number.POSITIVE_INFINITY;
      if (downloadAt === Number.POSITIVE_INFINITY && eventAt === Number.POSITIVE_INFINITY) break;
      const next = downloadAt <= eventAt ? this.#registry.end() : undefined;
      if (next !== undefined) {
        this.#now = next.at;
        this.#handle({ kind: 'downloaded', node: next.value });
        continue;
      }
      const event = this.#events.pop();
      if (event === undefined) break;
      this.#now = event.at;
      this.#handle(event.value);
    }
    return this.#result();
  }

  #handle(event: Event): void {
    const node = 'node' in event ? this.#nodes[event.node] : undefined;
    if (event.kind === 'wave') this.#beginWave(event.wave);
    else if (event.kind === 'open') this.#fill();
    else if (node === undefined) return;
    else if (event.kind === 'downloaded') this.#downloaded(event.node, node);
    else if (event.kind === 'built') this.#built(event.node, node);
    else if (event.kind === 'restarted') this.#restarted(event.node, node);
    else if (event.kind === 'retry') this.#begin(event.node, node);
    else this.#settled(event.node, node, event.doing);
  }

  #beginWave(wave: number): void {
    const { machines, waves, clusters } = this.#options;
    const from = this.#waveEnd;
    this.#wave = wave;
    this.#failedInWave = 0;
    this.#waveEnd = Math.max(from, Math.ceil(machines * (waves[wave] ?? 1)));
    this.#queues = Array.from({ length: clusters }, () => []);
    this.#waveSize = this.#waveEnd - from;
    // The controller orders nodes by a hash: for the fleet that is no order at all.
    for (let index = from; index < this.#waveEnd; index++) this.#queues[index % clusters]?.push(index);
    this.#fill();
    this.#endWave();
  }

  /** Gives turns to nodes that wait, as far as the controllers have some. */
  #fill(): void {
    if (this.#stopped) return;
    const opens = this.#opensAt();
    if (opens > this.#now) {
      if (this.#queues.some((queue) => queue.length > 0)) this.#events.push(opens, { kind: 'open' });
      return;
    }
    for (const [cluster, queue] of this.#queues.entries()) {
      while (queue.length > 0 && (this.#busy[cluster] ?? 0) < this.#options.concurrency) {
        const index = queue.pop();
        const node = index === undefined ? undefined : this.#nodes[index];
        if (index === undefined || node === undefined) break;
        this.#busy[cluster] = (this.#busy[cluster] ?? 0) + 1;
        this.#begin(index, node);
      }
    }
  }

  #opensAt(): number {
    const { window } = this.#options;
    if (window === undefined) return this.#now;
    const [from, to] = window;
    const hour = (this.#now % DAY) / 3600;
    if (hour >= from && hour < to) return this.#now;
    const today = this.#now - (this.#now % DAY) + from * 3600;
    return hour < from ? today : today + DAY;
  }

  #begin(index: number, node: Node): void {
    node.doing = 'upgrading';
    node.begunAt = this.#now;
    const { bytesPerMachine, machineBytesPerSecond, sites } = this.#options;
    if (sites > 0 && this.#cached.has(node.site)) {
      this.#events.push(this.#now + bytesPerMachine / machineBytesPerSecond, { kind: 'downloaded', node: index });
      return;
    }
    this.#cached.add(node.site);
    this.#registry.begin(this.#now, bytesPerMachine, index);
  }

  #downloaded(index: number, node: Node): void {
    const { deadlineSeconds, retrySeconds, buildSeconds, podKilledChance } = this.#options;
    const took = this.#now - node.begunAt;
    if (took + buildSeconds > deadlineSeconds) {
      // The job is over, what was fetched stays: the next one begins where this one ended.
      this.#counts.missedDeadlines += 1;
      node.begunAt = this.#now + retrySeconds;
      this.#events.push(node.begunAt + buildSeconds, { kind: 'built', node: index });
      return;
    }
    const killed = this.#random.chance(podKilledChance);
    if (killed) this.#counts.podsKilled += 1;
    const again = killed ? POD_BACKOFF_SECONDS + buildSeconds * this.#random.next() : 0;
    this.#events.push(this.#now + buildSeconds + again, { kind: 'built', node: index });
  }

  #built(index: number, node: Node): void {
    const { way, image, restartSeconds, powerCutChance, hardwareChance } = this.#options;
    if (this.#random.chance(hardwareChance)) {
      this.#settle(index, 'hardware', 0);
      return;
    }
    const cutAfter = this.#random.chance(powerCutChance) ? this.#random.below(cutPoints(way)) : undefined;
    if (cutAfter !== undefined) this.#counts.powerCuts += 1;
    Object.assign(node, untilOff(node.machine, way, image, cutAfter));
    this.#events.push(this.#now + restartSeconds, { kind: 'restarted', node: index });
  }

  #restarted(index: number, node: Node): void {
    const { restartSeconds, trialSeconds } = this.#options;
    const { fate, machine, trials, starts } = comeUp(node.machine, node.switched);
    node.machine = machine;
    const after = trials * trialSeconds + starts * restartSeconds;
    // The power went before the switch: the job's next pod does it again.
    if (fate === 'again') this.#events.push(this.#now + POD_BACKOFF_SECONDS, { kind: 'built', node: index });
    else this.#settle(index, fate, after);
  }

  #settle(index: number, doing: Doing, after: number): void {
    this.#events.push(this.#now + after, { kind: 'settled', node: index, doing });
  }

  #settled(index: number, node: Node, doing: Doing): void {
    node.doing = doing;
    if (doing === 'upgraded') {
      const minute = Math.floor(this.#now / 60);
      this.#perMinute.set(minute, (this.#perMinute.get(minute) ?? 0) + 1);
    }
    if (doing === 'fallback' || doing === 'lost') {
      // The node has no label of this round, so the controller goes on counting it among those that it is at.
      this.#failedInWave += 1;
      if (doing === 'fallback') this.#counts.fallbacks += 1;
      const retried = doing === 'fallback' && this.#options.image === 'good';
      if (retried) this.#events.push(this.#now + this.#options.operatorSeconds, { kind: 'retry', node: index });
      const limit = Math.ceil(this.#options.toleratedShare * this.#waveSize);
      if (this.#failedInWave > limit) this.#stopped = true;
    } else {
      // Done, or taken out of its cluster.
      this.#busy[node.cluster] = (this.#busy[node.cluster] ?? 0) - 1;
      this.#fill();
    }
    this.#endWave();
  }

  #endWave(): void {
    const { waves, soakSeconds } = this.#options;
    const isOver = this.#queues.every((queue) => queue.length === 0) && this.#unsettled === 0;
    if (this.#stopped || !isOver || this.#wave + 1 >= waves.length) return;
    this.#wave += 1;
    this.#events.push(this.#now + soakSeconds, { kind: 'wave', wave: this.#wave });
  }

  get #unsettled(): number {
    return this.#busy.reduce((sum, busy) => sum + busy, 0);
  }

  #result(): RolloutResult {
    const count = (doing: Doing) => this.#nodes.filter((node) => node.doing === doing).length;
    return {
      upgraded: count('upgraded'),
      onFallback: count('fallback'),
      untouched: count('waiting'),
      lost: count('lost'),
      hardware: count('hardware'),
      stopped: this.#stopped || count('waiting') > 0,
      seconds: this.#now,
      registryBytes: this.#registry.totalBytes,
      ...this.#counts,
      peakPerSecond: Math.max(0, ...this.#perMinute.values()) / 60,
    };
  }
}
