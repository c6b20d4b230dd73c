import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The agent's script as it is pushed to hosts. The bundler puts the file next to the bundle. */
export interface AgentSource {
  text: string;
  /** Names the file on the host, so that a host keeps running the version that its watcher was armed with. */
  sha256: string;
}

let loaded: AgentSource | undefined;

export function agentSource(): AgentSource {
  if (loaded === undefined) {
    const text = readFileSync(new URL('./agent.sh', import.meta.url), 'utf8');
    loaded = { text, sha256: createHash('sha256').update(text).digest('hex') };
  }
  return loaded;
}
