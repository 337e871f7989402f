// Elemental's manifest.yaml: what a medium is made of, for its build commands. The text is read here; which file it is from
// is the command's business. Keys that name package repositories mean nothing to us and are told.

import { z } from 'zod';
import { isMap, isScalar, isSeq, type Node } from '../cloudconfig/nodes.ts';
import { YamlError, YamlText } from '../cloudconfig/yamltext.ts';
import { HoldfastError } from '../system/errors.ts';

export interface BuildManifest {
  name?: string | undefined;
  output?: string | undefined;
  date?: boolean | undefined;
  label?: string | undefined;
  /** The image, as elemental writes it: `docker:IMAGE`, or a name of a registry alone. */
  system?: string | undefined;
  overlays: { rootfs: string[]; uefi: string[]; iso: string[] };
  compression?: string | undefined;
  extraArguments?: string | undefined;
  /** What it asks for and will not be done, in words. */
  ignored: string[];
}

const DEEPEST = 8;
const flag = z.enum(['true', 'false', 'yes', 'no', 'on', 'off']);
const sources = z.array(z.string().min(1)).max(64).nullish();
const schema = z.looseObject({
  name: z.string().nullish(),
  output: z.string().nullish(),
  date: flag.nullish(),
  label: z.string().nullish(),
  'squash-compression': z.array(z.string()).max(16).nullish(),
  'squash-no-compression': flag.nullish(),
  iso: z
    .looseObject({
      label: z.string().nullish(),
      rootfs: sources,
      uefi: sources,
      image: sources,
      'extra-cmdline': z.string().nullish(),
    })
    .nullish(),
});

/** Of build-disk, of elemental's older tool, and of its settings: of no meaning for an ISO. */
const OTHERS = ['raw_disk', 'disk', 'arch', 'platform', 'strict', 'cosign', 'verify'];
const KNOWN = [...Object.keys(schema.shape), ...OTHERS];

/**
 * @param file its name, for messages.
 * @throws HoldfastError HF-CONFIG with the place of what is no YAML, or the key whose value can't be used.
 */
export function parseBuildManifest(text: string, file: string): BuildManifest {
  const parsed = schema.safeParse(readYaml(text, file));
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0] ?? { path: [], message: '' };
    throw new HoldfastError('HF-CONFIG', `${file}: ${path.map(String).join('.') || 'the manifest'}: ${message}`, {
      exitStatus: READING_BUILD_CONFIG,
    });
  }
  const { data } = parsed;
  const ignored = Object.keys(data)
    .filter((key) => !KNOWN.includes(key))
    .map((key) => `${key} makes no difference`);
  const [system, ...more] = data.iso?.rootfs ?? [];
  const directories = (list: readonly string[], key: string): string[] =>
    list.flatMap((source) => {
      const directory = /^dir:(?:\/\/)?(.+)$/.exec(source)?.[1];
      if (directory !== undefined) return [directory];
      ignored.push(
        `iso.${key}: ${source} is left out, ${key === 'uefi' ? 'the boot loader is the image’s own' : 'only dir: can be laid over'}`,
      );
      return [];
    });
  const overlays = {
    rootfs: directories(more, 'rootfs'),
    uefi: directories(data.iso?.uefi ?? [], 'uefi'),
    iso: directories(data.iso?.image ?? [], 'image'),
  };
  return {
    name: data.name ?? undefined,
    output: data.output ?? undefined,
    date: data.date == null ? undefined : ['true', 'yes', 'on'].includes(data.date),
    label: data.iso?.label ?? data.label ?? undefined,
    system,
    overlays,
    compression: squashCompression(
      data['squash-compression'] ?? [],
      ['true', 'yes', 'on'].includes(data['squash-no-compression'] ?? ''),
    ),
    extraArguments: data.iso?.['extra-cmdline'] ?? undefined,
    ignored,
  };
}

/** elemental-toolkit's number for a build configuration that can't be read. */
const READING_BUILD_CONFIG = 26;

/** The compression in options of mksquashfs as elemental takes them: `-comp xz -Xbcj x86`, in one text or in words. */
export function squashCompression(options: readonly string[], none = false): string | undefined {
  const words = options.flatMap((option) => option.split(/\s+/)).filter((word) => word !== '');
  if (none || words.includes('-noD')) return 'none';
  const at = words.indexOf('-comp');
  return at < 0 ? undefined : words[at + 1];
}

function readYaml(text: string, file: string): unknown {
  try {
    const yaml = new YamlText(text, file);
    return yaml.contents === null ? {} : plainValue(yaml, yaml.contents, 0);
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    throw new HoldfastError('HF-CONFIG', error.message, {
      location: error.location,
      exitStatus: READING_BUILD_CONFIG,
      ...(error.hint !== undefined && { hint: error.hint }),
    });
  }
}

/** Plain values; texts stay texts, so that a version is no number. */
function plainValue(yaml: YamlText, node: Node, depth: number): unknown {
  if (depth > DEEPEST) return undefined;
  if (isSeq(node)) return node.items.map((item) => plainValue(yaml, item, depth + 1));
  if (isScalar(node)) {
    const { value, style } = node;
    return style === 'plain' && ['', '~', 'null'].includes(value) ? null : value;
  }
  if (!isMap(node)) return undefined;
  const value: Record<string, unknown> = Object.create(null);
  for (const { key, value: child } of yaml.entries(node, () => {}).own) {
    value[key] = child === null ? null : plainValue(yaml, child, depth + 1);
  }
  return value;
}
