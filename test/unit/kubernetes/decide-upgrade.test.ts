import { describe, expect, test } from 'vitest';
import { decideUpgrade, type NodeFacts, type Wanted } from '../../../src/kubernetes/decide-upgrade.ts';
import type { Deployment } from '../../../src/slots/state-file.ts';

const deployment = (uuid: string, more: Partial<Deployment> = {}): Deployment => ({
  source: `container:${uuid}`,
  layers: [],
  uuid,
  date: '2026-11-22T00:00:00Z',
  fromAction: 'upgrade',
  verified: '',
  ...more,
});

const V1 = deployment('uuid-1', { digest: 'sha256:one' });
const V2 = deployment('uuid-2', { round: { id: 'hash-2', content: 'tree:2', bootId: 'boot-1' } });

/** Version 2 is asked for, of a node that was installed with version 1. */
const wanted: Wanted = {
  round: 'hash-2',
  planHash: 'hash-2',
  content: 'tree:2',
  digest: undefined,
  force: false,
  retry: false,
  osRelease: 'VERSION=2\n',
};
const onV1: NodeFacts = {
  bootId: 'boot-1',
  runningUuid: 'uuid-1',
  runningSlot: 'active',
  running: V1,
  activeUuid: 'uuid-1',
  active: V1,
  failed: [],
  onTrial: false,
  osRelease: 'VERSION=1\n',
};
const switched: NodeFacts = { ...onV1, activeUuid: 'uuid-2', active: V2 };
const onV2: NodeFacts = {
  ...switched,
  bootId: 'boot-2',
  runningUuid: 'uuid-2',
  running: V2,
  osRelease: 'VERSION=2\n',
};
const failure = { uuid: 'uuid-2', failedAt: '2026-11-22T01:00:00Z', reason: 'the check failed' };
const fellBack: NodeFacts = {
  ...switched,
  bootId: 'boot-3',
  runningSlot: 'passive',
  failed: [{ ...failure, round: V2.round }],
};
const force = { ...wanted, force: true };
const retry = { ...wanted, retry: true, round: 'hash-2/again' };

const UPGRADE = { kind: 'upgrade', force: false };
const REBOOT = { kind: 'reboot' };
const FAILED = { kind: 'refuse', why: 'failed', failure: expect.objectContaining({ reason: 'the check failed' }) };
const PASSED_OVER = { kind: 'refuse', why: 'passed-over' };
const done = (why: string) => ({ kind: 'done', why });

