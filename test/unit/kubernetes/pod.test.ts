import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { requirePod } from '../../../src/kubernetes/enter-node.ts';
import { boundMessage, placesOf } from '../../../src/kubernetes/pod.ts';

describe('a pod', () => {
  test('names the places of the image that its runtime mounts something on', () => {
    const mounts = [
      ...['/', '/proc', '/dev/termination-log', '/sys', '/host/run', '/run/secrets/x', '/tmp', '/etc/hosts'],
      ...['/etc/resolv.conf', '/etc/hosts', '/opt/secret', '/hosting'],
    ].map((mountPoint) => ({ mountPoint }));
    expect(placesOf(mounts)).toEqual(['etc/hosts', 'etc/resolv.conf', 'hosting', 'opt/secret']);
  });

  test('has room for a last word of 4096 bytes, whole characters', () => {
    expect(boundMessage('short')).toBe('short');
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1000, maxLength: 6000 }), (text) => {
        const bound = boundMessage(text);
        expect(Buffer.byteLength(bound)).toBeLessThanOrEqual(4096);
        if (bound !== text) {
          expect(Buffer.byteLength(text)).toBeGreaterThan(4096);
          expect(text.startsWith(bound.slice(0, -1))).toBe(true);
        }
      }),
    );
  });

  test('must be privileged and see the processes of its node', () => {
    expect(() => requirePod({ ownMounts: 'mnt:[1]', firstMounts: undefined })).toThrow('may not look at the processes');
    expect(() => requirePod({ ownMounts: 'mnt:[1]', firstMounts: 'mnt:[1]' })).toThrow('this is not a container');
    expect(() => requirePod({ ownMounts: 'mnt:[1]', firstMounts: 'mnt:[2]' })).not.toThrow();
  });
});
