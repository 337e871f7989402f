// Which image the command line names, and when one of a registry is taken without a signature.

import { describe, expect, test } from 'vitest';
import { type ImageFlags, namedImage, openNamedImage } from '../../../src/cli/image-option.ts';
import { loadSettings } from '../../../src/lifecycle/settings.ts';
import type { Event } from '../../../src/system/events.ts';
import { writeLayers } from '../image/fixture.ts';
import { serveLayout } from '../image/registry/local-registry.ts';
import { file } from '../image/tarball.ts';
import { temporaryRoot } from '../stages/temporary-root.ts';

describe('the image that is named', () => {
  test.each<[string | undefined, ImageFlags, string]>([
    ['oci-layout:/x', {}, 'oci-layout:/x'],
    [undefined, { system: 'dir:/x' }, 'dir:/x'],
    [undefined, { 'system.uri': 'docker:quay.io/x' }, 'docker:quay.io/x'],
    [undefined, { dockerImage: 'quay.io/x' }, 'docker:quay.io/x'],
    [undefined, { dockerImage: 'alpine:3' }, 'docker:alpine:3'],
    [undefined, { directory: '/x' }, 'dir:/x'],
  ])('%j and %j', (argument, flags, text) => {
    expect(namedImage(argument, flags)).toBe(text);
  });
  test('is one and no more', () => {
    expect(() => namedImage('dir:/x', { directory: '/y' })).toThrow('two images are named: dir:/x and dir:/y');
  });
});

describe('where the command line names none', () => {
  const open = async (cosConfig: string, otherwise?: { text: string; why: string }) => {
    const said: string[] = [];
    const settings = await loadSettings({ root: temporaryRoot({ '/etc/cos/config': cosConfig }) });
    const events = (event: Event) => said.push(event.type === 'notice' ? event.text : '');
    const context = { reporter: { events }, signal: new AbortController().signal };
    const options = { settings, setting: 'upgrade.system', otherwise } as const;
    return { image: await openNamedImage(undefined, {}, context, options), said };
  };

  test('the settings do, and it is said which', async () => {
    const { image, said } = await open('UPGRADE_IMAGE=dir:/usr\n');
    expect(image.source).toBe('dir:/usr');
    expect(said).toEqual(['image dir:/usr from /etc/cos/config:1']);
  });

  test('or what the machine itself is', async () => {
    const { image, said } = await open('', { text: 'dir:/usr', why: 'the system that is running' });
    expect(image.source).toBe('dir:/usr');
    expect(said).toEqual(['image dir:/usr: the system that is running']);
  });

  test('or nothing does', async () => {
    await expect(open('')).rejects.toThrow('no image is named');
    await expect(open('CHANNEL_UPGRADES=true\n')).rejects.toMatchObject({ code: 'HF-UNSUPPORTED' });
  });

  test('a setting that turns verification off is named', async () => {
    const settings = await loadSettings({ root: temporaryRoot({ '/etc/cos/config': 'NO_VERIFY=true\n' }) });
    const layout = `${temporaryRoot().directory}/layout`;
    await writeLayers(layout, 'v1', [[file('a')]]);
    const { host } = await serveLayout(layout);
    const said: string[] = [];
    const events = (event: Event) => said.push(event.type === 'notice' ? event.text : '');
    const context = { reporter: { events }, signal: new AbortController().signal };
    await openNamedImage(`docker:${host}/os:v1`, {}, context, { settings });
    expect(said[0]).toContain('is not verified: no-verify (/etc/cos/config:1) trusts the registry');
  });
});

/** Opens an image and collects what is said about it. */
async function open(flags: ImageFlags) {
  const said: string[] = [];
  const events = (event: Event) => {
    if (event.type === 'notice') said.push(`${event.level}: ${event.text}`);
  };
  const image = await openNamedImage(undefined, flags, { reporter: { events }, signal: new AbortController().signal });
  return { image, said };
}

describe('an image of a registry', () => {
  test.each<[ImageFlags, string]>([
    [{ dockerImage: '127.0.0.1:1/os:v1' }, '127.0.0.1:1/os:v1'],
    [{ dockerImage: '127.0.0.1:1/os' }, '127.0.0.1:1/os:latest'],
    [{ system: '127.0.0.1:1/os:v1', verify: true }, '127.0.0.1:1/os:v1'],
  ])('%j is refused while its Notary server does not answer', async (flags, name) => {
    const trustState = temporaryRoot().directory;
    const error = await open({ ...flags, trustState }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'HF-TRUST', reason: 'server-unreachable' });
    expect(String(error)).toContain(name.replace(/:[^:]*$/, ''));
  });

  test('is taken with --no-verify, with a warning, or when its digest is named, which is said', async () => {
    const layout = `${temporaryRoot().directory}/layout`;
    const { digest } = await writeLayers(layout, 'v1', [[file('a')]]);
    const { host } = await serveLayout(layout);
    const trusting = await open({ dockerImage: `${host}/os:v1`, verify: false });
    expect(trusting.image.digest).toBe(digest);
    expect(trusting.image.provenance?.verifiedBy).toEqual([{ by: 'nobody', text: 'NOT VERIFIED (--no-verify)' }]);
    expect(trusting.said).toEqual([
      `warning: ${host}/os:v1 is not verified: --no-verify trusts the registry and whoever may write to it`,
    ]);
    const pinned = await open({ system: `docker:${host}/os@${digest}` });
    expect(pinned.image.digest).toBe(digest);
    expect(pinned.image.provenance?.verifiedBy).toEqual([{ by: 'digest', text: 'digest named by the user' }]);
    expect(pinned.said).toEqual([
      `info: ${host}/os@${digest.slice(0, 19)} is pinned by its digest; no signature of its tag is looked for`,
    ]);
  });
});
