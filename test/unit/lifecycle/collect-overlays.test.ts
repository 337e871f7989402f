import { expect, test } from 'vitest';
import { collectOverlays, KEEP_DAYS, type SetMember } from '../../../src/lifecycle/collect-overlays.ts';

const NOW = Date.parse('2026-11-21T00:00:00Z');
const OLD = NOW - (KEEP_DAYS + 1) * 86_400_000;
const A = 'a'.repeat(16);
const B = 'b'.repeat(16);

const cow = (digits: string, changedMs: number): SetMember => ({ name: `p.${digits}`, kind: 'cow', digits, changedMs });
const beside = (kind: 'sidecar' | 'tries', digits: string): SetMember => ({
  name: `p.${digits}.${kind === 'sidecar' ? 'bind' : kind}`,
  kind,
  digits,
  changedMs: OLD,
});

test('COWs of systems that are in a slot stay, however old they are, with what is beside them', () => {
  const members = [cow(A, OLD), beside('sidecar', A), beside('tries', A)];
  expect(collectOverlays(members, new Set([A]), NOW)).toEqual({ remove: [], later: [] });
});

test('kept packages stay with their COW, and go with it', () => {
  const packages = (digits: string): SetMember => ({
    name: `p.${digits}.packages`,
    kind: 'packages',
    digits,
    changedMs: OLD,
  });
  const members = [cow(A, OLD), packages(A), cow(B, OLD), packages(B)];
  const { remove } = collectOverlays(members, new Set([A]), NOW);
  expect(remove.map(({ name }) => name)).toEqual([`p.${B}`, `p.${B}.packages`]);
});

test('a COW whose system is gone goes after its days, with what is beside it', () => {
  const members = [cow(A, OLD), cow(B, OLD), beside('sidecar', B), beside('tries', B)];
  const { remove, later } = collectOverlays(members, new Set([A]), NOW);
  expect(remove.map(({ name }) => name)).toEqual([`p.${B}`, `p.${B}.bind`, `p.${B}.tries`]);
  expect(later).toEqual([]);
});

test('before that it stays, and the day is said', () => {
  const { remove, later } = collectOverlays([cow(B, NOW - 86_400_000), beside('sidecar', B)], new Set([A]), NOW);
  expect(remove).toEqual([]);
  expect(later).toEqual([{ name: `p.${B}`, from: '2026-12-20' }]);
});

test('what was not finished goes at once, whatever its base', () => {
  const members: SetMember[] = [{ name: `p.${A}.new`, kind: 'unfinished', digits: A, changedMs: NOW }];
  expect(collectOverlays(members, new Set([A]), NOW).remove).toEqual([
    { name: `p.${A}.new`, why: 'it was not finished' },
  ]);
});

test('the set’s own file stays, and sidecars without a COW go', () => {
  const members: SetMember[] = [
    { name: 'p', kind: 'cow', digits: undefined, changedMs: OLD },
    { name: 'p.bind', kind: 'sidecar', digits: undefined, changedMs: OLD },
    beside('sidecar', B),
  ];
  expect(collectOverlays(members, new Set(), NOW).remove.map(({ name }) => name)).toEqual([`p.${B}.bind`]);
});

test('what was set aside stays for its days although its base is in a slot', () => {
  const aside = (changedMs: number): SetMember => ({ name: `p.${A}.aside-x`, kind: 'aside', digits: A, changedMs });
  expect(collectOverlays([aside(NOW)], new Set([A]), NOW)).toMatchObject({ remove: [], later: [{}] });
  expect(collectOverlays([aside(OLD)], new Set([A]), NOW).remove).toHaveLength(1);
});