describe('a pod decides', () => {
  test.each<[string, Wanted, NodeFacts, unknown]>([
    ['upgrades a node that runs something else', wanted, onV1, UPGRADE],
    ['is done when the node runs what this round made', wanted, onV2, done('round')],
    [
      'is done in a new round with the same content',
      { ...wanted, round: 'hash-3', planHash: 'hash-3' },
      onV2,
      done('content'),
    ],
    [
      'is done in the same round although the tag has new content',
      { ...wanted, content: 'tree:other' },
      onV2,
      done('round'),
    ],
    [
      'upgrades to new content in a new round, even under the same os-release',
      { ...wanted, round: 'hash-3', planHash: 'hash-3', content: 'tree:3' },
      onV2,
      UPGRADE,
    ],
    [
      'is done on a node installed otherwise whose os-release is the same',
      wanted,
      { ...onV1, osRelease: 'VERSION=2\n' },
      done('os-release'),
    ],
    [
      'is done on a node without records whose os-release is the same',
      wanted,
      { ...onV1, running: undefined, active: undefined, osRelease: 'VERSION=2\n' },
      done('os-release'),
    ],
    ['upgrades a node without records', wanted, { ...onV1, running: undefined, active: undefined }, UPGRADE],
    [
      'upgrades where neither side has an os-release',
      { ...wanted, osRelease: undefined },
      { ...onV1, osRelease: undefined },
      UPGRADE,
    ],
    [
      'is done when the named image runs',
      {
        ...wanted,
        round: 'hash-9',
        planHash: 'hash-9',
        content: undefined,
        osRelease: undefined,
        digest: 'sha256:one',
      },
      onV1,
      done('content'),
    ],
    [
      'upgrades to a named image that does not run',
      { ...wanted, content: undefined, osRelease: undefined, digest: 'sha256:two' },
      onV1,
      UPGRADE,
    ],
    ['works by hand, without a round', { ...wanted, round: undefined, planHash: undefined }, onV2, done('content')],

    ['only restarts a node that is prepared and was not restarted', wanted, switched, REBOOT],
    ['only restarts it after FORCE as well', force, switched, REBOOT],
    [
      'only restarts it from the fallback, when it was prepared there',
      wanted,
      { ...switched, runningSlot: 'passive' },
      REBOOT,
    ],
    [
      'only restarts it when somebody else has prepared the named image',
      { ...wanted, digest: 'sha256:x' },
      { ...switched, active: { ...deployment('uuid-2'), digest: 'sha256:x' } },
      REBOOT,
    ],
    [
      'replaces what another round has prepared',
      { ...wanted, round: 'hash-3', planHash: 'hash-3', content: 'tree:3' },
      switched,
      UPGRADE,
    ],
    ['is done after a power cut between switch and restart', wanted, { ...onV2, bootId: 'boot-9' }, done('round')],
    [
      'does not restart again when the node came up with another system',
      wanted,
      { ...switched, bootId: 'boot-2', runningSlot: 'passive' },
      PASSED_OVER,
    ],
    ['nor with FORCE', force, { ...switched, bootId: 'boot-2', runningSlot: 'passive' }, PASSED_OVER],
    [
      'nor when nobody noted when it was made',
      { ...wanted, digest: 'sha256:x' },
      { ...switched, runningSlot: 'passive', active: { ...deployment('uuid-2'), digest: 'sha256:x' } },
      PASSED_OVER,
    ],

    ['waits for the verdict on a trial', wanted, { ...onV2, onTrial: true }, { kind: 'await-verdict' }],
    ['waits for it in a forced round too', force, { ...onV2, onTrial: true }, { kind: 'await-verdict' }],
    [
      'waits for it where only the name is the same',
      { ...wanted, content: 'tree:x', round: 'r', planHash: 'r' },
      { ...onV1, osRelease: 'VERSION=2\n', onTrial: true },
      { kind: 'await-verdict' },
    ],

    [
      'upgrades with FORCE although the content runs',
      { ...force, round: 'hash-3', planHash: 'hash-3' },
      onV2,
      { kind: 'upgrade', force: true },
    ],
    [
      'upgrades with FORCE although the os-release is the same',
      force,
      { ...onV1, osRelease: 'VERSION=2\n' },
      { kind: 'upgrade', force: true },
    ],
    ['ends a round with FORCE after one upgrade', force, onV2, done('round')],

    ['refuses what has failed', wanted, fellBack, FAILED],
    ['refuses it with FORCE', force, fellBack, FAILED],
    [
      'refuses it in another round with the same content',
      { ...wanted, round: 'hash-3', planHash: 'hash-3' },
      fellBack,
      FAILED,
    ],
    ['refuses the same round with other content', { ...wanted, content: 'tree:other' }, fellBack, FAILED],
    ['refuses it when only the slot file tells what failed', wanted, { ...fellBack, failed: [failure] }, FAILED],
    [
      'refuses it when another system is active by now',
      wanted,
      { ...fellBack, active: V1, activeUuid: 'uuid-1' },
      FAILED,
    ],
    [
      'refuses a named image that has failed',
      { ...wanted, content: undefined, round: 'x', planHash: 'x', digest: 'sha256:bad' },
      { ...fellBack, failed: [{ ...failure, digest: 'sha256:bad' }] },
      FAILED,
    ],
    [
      'refuses while the failed system still runs',
      wanted,
      { ...onV2, failed: [{ ...failure, round: V2.round }] },
      FAILED,
    ],
    [
      'does not count what the owner changed on the node as a failure of the round',
      wanted,
      {
        ...fellBack,
        running: V2,
        runningUuid: 'uuid-2',
        active: { ...V2, uuid: 'uuid-local', fromAction: 'apply' },
        activeUuid: 'uuid-local',
        failed: [{ ...failure, uuid: 'uuid-local' }],
      },
      done('round'),
    ],
    [
      'takes a mended version from the fallback',
      { ...wanted, round: 'hash-3', planHash: 'hash-3', content: 'tree:3', osRelease: 'VERSION=3\n' },
      fellBack,
      UPGRADE,
    ],
    ['tries once more when the operator says so', retry, fellBack, { kind: 'upgrade', force: true }],
    [
      'but not twice for the same word',
      retry,
      { ...fellBack, failed: [{ ...failure, round: { id: 'hash-2/again', content: 'tree:2', bootId: 'boot-3' } }] },
      FAILED,
    ],
    [
      'and again for another word',
      { ...retry, round: 'hash-2/third' },
      { ...fellBack, failed: [{ ...failure, round: { id: 'hash-2/again', content: 'tree:2', bootId: 'boot-3' } }] },
      { kind: 'upgrade', force: true },
    ],
    [
      'restarts only, when the further try is prepared',
      retry,
      {
        ...fellBack,
        active: deployment('uuid-3', { round: { id: 'hash-2/again', bootId: 'boot-3' } }),
        activeUuid: 'uuid-3',
      },
      REBOOT,
    ],
  ])('%s', (_, asked, facts, expected) => {
    expect(decideUpgrade(asked, facts)).toEqual(expected);
  });
});

/** Plays rounds of pods against a node that does what it is told, with a system that works or does not. */
function play(asked: Wanted, { works, pods }: { works: boolean; pods: number }) {
  let facts: NodeFacts = onV1;
  let boots = 1;
  const told: string[] = [];
  for (let pod = 0; pod < pods; pod += 1) {
    const decision = decideUpgrade(asked, facts);
    told.push(decision.kind);
    if (decision.kind === 'upgrade') {
      const made = deployment(`uuid-new-${pod}`, {
        round: { id: asked.round, content: asked.content, bootId: facts.bootId },
      });
      facts = { ...facts, active: made, activeUuid: made.uuid };
    }
    if (decision.kind !== 'upgrade' && decision.kind !== 'reboot') continue;
    boots += 1;
    const { active } = facts;
    if (active === undefined) throw new Error('there is no active system');
    facts = works
      ? { ...facts, bootId: `b${boots}`, running: active, runningUuid: active.uuid, runningSlot: 'active' }
      : {
          ...facts,
          bootId: `b${boots}`,
          runningSlot: 'passive',
          failed: [{ uuid: active.uuid, round: active.round, failedAt: 'now', reason: 'no' }],
        };
  }
  return { told, boots };
}

describe('rounds of pods', () => {
  test.each([
    ['a good image', wanted, true, 'done'],
    ['a good image with FORCE', force, true, 'done'],
    ['a bad image', wanted, false, 'refuse'],
    ['a bad image with FORCE', force, false, 'refuse'],
    ['one more try of a bad image', retry, false, 'refuse'],
  ])('restart the node once for %s, however many there are', (_, asked, works, end) => {
    const { told, boots } = play(asked, { works, pods: 100 });
    expect(boots).toBe(2);
    expect(told).toEqual(['upgrade', ...new Array(99).fill(end)]);
  });
});
