// `convert-disk`: a raw disk image that is there already, for a platform.

import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readSync, realpathSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { requireSpace } from '../slots/slot-file.ts';
import { HoldfastError } from '../system/errors.ts';
import { type EventSink, silent } from '../system/events.ts';
import { type Action, apply, type Performers, type Plan, UndoStack } from '../system/plan.ts';
import { requireTools } from '../system/tools.ts';
import { convertDisk, padDisk } from './disk-convert.ts';
import { convertedName, type DiskFormat, FORMAT_FACTS } from './disk-formats.ts';
import { mediumUuid } from './identity.ts';
import { inspectOutput, type Published, publishFile, sha256Of, temporaryOutput } from './publish.ts';
import { sourceTime } from './source-time.ts';
import { openWorkPlace } from './work-place.ts';

export interface ConversionRequest {
  raw: string;
  format: Exclude<DiskFormat, 'raw'>;
  /** Default: beside the raw disk. */
  output?: string | undefined;
  keepSource: boolean;
  force: boolean;
  environment?: NodeJS.ProcessEnv | undefined;
}

type ConversionAction = Action<'pad'> | Action<'convert'> | Action<'publish'> | Action<'remove-source'>;

interface ConversionFacts {
  raw: string;
  output: string;
  sizeBytes: number;
  /** What is filled of it. */
  filledBytes: number;
  timeSeconds: number;
}

interface ConversionState {
  request: ConversionRequest;
  facts: ConversionFacts;
  workPlace: string;
  temporary: string;
  /** What is converted: the raw disk, or its copy of a fitting size. */
  source: string;
  published?: Published;
}

export interface ConversionResult {
  outcome: 'ok' | 'planned';
  plan: Plan<ConversionAction>;
  durationMs: number;
  published: Published | undefined;
}

/** @throws HoldfastError HF-TARGET for what is no raw disk image; until the end nothing has the output's name. */
export async function convertRawDisk(
  request: ConversionRequest,
  options: { events?: EventSink; signal?: AbortSignal; dryRun?: boolean } = {},
): Promise<ConversionResult> {
  const { events = silent, signal = new AbortController().signal } = options;
  const facts = inspectConversion(request);
  const plan = planConversion(request, facts);
  requireTools(['cp', 'sfdisk', ...FORMAT_FACTS[request.format].tools]);
  requireSpace(dirname(facts.output), facts.filledBytes, facts.output);
  if (options.dryRun) return { outcome: 'planned', plan, durationMs: 0, published: undefined };
  const setup = new UndoStack();
  try {
    const workPlace = openWorkPlace(setup, {
      near: facts.output,
      needBytes: facts.filledBytes * 2,
      purpose: 'the conversion',
      environment: request.environment,
    });
    const temporary = temporaryOutput(setup, facts.output);
    const state: ConversionState = { request, facts, workPlace, temporary, source: facts.raw };
    const { durationMs } = await apply(plan, performers, { state, events, signal });
    return { outcome: 'ok', plan, durationMs, published: state.published };
  } finally {
    for (const text of await setup.unwind(false)) {
      events({ type: 'notice', level: 'warning', text: `cleaning up: ${text}` });
    }
  }
}

function inspectConversion({
  raw,
  format,
  output,
  force,
  environment = process.env,
}: ConversionRequest): ConversionFacts {
  const named = resolve(raw);
  const stat = statSync(named, { throwIfNoEntry: false });
  if (!stat?.isFile()) {
    throw new HoldfastError('HF-TARGET', `${named} is no file with a disk image`, {
      hint: 'holdfast build-disk makes one',
    });
  }
  // What a link names is what is read, and what goes.
  const file = realpathSync(named);
  if (!hasTable(file)) {
    throw new HoldfastError('HF-TARGET', `${file} is no raw disk image: it has no partition table (GPT)`, {
      hint: 'qemu-img info says what it is; qemu-img convert -O raw makes a raw one of it',
    });
  }
  const target = inspectOutput(output ?? convertedName(file, format), { force });
  if (isSameFile(file, target)) {
    throw new HoldfastError('HF-USAGE', `${target} is the disk that is converted`, {
      hint: 'name another file with --output',
    });
  }
  const { seconds } = sourceTime({ environment, created: undefined, newestFile: () => stat.mtimeMs / 1000 });
  return {
    raw: file,
    output: target,
    sizeBytes: stat.size,
    filledBytes: Math.min(stat.size, stat.blocks * 512),
    timeSeconds: seconds,
  };
}

function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((file) => statSync(file, { throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

/** GPT: its header begins the second sector. */
function hasTable(file: string): boolean {
  const fd = openSync(file, 'r');
  try {
    const signature = Buffer.alloc(8);
    readSync(fd, signature, 0, 8, 512);
    return signature.toString('latin1') === 'EFI PART';
  } finally {
    closeSync(fd);
  }
}

/** Pure. */
function planConversion(
  { format, keepSource }: ConversionRequest,
  { raw, output, sizeBytes, filledBytes }: ConversionFacts,
): Plan<ConversionAction> {
  const { stepBytes } = FORMAT_FACTS[format];
  const fits = sizeBytes % stepBytes === 0;
  return {
    title: `Convert ${raw} for ${format}`,
    actions: [
      ...(fits
        ? []
        : [
            {
              kind: 'pad' as const,
              summary: `Copy it to a disk of whole ${stepBytes / (1 << 20)} MiB`,
              cost: { bytes: filledBytes },
            },
          ]),
      { kind: 'convert', summary: `Convert it (${FORMAT_FACTS[format].about})`, cost: { bytes: filledBytes } },
      { kind: 'publish', summary: `Give it its name ${output}, with its checksum beside it` },
      ...(keepSource ? [] : [{ kind: 'remove-source' as const, summary: `Remove ${raw}` }]),
    ],
  };
}

const performers: Performers<ConversionAction, ConversionState> = {
  pad: async (_, context, state) => {
    state.source = join(state.workPlace, 'disk.raw');
    await padDisk(context, state.facts.raw, state.source, state.request.format);
  },

  convert: async (_, context, state) => {
    const { request, facts, workPlace, temporary, source } = state;
    const conversion = join(workPlace, 'conversion');
    mkdirSync(conversion);
    const seed = createHash('sha256')
      .update(await sha256Of(source, context.signal))
      .digest('hex');
    await convertDisk(context, {
      raw: source,
      format: request.format,
      to: temporary,
      finalName: facts.output,
      workPlace: conversion,
      timeSeconds: facts.timeSeconds,
      uuid: mediumUuid({ seed, purpose: request.format }),
    });
  },

  publish: async (_, context, state) => {
    state.published = await publishFile(context, state.temporary, state.facts.output);
  },

  'remove-source': (_, __, { facts }) => {
    rmSync(facts.raw);
  },
};
