// `image index` as a plan: read the older images and this one, make documents and pack, store them beside the image.

import { createReadStream } from 'node:fs';
import type { Action, Performers, Plan } from '../../system/plan.ts';
import { digestOf } from '../digest.ts';
import type { Descriptor } from '../manifest.ts';
import { shortDigest } from '../manifest.ts';
import { MANIFEST_TYPE } from '../mediatypes.ts';
import type { OciImage } from '../oci-image.ts';
import { EMPTY_DOCUMENT, EMPTY_TYPE, writeArtifact } from './index-artifact.ts';
import { type MadeIndex, makeIndex } from './make-index.ts';

export type IndexAction = Action<'make-index'> | Action<'publish-index'>;

export interface IndexState {
  image: OciImage;
  since: readonly OciImage[];
  /** An empty directory for what is made. */
  directory: string;
  made?: MadeIndex;
  published?: Descriptor;
}

const EMPTY: Descriptor = {
  mediaType: EMPTY_TYPE,
  digest: digestOf(EMPTY_DOCUMENT),
  sizeBytes: EMPTY_DOCUMENT.length,
};

/** Pure. */
export function planIndex({ image, since }: Pick<IndexState, 'image' | 'since'>): Plan<IndexAction> {
  const layers = new Map([...since, image].flatMap((one) => one.layers).map((layer) => [layer.diffId, layer]));
  const bytes = [...layers.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const what =
    since.length === 0
      ? 'all of its contents'
      : `what ${since.map(({ digest }) => shortDigest(digest)).join(' and ')} ${since.length === 1 ? 'has' : 'have'} not`;
  return {
    title: `Index ${image.source}`,
    actions: [
      { kind: 'make-index', summary: `Read the layers and pack ${what}`, cost: { bytes } },
      { kind: 'publish-index', summary: `Store the index in ${image.repository.name}, beside the image` },
    ],
  };
}

export const indexPerformers: Performers<IndexAction, IndexState> = {
  'make-index': async (_, { signal, progress }, state) => {
    const { image, since, directory } = state;
    // That nothing can be stored there shall not show after minutes of reading.
    await image.repository.putBlob(EMPTY, EMPTY_DOCUMENT);
    state.made = await makeIndex({ image, since, directory, signal, onProgress: progress });
  },
  'publish-index': async (_, { progress }, state) => {
    if (state.made === undefined) throw new TypeError('there is no index yet');
    state.published = await publish(state.image.repository, state.made, (done, total) =>
      progress({ done, total, unit: 'bytes' }),
    );
  },
};

/** The manifest comes last: what it names is there when it appears. */
async function publish(
  repository: OciImage['repository'],
  { artifact, documents, packFile }: MadeIndex,
  onBytes: (done: number, total: number) => void,
): Promise<Descriptor> {
  const total = artifact.pack.sizeBytes;
  for (const [diffId, descriptor] of artifact.documents) {
    const bytes = documents.get(diffId);
    if (bytes !== undefined) await repository.putBlob(descriptor, bytes);
  }
  const pack = (async function* () {
    let done = 0;
    for await (const chunk of createReadStream(packFile, { highWaterMark: 1 << 20 })) {
      // A read stream without encoding gives buffers only; its type says any.
      const bytes: Buffer = chunk;
      done += bytes.length;
      onBytes(done, total);
      yield bytes;
    }
  })();
  await repository.putBlob(artifact.pack, pack);
  return repository.putManifest(writeArtifact(artifact), MANIFEST_TYPE);
}
