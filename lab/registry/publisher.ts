// The publisher of the demo system: pushes images to a registry and signs their tags with Debian's notary client, for
// machines that know the registry by one name with TLS.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { publish, sign } from '../notary-rig/publisher.ts';
import { type NotaryRig, startNotary } from '../notary-rig/rig.ts';
import { type Front, startFront } from './front.ts';
import { type LabRegistry, pushImage, startRegistry } from './registry.ts';

export class Publisher {
  /** `registry.lab/os/demo`. */
  readonly repository: string;
  readonly front: Front;
  readonly #name: string;
  readonly #registry: LabRegistry;
  readonly #rig: NotaryRig;
  #isPublished = false;

  private constructor(name: string, servers: { registry: LabRegistry; rig: NotaryRig; front: Front }) {
    this.#name = name;
    this.repository = `${name}/os/demo`;
    this.#registry = servers.registry;
    this.#rig = servers.rig;
    this.front = servers.front;
  }

  /** @param name what machines call the registry. */
  static async start(directory: string, name: string): Promise<Publisher> {
    const at = (part: string) => {
      mkdirSync(join(directory, part), { recursive: true });
      return join(directory, part);
    };
    const registry = await startRegistry(at('registry'));
    const rig = await startNotary(at('notary'), { plain: true });
    const front = await startFront(at('front'), { name, registry: registry.host, notary: rig.url });
    return new Publisher(name, { registry, rig, front });
  }

  /** Copies an image from a layout under the tag that it has there. */
  async push(layout: string, tag: string): Promise<void> {
    await pushImage(layout, tag, `${this.repository.replace(this.#name, this.#registry.host)}:${tag}`);
  }

  /** Says with a signature that the tag is this manifest. */
  async sign(tag: string, { digest, sizeBytes }: { digest: string; sizeBytes: number }): Promise<void> {
    const content = { hex: digest.replace('sha256:', ''), sizeBytes };
    if (this.#isPublished) await sign(this.#rig, this.repository, tag, content);
    else await publish(this.#rig, this.repository, { [tag]: content });
    this.#isPublished = true;
  }

  async close(): Promise<void> {
    await this.front.close();
    await this.#rig.close();
    await this.#registry.close();
  }
}
