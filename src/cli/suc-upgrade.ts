// `holdfast suc-upgrade`: what a pod of the System Upgrade Controller runs. In the pod it only goes over to the node; there it
// does its work, and tells how that ended where the controller and people look: the pod's last message, the node's object.

import { checkPod, POD_VARIABLE, runOnNode } from '../kubernetes/enter-node.ts';
import { annotateNode, type NodeNote } from '../kubernetes/node-annotations.ts';
import { Pod } from '../kubernetes/pod.ts';
import { describeRound, type Round, readRound } from '../kubernetes/round.ts';
import { type NodeUpgradeOptions, upgradeNode } from '../kubernetes/upgrade-node.ts';
import type { Settings } from '../lifecycle/settings.ts';
import type { UpgradeRequest } from '../lifecycle/upgrade.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import { maskSecrets } from '../system/secrets.ts';
import { openImageText } from './image-option.ts';
import { type LifecycleFlags, labelsOf, runOptions, strictnessOf } from './lifecycle-options.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';
import { machineSettings } from './settings-option.ts';
import { mayDowngrade } from './trust-option.ts';

interface SucUpgradeFlags extends LifecycleFlags {
  json?: boolean;
}

export async function sucUpgradeCommand(context: CommandContext, _: string[], flags: SucUpgradeFlags): Promise<number> {
  const process = ownPod();
  const pod = new Pod(process ?? '/proc/self');
  try {
    const round = readRound(globalThis.process.env);
    if (process === undefined) {
      checkPod(round.hostDirectory);
      const status = await runOnNode(['suc-upgrade', ...argumentsOf(flags)], context.signal);
      // Where it could not even start, nobody has told anything.
      if (status !== 0 && !flags.dryRun && !pod.hasMessage) {
        say(context, pod.writeMessage(`the program on the node ended with status ${status} and left no message`));
      }
      return status;
    }
    return await onNode(context, flags, pod, round);
  } catch (error) {
    // Of what went wrong on the node, the program there has told.
    if (flags.dryRun !== true) say(context, pod.writeMessage(describeError(error)));
    throw error;
  }
}

/** The process that waits in the pod, where this one runs on the node. */
function ownPod(): string | undefined {
  const id = process.env[POD_VARIABLE];
  if (id === undefined) return undefined;
  if (!/^\d{1,10}$/.test(id)) throw new HoldfastError('HF-USAGE', `${POD_VARIABLE} is no process`);
  return `/proc/${id}`;
}

function argumentsOf({ dryRun, json }: SucUpgradeFlags): string[] {
  return [...(dryRun ? ['--dry-run'] : []), ...(json ? ['--json'] : [])];
}

async function onNode(context: CommandContext, flags: SucUpgradeFlags, pod: Pod, round: Round): Promise<number> {
  const { reporter } = context;
  const settings = await machineSettings(context, {});
  const options: NodeUpgradeOptions = {
    ...runOptions({ ...context, commandLine: `suc-upgrade: ${describeRound(round)}` }, flags),
    labels: labelsOf(settings),
    hookSources: settings.value('cloud-init-paths'),
    round,
    pod,
    tell: async (outcome, text) => {
      say(context, pod.writeMessage(text));
      await annotate(context, pod, round, { outcome, reason: text });
    },
    request: (source) => upgradeRequest(context, settings, source),
  };
  try {
    const result = await upgradeNode(options);
    if (result.outcome === 'done') {
      const release = result.osRelease?.trimEnd().split('\n') ?? [];
      reporter.result({ ...result }, ['Update to date with', ...release, `  ${result.text}`]);
      return 0;
    }
    if (result.outcome === 'planned') {
      reporter.result({ ...result }, [result.text, ...(result.plan === undefined ? [] : planLines(result.plan))]);
      return 0;
    }
    reporter.result({ ...result }, [result.text]);
    return 1;
  } catch (error) {
    const isOthers = error instanceof HoldfastError && ['HF-LOCKED', 'HF-INTERRUPTED'].includes(error.code);
    const isRefusal = error instanceof HoldfastError && error.code === 'HF-FAILED-IMAGE';
    // Of a node that another pod is at work on, that one tells.
    if (!isOthers && flags.dryRun !== true) {
      const reason = maskSecrets(messageOf(error));
      await annotate(context, pod, round, { outcome: isRefusal ? 'refused' : 'failed', reason });
    }
    throw error;
  }
}

/** What the settings of the node say about upgrades, for the pod's tree or the image that the plan names. */
async function upgradeRequest(
  context: CommandContext,
  settings: Settings,
  source: Parameters<NodeUpgradeOptions['request']>[0],
): Promise<UpgradeRequest> {
  const text = source.kind === 'pod' ? `dir:${source.directory}` : source.text;
  return {
    image: await openImageText(text, {}, context, settings),
    strictness: strictnessOf(undefined, settings),
    force: false,
    minimumBytes: (settings.value('upgrade.system.size') ?? 0) * 2 ** 20,
    assess: settings.value('boot-assessment') ?? true,
    allowDowngrade: mayDowngrade({}, settings),
    overlay: 'carry',
  };
}

async function annotate(
  context: CommandContext,
  pod: Pod,
  { nodeName, version, planName, kubeconfig }: Round,
  note: Pick<NodeNote, 'outcome' | 'reason'>,
): Promise<void> {
  if (nodeName === undefined) return;
  const { Root } = await import('../system/root.ts');
  const problems = await annotateNode(
    { ...note, version, plan: planName, time: new Date().toISOString() },
    { nodeName, environment: process.env, root: new Root('/'), podRoot: pod.root, kubeconfig },
  );
  if (problems.length > 0) say(context, `the node's object does not tell of this: ${problems.join('; ')}`);
}

function say({ reporter }: CommandContext, text: string | undefined): void {
  if (text !== undefined) reporter.events({ type: 'notice', level: 'warning', text });
}

/** A sentence, the next thing to do, and the end of what a failed program printed. */
function describeError(error: unknown): string {
  if (!(error instanceof HoldfastError)) return maskSecrets(messageOf(error));
  const { message, hint, outputTail } = error;
  return maskSecrets([message, ...(hint ? [hint] : []), ...(outputTail ? [outputTail] : [])].join('\n'));
}
