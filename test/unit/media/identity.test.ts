import { expect, test } from 'vitest';
import { fatSerial, fatUuid, mediumUuid } from '../../../src/media/identity.ts';

const iso = { seed: 'sha256:aa', purpose: 'iso', options: { label: 'COS_LIVE', extra: ['a', 'b'] } };

test('the same content with the same options has the same numbers', () => {
  const again = { ...iso, options: { extra: ['a', 'b'], label: 'COS_LIVE', recovery: undefined } };
  expect(mediumUuid(again)).toBe(mediumUuid(iso));
  expect(fatSerial(again)).toBe(fatSerial(iso));
});

test.each([
  ['content', { ...iso, seed: 'sha256:ab' }],
  ['purpose', { ...iso, purpose: 'disk' }],
  ['option', { ...iso, options: { ...iso.options, label: 'MINE' } }],
  ['order of a list', { ...iso, options: { ...iso.options, extra: ['b', 'a'] } }],
])('another %s is another medium', (_, other) => {
  expect(mediumUuid(other)).not.toBe(mediumUuid(iso));
  expect(fatSerial(other)).not.toBe(fatSerial(iso));
});

test('a UUID says of itself that an own rule made it', () => {
  expect(mediumUuid(iso)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('a serial number is shown as blkid shows it', () => {
  expect(fatSerial(iso)).toMatch(/^[0-9A-F]{8}$/);
  expect(fatUuid('1A2B3C4D')).toBe('1A2B-3C4D');
});
