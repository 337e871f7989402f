// The media types of OCI images and of their docker predecessors, and how each kind of layer is packed.

/** How a layer's tar stream is packed. */
export type Compression = 'none' | 'gzip' | 'zstd';

export const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
export const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
export const CONFIG_TYPE = 'application/vnd.oci.image.config.v1+json';

const MANIFEST_TYPES = new Set([MANIFEST_TYPE, 'application/vnd.docker.distribution.manifest.v2+json']);
const INDEX_TYPES = new Set([INDEX_TYPE, 'application/vnd.docker.distribution.manifest.list.v2+json']);
const CONFIG_TYPES = new Set([CONFIG_TYPE, 'application/vnd.docker.container.image.v1+json']);

/** What a registry may answer with when it is asked for an image (RFC 9110, Accept). */
export const MANIFEST_ACCEPT = [...MANIFEST_TYPES, ...INDEX_TYPES].join(', ');

const LAYER_TYPES: Readonly<Record<string, Compression>> = {
  'application/vnd.oci.image.layer.v1.tar': 'none',
  'application/vnd.oci.image.layer.v1.tar+gzip': 'gzip',
  'application/vnd.oci.image.layer.v1.tar+zstd': 'zstd',
  'application/vnd.docker.image.rootfs.diff.tar': 'none',
  'application/vnd.docker.image.rootfs.diff.tar.gzip': 'gzip',
  // Not in docker's list, but written by buildkit for docker-type images with zstd.
  'application/vnd.docker.image.rootfs.diff.tar.zstd': 'zstd',
};

export const isManifestType = (mediaType: string): boolean => MANIFEST_TYPES.has(mediaType);
export const isIndexType = (mediaType: string): boolean => INDEX_TYPES.has(mediaType);
export const isConfigType = (mediaType: string): boolean => CONFIG_TYPES.has(mediaType);

/** Layers whose bytes the publisher keeps elsewhere (OCI non-distributable, docker foreign). */
export function isForeignLayerType(mediaType: string): boolean {
  return mediaType.includes('.nondistributable.') || mediaType.includes('.foreign.');
}

/** How a layer of this type is packed; undefined for a type that is no layer of a file system. */
export function layerCompression(mediaType: string): Compression | undefined {
  return Object.hasOwn(LAYER_TYPES, mediaType) ? LAYER_TYPES[mediaType] : undefined;
}

/** The type that a new layer gets. */
export function layerType(compression: Compression): string {
  const base = 'application/vnd.oci.image.layer.v1.tar';
  return compression === 'none' ? base : `${base}+${compression}`;
}
