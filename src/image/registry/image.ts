// An image in a registry, with the same face as one in a layout: opening reads what describes it, its layers are read from
// the network each time, and checked each time.

import { type Layer, unpackedLayer } from '../blob.ts';
import { layersOf } from '../layersof.ts';
import type { OciImage } from '../layout.ts';
import { parseConfig, parseIndex, parseManifest } from '../manifest.ts';
import { isIndexType } from '../mediatypes.ts';
import { formatImageSource } from '../reference.ts';
import { MAX_INDEX_DEPTH, type Platform, selectPlatform, tooDeep } from '../selection.ts';
import { fetchBlob, fetchDocument, fetchManifest } from './fetch.ts';
import { formatRegistryName, parseRegistryName } from './name.ts';
import { type RegistryOptions, RegistrySession } from './session.ts';

/**
 * Opens an image in a registry: reads index, manifest and configuration, no layer yet.
 * @param reference `[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]`; with a digest the tag is only a name for people.
 * @throws HoldfastError HF-USAGE for what is no name, HF-NO-SOURCE when it isn't there, HF-NETWORK, HF-DIGEST for wrong
 *   bytes, HF-IMAGE and HF-UNSUPPORTED for what can't be unpacked on this machine.
 */
export async function openRegistryImage(
  reference: string,
  wanted: Platform,
  options: RegistryOptions = {},
): Promise<OciImage> {
  const name = parseRegistryName(reference);
  const session = new RegistrySession(name, options);
  let found = await fetchManifest(session, name.digest ?? name.tag ?? 'latest');
  for (let depth = 0; isIndexType(found.mediaType); depth++) {
    if (depth === MAX_INDEX_DEPTH) throw tooDeep(reference);
    const where = `the index of ${formatRegistryName(name)}`;
    found = await fetchManifest(session, selectPlatform(parseIndex(found.text, where), wanted, where).digest);
  }
  const { digest } = found;
  const source = formatImageSource({ kind: 'registry', reference: formatRegistryName({ ...name, digest }) });
  const manifest = parseManifest(found.text, source);
  const what = `the configuration of ${source}`;
  const config = parseConfig(await fetchDocument(session, manifest.config, what), source);
  return {
    kind: 'oci',
    origin: 'registry',
    source,
    digest,
    config,
    layers: layersOf(manifest, config, source, wanted),
    readLayer: (layer: Layer, { signal, onBytes } = {}) =>
      unpackedLayer(layer, fetchBlob(session.with(signal), layer, onBytes)),
  };
}
