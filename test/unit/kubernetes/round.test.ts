import { describe, expect, test } from 'vitest';
import { describeRound, namedDigest, readRound, roundId } from '../../../src/kubernetes/round.ts';

const environment = {
  SYSTEM_UPGRADE_NODE_NAME: 'node-1',
  SYSTEM_UPGRADE_POD_NAME: 'pod',
  SYSTEM_UPGRADE_POD_UID: 'uid',
  SYSTEM_UPGRADE_PLAN_NAME: 'os',
  SYSTEM_UPGRADE_PLAN_LATEST_HASH: 'abc',
  SYSTEM_UPGRADE_PLAN_LATEST_VERSION: 'v2',
};

describe('a round', () => {
  test('is read from what the controller sets', () => {
    expect(readRound(environment)).toEqual({
      nodeName: 'node-1',
      planName: 'os',
      planHash: 'abc',
      version: 'v2',
      force: false,
      image: undefined,
      retry: undefined,
      hostDirectory: undefined,
      kubeconfig: undefined,
    });
  });

  test.each([
    ['true', true],
    ['TRUE', true],
    ['1', true],
    ['false', false],
    ['0', false],
    ['', false],
  ])('takes FORCE=%s', (FORCE, force) => {
    expect(readRound({ ...environment, FORCE }).force).toBe(force);
  });

  test.each([
    [{ FORCE: 'perhaps' }, 'FORCE is neither true nor false'],
    [{ HOST_DIR: 'host' }, 'HOST_DIR is not an absolute path'],
    [{ HOLDFAST_KUBECONFIG: 'x' }, 'HOLDFAST_KUBECONFIG is not an absolute path'],
    [{ SYSTEM_UPGRADE_PLAN_NAME: 'a\nb' }, 'SYSTEM_UPGRADE_PLAN_NAME holds control characters'],
    [{ HOLDFAST_RETRY_FAILED: 'x'.repeat(65) }, 'HOLDFAST_RETRY_FAILED is longer than 64 characters'],
    [{ FORCE: 'true', SYSTEM_UPGRADE_PLAN_LATEST_HASH: '' }, 'nothing would end it'],
  ])('refuses %j', (more, message) => {
    expect(() => readRound({ ...environment, ...more })).toThrow(expect.objectContaining({ code: 'HF-USAGE' }));
    expect(() => readRound({ ...environment, ...more })).toThrow(message);
  });

  test('is another one for each word that tries again', () => {
    expect(roundId({ planHash: 'abc', retry: undefined })).toBe('abc');
    expect(roundId({ planHash: 'abc', retry: 'one' })).toBe('abc/one');
    expect(roundId({ planHash: undefined, retry: undefined })).toBeUndefined();
  });

  test('is named for people, and its image by digest for us', () => {
    expect(describeRound({ planName: 'os', version: 'v2', image: undefined })).toBe('v2 (plan os)');
    expect(describeRound({ planName: undefined, version: undefined, image: undefined })).toBe('the image of this pod');
    const digest = `sha256:${'a'.repeat(64)}`;
    expect(namedDigest(`registry.example/os:v2@${digest}`)).toBe(digest);
    expect(namedDigest('registry.example/os:v2')).toBeUndefined();
    expect(namedDigest(undefined)).toBeUndefined();
  });
});
